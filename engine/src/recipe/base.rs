//! A Debian root filesystem, by `mmdebstrap` from exactly the pinned packages and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use super::Broken;
use super::Finished;
use super::Job;
use super::Recipes;
use super::step::EPOCH;
use super::step::file;
use super::step::input;
use crate::graph::Slot;
use crate::model::BaseOrigin;
use crate::sandbox::Mapping;

/// How often a running host program is looked at.
const POLL: Duration = Duration::from_millis(50);

impl Recipes {
    /// Output `tar`: the root filesystem, byte-reproducible (fixed times, no caches, no logs).
    pub(super) fn base(&self, job: &Job<'_>) -> Result<Finished, Broken> {
        let base = self.catalog.bases.get(job.name);
        let base = base.ok_or_else(|| Broken::Unresolved(job.name.to_owned()))?;
        let BaseOrigin::Debian {
            suite,
            arch,
            packages,
        } = &base.origin;
        // A world-readable place: an ordinary user's mmdebstrap reads it under other uids.
        let work = tempfile::Builder::new()
            .prefix("engine-base-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .map_err(file("make", Path::new("a temporary directory")))?;
        let repo = work.path().join("repo");
        self.tools.materialise(&input(job, Slot::Files)?, &repo)?;
        self.tools.apt.index(&repo)?;
        let out = work.path().join("base.tar");
        let mut command = Command::new("mmdebstrap");
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
            .env("TMPDIR", work.path())
            .arg(if *self.tools.sandbox.mapping() == Mapping::Identity { "--mode=root" } else { "--mode=unshare" })
            .args(["--variant=apt", "--format=tar", "--skip=check/empty"])
            .arg(format!("--architectures={arch}"))
            .arg(format!("--include={}", packages.join(",")))
            .arg("--customize-hook=rm -f \"$1\"/etc/apt/sources.list.d/*")
            .arg("--customize-hook=: > \"$1\"/etc/apt/sources.list")
            .arg("--customize-hook=rm -f \"$1\"/var/cache/ldconfig/aux-cache \"$1\"/etc/hostname \"$1\"/etc/resolv.conf")
            .arg(suite)
            .arg(&out)
            .arg(format!("deb [trusted=yes] copy:{} ./", repo.display()));
        (job.note)(&format!("makes the {suite} root filesystem for {arch}"));
        run(command, "mmdebstrap", job)?;
        let tar = self.tools.store.put_file(&out)?;
        Ok(Finished::success(
            BTreeMap::from([("tar".to_owned(), tar)]),
            String::new(),
        ))
    }
}

/// Runs a program of the host with its output in the node's log; its failure says nothing about
/// definitions, so it is a fault of the environment.
fn run(mut command: Command, program: &'static str, job: &Job<'_>) -> Result<(), Broken> {
    let log = || job.log.try_clone().map_err(file("open", Path::new("log")));
    command.stdin(Stdio::null()).stdout(log()?).stderr(log()?);
    let mut child = command.spawn().map_err(|_| Broken::Missing {
        program,
        package: program,
    })?;
    loop {
        let ended = child
            .try_wait()
            .map_err(file("wait for", Path::new(program)))?;
        if let Some(status) = ended {
            if status.success() {
                return Ok(());
            }
            let log = super::step::read_log(job.log);
            let line = log
                .lines()
                .rfind(|line| line.starts_with("E: "))
                .unwrap_or("see the log");
            return Err(Broken::Infrastructure(format!(
                "`{program}` ended with {status}: {line}"
            )));
        }
        if job.cancel.is_cancelled() {
            // mmdebstrap tidies up its mounts on SIGTERM.
            let pid = child.id().to_string();
            let _ = Command::new("kill").args(["-TERM", &pid]).status();
            let _ = child.wait();
            return Err(Broken::Cancelled);
        }
        std::thread::sleep(POLL);
    }
}
