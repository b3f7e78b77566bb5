//! The store's bare repository, and git on it.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use url::Url;

use super::error::refusal;
use super::words::is_here;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::error::file;
use crate::origins::program::Said;
use crate::origins::program::run;
use crate::origins::program::watched;

/// Where it lies below the store's root. Sources of one history share their objects in it.
const PLACE: &str = "volumes/git";
/// What commits that were fetched whole are called in it, before their id.
const FETCHED: &str = "refs/engine/";
/// Between two looks at whether another engine is done with it.
const TICK: Duration = Duration::from_millis(50);

/// Options that leave git nothing to run, to ask or to tidy up. What a user set for the way to servers stays.
const OPTIONS: &[&str] = &[
    "advice.detachedHead=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "fetch.fsckObjects=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "protocol.git.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "submodule.recurse=false",
];

/// Variables that would point git somewhere else.
const POINTERS: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PROTOCOL_FROM_USER",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// The repository, held by this engine alone.
pub(super) struct Repository<'a> {
    pub means: &'a Means<'a>,
    dir: PathBuf,
    _lock: File,
}

impl<'a> Repository<'a> {
    /// Opens it, making it where there is none; waits while another engine has it.
    pub(super) fn open(means: &'a Means<'a>) -> Result<Self, OriginError> {
        let dir = means.store.root().join(PLACE);
        let above = dir.parent().unwrap_or(&dir);
        fs::create_dir_all(above).map_err(file("make", above))?;
        let repository = Self {
            means,
            _lock: locked(&dir.with_extension("lock"), means)?,
            dir,
        };
        if !repository.dir.join("HEAD").is_file() {
            // A file that is written last says that it is whole.
            let _ = fs::remove_dir_all(&repository.dir);
            let mut command = repository.git(false);
            command.args(["init", "--quiet", "--bare", "--template="]);
            repository.said(command, "git init")?;
        }
        Ok(repository)
    }

    /// Git on this repository. `here` is whether a server of this machine is asked, for which `http://` is enough.
    pub(super) fn git(&self, here: bool) -> Command {
        let mut command = Command::new("git");
        for name in POINTERS {
            command.env_remove(name);
        }
        command
            .env("GIT_DIR", &self.dir)
            .env("GIT_DEFAULT_HASH", "sha1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ATTR_NOSYSTEM", "1")
            // ssh asks nothing of a terminal then.
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SSH_ASKPASS", "false")
            .env("GIT_ASKPASS", "");
        for option in OPTIONS {
            command.args(["-c", option]);
        }
        if here {
            command.args(["-c", "protocol.http.allow=always"]);
        }
        let secs = self.means.network.patience.as_secs().max(1);
        command.args(["-c", "http.lowSpeedLimit=1", "-c"]);
        command.arg(format!("http.lowSpeedTime={secs}"));
        command
    }

    /// Git, about to ask a server.
    pub(super) fn asking(&self, url: &str) -> Command {
        self.git(Url::parse(url).is_ok_and(|url| is_here(&url)))
    }

    /// Runs git to its end, or until it has said nothing for as long as the user's patience lasts.
    pub(super) fn run(&self, command: Command) -> Result<Result<Said, Said>, OriginError> {
        let patience = self.means.network.patience;
        let mut last = String::new();
        watched(command, "git", "git", self.means.cancel, |line, silent| {
            if line != last {
                if let Some(bytes) = received(line) {
                    (self.means.progress)(bytes, None);
                }
                line.clone_into(&mut last);
            }
            silent < patience
        })
    }

    /// What a server answers, or why it gave nothing; `commit` is what it was asked for.
    pub(super) fn answer(
        &self,
        command: Command,
        url: &str,
        commit: Option<&str>,
    ) -> Result<Said, OriginError> {
        match self.run(command)? {
            Ok(said) if said.status.success() => Ok(said),
            Ok(said) => Err(refusal(url, commit, &said, None)),
            Err(said) => {
                let patience = self.means.network.patience.as_secs();
                Err(refusal(url, commit, &said, Some(patience)))
            }
        }
    }

    /// The standard output of a command that works on what is here.
    pub(super) fn said(&self, command: Command, name: &'static str) -> Result<String, OriginError> {
        run(command, "git", "git", self.means.cancel)?.output(name)
    }

    /// The files of a tree: a line each, ended by NUL, of mode, kind, id, and behind a tab the path.
    pub(super) fn listing(&self, tree: &str) -> Result<String, OriginError> {
        let mut command = self.git(false);
        command.args([
            "ls-tree",
            "-r",
            "-z",
            "--full-tree",
            "--end-of-options",
            tree,
        ]);
        self.said(command, "git ls-tree")
    }

    /// The tree of a commit that was fetched whole.
    pub(super) fn tree(&self, commit: &str) -> Result<Option<String>, OriginError> {
        let mut command = self.git(false);
        let tree = format!("{}^{{tree}}", fetched(commit));
        command.args(["rev-parse", "--quiet", "--verify", "--end-of-options"]);
        command.arg(tree);
        let said = run(command, "git", "git", self.means.cancel)?;
        Ok(said.status.success().then(|| said.out.trim().to_owned()))
    }

    /// Commits whose parents are not here.
    pub(super) fn shallow(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.dir.join("shallow")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// What a commit that was fetched whole is called here.
pub(super) fn fetched(commit: &str) -> String {
    format!("{FETCHED}{commit}")
}

fn locked(path: &std::path::Path, means: &Means<'_>) -> Result<File, OriginError> {
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(file("open", path))?;
    let mut waited = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(file("lock", path)(error)),
        }
        if !waited {
            waited = true;
            (means.note)("waits: another one uses the store's git repository");
        }
        if means.cancel.is_cancelled() {
            return Err(OriginError::Cancelled);
        }
        thread::sleep(TICK);
    }
}

/// The bytes that a line of git's progress tells: `Receiving objects:  45% (1/2), 12.34 MiB | 3.00 MiB/s`.
fn received(line: &str) -> Option<u64> {
    let amount = line
        .strip_prefix("Receiving objects:")?
        .split(", ")
        .nth(1)?;
    let mut words = amount.split_whitespace();
    let number = words.next()?;
    let unit: u64 = match words.next()? {
        "bytes" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let hundredths: u64 = format!("{part:0<2}").get(..2)?.parse().ok()?;
    Some(whole.parse::<u64>().ok()?.checked_mul(unit)? + hundredths * unit / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read() {
        let line = "Receiving objects:  45% (36/80), 12.50 MiB | 3.00 MiB/s";
        assert_eq!(received(line), Some((12 << 20) + (1 << 19)));
        assert_eq!(
            received("Receiving objects: 100% (3/3), 230 bytes | 230.00 KiB/s, done."),
            Some(230)
        );
        assert_eq!(received("Receiving objects:  45% (36/80)"), None);
        assert_eq!(received("Resolving deltas: 100% (1/1), done."), None);
    }
}
