//! `engine realize`: make what is wanted.

use std::env;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use store::OutcomeVerdict;

use super::complete::addresses;
use super::context::AtLab;
use super::context::Context;
use super::context::Patience;
use super::context::load_dir;
use super::context::variable;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::LabOptions;
use crate::drive::Realised;
use crate::drive::RunOptions;
use crate::drive::Session;
use crate::machine::hostname;
use crate::machine::memory_mib;
use crate::origins::Network;
use crate::realise::RunReport;
use crate::recipe::Neighbours;
use crate::report;
use crate::spec::Kind;
use crate::terminal::Format;
use crate::terminal::Level;
use crate::text::counted;
use crate::text::size;

const AFTER: &str = "\
What is in the store already is not made again. Failures that would repeat themselves are results
too: `--retry-failed` runs them again. Faults of the machine are tried again by every run.

Examples:
  engine realize                             everything that runs by default
  engine realize 'linux-6.1/*/*/clang'       all builds of one compiler, and their boots
  engine realize --until kernel -k           kernels only, as many as possible
  engine realize --rebuild kernel:linux-6.1/x86_64/tinyconfig/gcc   compare the bytes";

/// What to realise, and how far.
#[derive(Debug, Default, Args)]
pub(super) struct Wanted {
    /// Addresses, with `*` and `**` [default: everything that runs by default]
    #[arg(value_name = "ADDRESS", add = addresses())]
    pub addresses: Vec<String>,
    /// Stop after this kind of node
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    pub until: Option<Kind>,
    /// Run recorded failures again
    #[arg(long)]
    pub retry_failed: bool,
    #[command(flatten)]
    pub means: Means,
    #[command(flatten)]
    pub lab: AtLab,
}

/// What a run may take.
#[derive(Debug, Default, Args)]
pub(super) struct Means {
    /// What may run at once, in CPUs [default: all there are]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Memory that all that runs may need, in MiB [default: the machine's]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    memory: Option<u64>,
    #[command(flatten)]
    patience: Patience,
    /// Ask nothing of any server: what the store lacks is broken
    #[arg(long)]
    offline: bool,
}

/// Build, boot and test what is wanted and not there yet
#[derive(Debug, Default, Args)]
#[command(after_help = AFTER)]
#[expect(clippy::struct_excessive_bools, reason = "options of a command line")]
pub(super) struct RealizeArgs {
    #[command(flatten)]
    pub wanted: Wanted,
    /// Go on with what does not depend on a failed node
    #[arg(short, long)]
    keep_going: bool,
    /// Submit jobs to LAVA labs and leave their results to `engine labs gather`
    #[arg(long, conflicts_with = "rebuild")]
    submit_only: bool,
    /// Start kernels from the objects of earlier ones, and keep theirs
    #[arg(long, conflicts_with = "rebuild")]
    incremental: bool,
    /// Run the named nodes again and compare the bytes with the recorded ones
    #[arg(long, requires = "addresses")]
    rebuild: bool,
    /// Only say what would run, as `engine plan` does
    #[arg(long, conflicts_with_all = ["rebuild", "junit", "json"])]
    dry_run: bool,
    /// Also write the run as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write events as JSON lines to standard output, and nothing else
    #[arg(long)]
    json: bool,
    /// Where the links to results go [default: `results` in the project]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
}

fn kinds() -> impl clap::builder::TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::word))
        .try_map(|word| Kind::of_word(&word).ok_or("no such kind"))
}

impl Means {
    /// The options of a run of everything with these, with results in the project unless elsewhere.
    pub(super) fn options(&self, session: &Session, results: Option<&Path>) -> RunOptions {
        let cpus = || available_parallelism().map_or(1, usize::from);
        let arguments: Vec<String> = env::args_os()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        RunOptions {
            patterns: Vec::new(),
            until: None,
            jobs: self.jobs.map_or_else(cpus, usize::from),
            memory_mib: self.memory.unwrap_or_else(memory_mib),
            load: load_dir(),
            network: Network {
                patience: self.patience.duration(),
                offline: self.offline,
            },
            keep_going: false,
            retry_failed: false,
            rebuild: false,
            neighbours: None,
            labs: LabOptions {
                submit_only: false,
                environment: variable,
            },
            results: results.map_or_else(|| session.project.join("results"), Path::to_owned),
            command: arguments.join(" "),
        }
    }
}

impl Wanted {
    /// The options of a run for this, with results in the project unless elsewhere.
    pub(super) fn options(&self, session: &Session, results: Option<&Path>) -> RunOptions {
        RunOptions {
            patterns: self.addresses.clone(),
            until: self.until,
            retry_failed: self.retry_failed,
            ..self.means.options(session, results)
        }
    }
}

pub(super) fn run(context: &Context, args: &RealizeArgs) -> Result<Ending, Fault> {
    if args.dry_run {
        return super::plan::show(context, &args.wanted, false, false);
    }
    realise(context, args, args.wanted.addresses.clone())
}

/// Realises addresses as the options say.
pub(super) fn realise(
    context: &Context,
    args: &RealizeArgs,
    addresses: Vec<String>,
) -> Result<Ending, Fault> {
    let session = args.wanted.lab.session(context, &addresses)?;
    let mut options = args.wanted.options(&session, args.results.as_deref());
    options.patterns = addresses;
    options.labs.submit_only = args.submit_only;
    options.keep_going = args.keep_going;
    options.rebuild = args.rebuild;
    options.neighbours = args.incremental.then(Neighbours::default);
    let format = if args.json {
        Format::Json
    } else {
        Format::Text
    };
    context.say_left_out(&session, &options.patterns, options.until)?;
    // What cannot be written is better known before an hour of work.
    let junit = args.junit.as_deref().map(Output::open).transpose()?;
    let Realised { report: run, kept } =
        session.realise(&options, &*context.terminal.observer(format))?;
    let ending = ending(&run, args.submit_only);
    let told = if args.json {
        Ok(())
    } else {
        conclude(context, &session, &options, &run, ending)
    };
    if let Some(file) = junit {
        file.write(&report::junit(&run, &session.booted_by(&run), &hostname())?)?;
    }
    told?;
    kept?;
    if args.submit_only
        && run
            .nodes
            .iter()
            .any(|node| node.verdict == OutcomeVerdict::Skipped)
    {
        let terminal = &context.terminal;
        terminal.say("`engine labs gather` takes what comes of the jobs");
    }
    if ending == Ending::Good {
        let session = if run.is_cached() {
            session
        } else {
            args.wanted.lab.session(context, &options.patterns)?
        };
        session.matched(&options.patterns, options.until)?;
    }
    Ok(ending)
}

/// A file that a run is written to at its end.
struct Output<'p> {
    file: File,
    path: &'p Path,
}

impl<'p> Output<'p> {
    /// Opens it; what is in it stays until the end.
    fn open(path: &'p Path) -> Result<Self, Fault> {
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(false);
        let file = options.open(path).map_err(Fault::file("write", path))?;
        Ok(Self { file, path })
    }

    fn write(mut self, text: &str) -> Result<(), Fault> {
        let is_file = self.file.metadata().is_ok_and(|facts| facts.is_file());
        let emptied = if is_file {
            self.file.set_len(0)
        } else {
            Ok(())
        };
        emptied
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(Fault::file("write", self.path))
    }
}

/// Says how it ended: one line where there was nothing to do.
fn conclude(
    context: &Context,
    session: &Session,
    options: &RunOptions,
    run: &RunReport,
    ending: Ending,
) -> Result<(), Fault> {
    let terminal = &context.terminal;
    if ending == Ending::Good {
        if run.is_cached() {
            let nodes = counted(run.nodes.len(), "node", "nodes");
            terminal.say(&format!("nothing to do: {nodes} fresh"));
            return Ok(());
        }
        if terminal.level() == Level::Quiet {
            return Ok(());
        }
    }
    let paint = |verdict, word: &str| terminal.painted(verdict, word);
    terminal.data(report::summary(run, &paint))?;
    terminal.say(&format!("results: {}", options.results.display()));
    if run.interrupted {
        // Whoever waits for the end does not wait for a look at every file.
        return Ok(());
    }
    let held: u64 = session
        .store
        .disk_usage()
        .iter()
        .map(|(_, usage)| usage.bytes)
        .sum();
    terminal.say(&format!(
        "store: {}, {}",
        session.store.root().display(),
        size(held)
    ));
    Ok(())
}

/// How a run ended: a failure outweighs what could not be done. With `submit_only` what was left is as it should be.
pub(super) fn ending(run: &RunReport, submit_only: bool) -> Ending {
    let any = |verdict| run.nodes.iter().any(|node| node.verdict == verdict);
    if any(OutcomeVerdict::Failed) {
        Ending::Failed
    } else if run.interrupted || any(OutcomeVerdict::Broken) {
        Ending::Undone
    } else if any(OutcomeVerdict::Skipped) && !submit_only {
        Ending::Failed
    } else {
        Ending::Good
    }
}
