//! What every command begins with: global options, and the only look at the environment.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::ValueEnum;
use store::Store;

use super::fault::Fault;
use crate::drive::Session;
use crate::spec::Kind;
use crate::terminal::Colour;
use crate::terminal::Level;
use crate::terminal::Terminal;
use crate::terminal::Viewer;
use crate::text::counted;

/// Options of all commands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The project: a directory with `main.rhai` [default: the nearest one upwards]
    #[arg(short = 'C', long, value_name = "DIR", global = true)]
    project: Option<PathBuf>,
    /// Where results are kept [default: `$ENGINE_STORE`, else `engine` in the user's cache]
    #[arg(long, value_name = "DIR", global = true)]
    store: Option<PathBuf>,
    /// When to use colours; `auto` means on a terminal, unless `$NO_COLOR` is set
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        global = true
    )]
    color: When,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: also what is fresh, and what starts
    #[arg(short, long, global = true)]
    verbose: bool,
}

/// How long commands that download wait.
#[derive(Debug, Args)]
pub(super) struct Patience {
    /// How long a server may say nothing, in seconds
    #[arg(
        long = "stall",
        value_name = "SECS",
        default_value_t = PATIENCE_SECS,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    secs: u32,
}

/// Unless it is said.
const PATIENCE_SECS: u32 = 60;

impl Patience {
    /// As a duration.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.secs.into())
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            secs: PATIENCE_SECS,
        }
    }
}

/// Which lab boots are looked for in.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct AtLab {
    /// Boots in this lab, by its name [default: QEMU on this machine where a board can be, else LAVA labs]
    #[arg(long, value_name = "LAB")]
    lab: Option<String>,
}

impl AtLab {
    /// Opens the project for some addresses, narrowed to the lab that was named.
    pub(super) fn session(&self, context: &Context, names: &[String]) -> Result<Session, Fault> {
        let mut session = context.session(names)?;
        if let Some(lab) = &self.lab {
            session.at_lab(lab)?;
        }
        Ok(session)
    }
}

/// The words of `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

/// What a command works on.
#[derive(Clone)]
pub(super) struct Context {
    /// Where it prints.
    pub terminal: Terminal,
    /// The project's directory.
    pub project: PathBuf,
    /// Whether it was named.
    named: bool,
    store: Option<PathBuf>,
}

impl Global {
    /// The terminal as the options want it.
    fn terminal(&self) -> Terminal {
        let level = match (self.quiet, self.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Normal,
        };
        Terminal::new(colours(Some(self.color)), level, viewer())
    }
}

impl Context {
    /// Finds the project and the store's place; looks into neither.
    pub(super) fn new(global: &Global) -> Self {
        let project = global.project.clone().unwrap_or_else(nearest_project);
        Self {
            terminal: global.terminal(),
            project,
            named: global.project.is_some(),
            store: global.store.clone().or_else(store_dir),
        }
    }

    /// Opens the store, and says so if its database had to be made again.
    pub(super) fn store(&self) -> Result<Arc<Store>, Fault> {
        let root = self.store.as_ref().ok_or_else(|| {
            Fault::environment("there is no place for results: `$HOME` is not set")
                .help("`--store DIR` names a place")
        })?;
        let store = Store::open(root)?;
        if let Some(rebuilt) = store.recovered() {
            self.terminal.say(&format!(
                "the database of the store was made again ({}): {} back",
                rebuilt.because,
                counted(rebuilt.records, "record", "records")
            ));
            for (path, why) in &rebuilt.skipped {
                self.terminal
                    .say(&format!("  not back: `{}`: {why}", path.display()));
            }
        }
        Ok(Arc::new(store))
    }

    /// Says which builds a command leaves out, as no address names them.
    pub(super) fn say_left_out(
        &self,
        session: &Session,
        addresses: &[String],
        until: Option<Kind>,
    ) -> Result<(), Fault> {
        let left = session.left_out(addresses, until)?;
        if left.builds > 0 {
            let names: Vec<String> = left.names.iter().map(|name| format!("`{name}`")).collect();
            let builds = counted(left.builds, "manual build", "manual builds");
            let names = names.join(", ");
            let them = if left.builds == 1 { "it" } else { "them" };
            self.terminal.say(&format!(
                "left out: {builds}; an address that says {names} runs {them}"
            ));
        }
        Ok(())
    }

    /// The same with the project that a file belongs to, unless one was named: the nearest upwards from it.
    #[must_use]
    pub(super) fn of_file(mut self, file: &Path) -> Self {
        let found = file
            .ancestors()
            .skip(1)
            .find(|dir| dir.join("main.rhai").is_file());
        if let (false, Some(found)) = (self.named, found) {
            found.clone_into(&mut self.project);
        }
        self
    }

    /// Opens the project on the store, for some addresses.
    pub(super) fn session(&self, names: &[String]) -> Result<Session, Fault> {
        Ok(Session::open_for(&self.project, self.store()?, names)?)
    }
}

/// What the environment says of whoever looks on: `$CI` as all services set it, and the locale by locale(7).
pub(super) fn viewer() -> Viewer {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable);
    let locale = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    Viewer {
        ci: variable("CI").is_some_and(|value| value != "false" && value != "0"),
        utf8: locale.contains("utf-8") || locale.contains("utf8"),
    }
}

/// What `--color` and the environment come to.
pub(super) fn colours(when: Option<When>) -> Colour {
    match when {
        Some(When::Always) => Colour::Always,
        Some(When::Never) => Colour::Never,
        Some(When::Auto) | None if variable("NO_COLOR").is_some() => Colour::Never,
        Some(When::Auto) | None => Colour::Auto,
    }
}

/// The directory upwards from here that holds a `main.rhai`, else this one.
pub(super) fn nearest_project() -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    let found = here.ancestors().find(|dir| dir.join("main.rhai").is_file());
    found.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Where the engines of this user see each other.
pub(super) fn load_dir() -> Option<PathBuf> {
    let path = |name| variable(name).map(PathBuf::from);
    path("XDG_RUNTIME_DIR")
        .map(|dir| dir.join("engine"))
        .or_else(|| Some(path("HOME")?.join(".cache/engine-running")))
}

fn store_dir() -> Option<PathBuf> {
    let path = |name| variable(name).map(PathBuf::from);
    path("ENGINE_STORE")
        .or_else(|| Some(path("XDG_CACHE_HOME")?.join("engine")))
        .or_else(|| Some(path("HOME")?.join(".cache/engine")))
}

/// A variable of the environment that is set to something.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that may read the environment"
)]
pub(super) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
