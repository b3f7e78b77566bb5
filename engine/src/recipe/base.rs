//! A Debian root filesystem, by `mmdebstrap` from exactly the pinned packages and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::EPOCH;
use super::step::PATH;
use super::step::file;
use super::step::input;
use super::step::read_log;
use crate::graph::Slot;
use crate::model::BaseOrigin;
use crate::sandbox::Bind;
use crate::sandbox::Emulator;
use crate::sandbox::Exit;
use crate::sandbox::Limits;
use crate::sandbox::Root;
use crate::sandbox::SandboxError;
use crate::sandbox::Spec;
use crate::sandbox::Stdio;
use crate::sandbox::User;
use crate::spec::BaseSpec;

const PROGRAM: &str = "mmdebstrap";
/// Where it sees the scratch directory: other ids than the engine's cannot go through a home to it.
const WORK: &str = "/tmp";
/// The pinned packages, below it.
const REPO: &str = "repo";
/// What is made, below it.
const TAR: &str = "base.tar";

impl Tools {
    /// Output `tar`: the root filesystem, byte-reproducible (fixed times, no caches, no logs).
    pub(super) fn base(&self, base: &BaseSpec, job: &Job) -> Result<Finished, Broken> {
        let origin = &base.origin;
        let BaseOrigin::Debian { suite, arch, .. } = origin;
        let work = self.store.work_dir("base")?;
        let repo = work.path().join(REPO);
        self.materialise(&input(job, Slot::Files)?, &repo)?;
        self.apt.index(&repo)?;
        // apt reads as an id of its own.
        for dir in [work.path(), &repo] {
            fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(file("open", dir))?;
        }
        let spec = spec(work.path(), origin, self.sandbox.emulator(arch)?);
        job.note(&format!("makes the {suite} root filesystem for {arch}"));
        let made = self.mmdebstrap(&spec, job);
        let tar = made.and_then(|()| Ok(self.store.put_file(&work.path().join(TAR))?));
        // What it left when it was stopped belongs to ids of the sandbox.
        let emptied = self.sandbox.remove(work.path());
        let tar = tar?;
        emptied.map_err(file("remove", work.path()))?;
        Ok(Finished::success(
            BTreeMap::from([("tar".to_owned(), tar)]),
            String::new(),
        ))
    }

    /// Runs it with its output in the node's log; its failure says nothing about definitions, so it
    /// is a fault of the environment.
    fn mmdebstrap(&self, spec: &Spec, job: &Job) -> Result<(), Broken> {
        let log = job
            .log
            .try_clone()
            .map_err(file("open", Path::new("log")))?;
        let exit = match self.sandbox.run(spec, Stdio::Log(log), &job.cancel) {
            Err(SandboxError::Step(step)) if step.is_not_found() => {
                return Err(Broken::Missing {
                    program: PROGRAM,
                    package: PROGRAM,
                });
            }
            exit => exit?,
        };
        let how = match exit {
            Exit::Code(0) => return Ok(()),
            Exit::Cancelled => return Err(Broken::Cancelled),
            Exit::Code(code) => format!("exit status {code}"),
            Exit::Signal(signal) => format!("signal {signal}"),
            Exit::TimedOut => "its time limit".to_owned(),
        };
        let log = read_log(&job.log);
        let line = log
            .lines()
            .rfind(|line| line.starts_with("E: "))
            .unwrap_or("see the log");
        Err(Broken::Infrastructure(format!(
            "`{PROGRAM}` ended with {how}: {line}"
        )))
    }
}

/// How `mmdebstrap` is run: as root of the ids of images, with the machine's own files, as what it
/// makes is put together from them.
fn spec(work: &Path, origin: &BaseOrigin, emulator: Option<Emulator>) -> Spec {
    let BaseOrigin::Debian {
        suite,
        arch,
        packages,
    } = origin;
    let mut argv = vec![
        PROGRAM.to_owned(),
        "--mode=root".to_owned(),
        "--variant=apt".to_owned(),
        "--format=tar".to_owned(),
        // The engine has seen to the emulator, and to the directory of the output.
        "--skip=check/empty,check/qemu".to_owned(),
        format!("--architectures={arch}"),
        "--customize-hook=rm -f \"$1\"/etc/apt/sources.list.d/*".to_owned(),
        "--customize-hook=: > \"$1\"/etc/apt/sources.list".to_owned(),
        "--customize-hook=rm -f \"$1\"/var/cache/ldconfig/aux-cache \"$1\"/etc/hostname \"$1\"/etc/resolv.conf"
            .to_owned(),
        suite.clone(),
        format!("{WORK}/{TAR}"),
        format!("deb [trusted=yes] copy:{WORK}/{REPO} ./"),
    ];
    if !packages.is_empty() {
        argv.insert(1, format!("--include={}", packages.join(",")));
    }
    let env = [
        ("PATH", PATH.to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("SOURCE_DATE_EPOCH", EPOCH.to_string()),
        ("TMPDIR", WORK.to_owned()),
    ];
    Spec {
        root: Root::Host,
        emulator,
        binds: vec![Bind {
            source: work.to_owned(),
            target: PathBuf::from(WORK),
            read_only: false,
        }],
        argv,
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        cwd: PathBuf::from("/"),
        user: User::Root,
        devices: Vec::new(),
        limits: Limits::default(),
        hostname: "engine".to_owned(),
        tmp_size: 0,
    }
}
