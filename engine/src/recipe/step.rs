//! A script run inside an image: the common part of the recipes that build something.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use store::Digest;
use store::Unpacked;
use store::WorkDir;

use super::Broken;
use super::Job;
use super::Tools;
use crate::buildlog::BuildLog;
use crate::buildlog::Evidence;
use crate::graph::Slot;
use crate::sandbox::Bind;
use crate::sandbox::Cancel;
use crate::sandbox::EPOCH;
use crate::sandbox::Emulator;
use crate::sandbox::Exit;
use crate::sandbox::Layers;
use crate::sandbox::Limits;
use crate::sandbox::PATH;
use crate::sandbox::Root;
use crate::sandbox::SandboxError;
use crate::sandbox::Spec;
use crate::sandbox::Stdio;
use crate::sandbox::User;
use crate::sandbox::used_up;

/// Where a step's output directory lies in the sandbox.
pub(super) const BUILD: &str = "/build";
/// Where the kernel source lies in the sandbox.
pub(super) const SRC: &str = "/src";
/// Where downloaded packages lie in the sandbox.
pub(super) const FILES: &str = "/files";

/// No step needs longer on any machine that is worth building on.
const WALL: Duration = Duration::from_hours(6);

/// Bound on what a step may change in an image; it is memory, taken only as it is used.
const TMP_SIZE: u64 = 8 << 30;

/// What the store's disk has free, in bytes, before a tarball is unpacked: else trees go that are not used.
const FREE: u64 = 6 << 30;

/// A script to run.
pub(super) struct Step<'a> {
    pub script: &'a str,
    pub env: BTreeMap<String, String>,
    pub user: User,
    pub binds: Vec<Bind>,
    /// Its `make` runs jobs beside each other, as many as there are CPU tokens.
    pub parallel: bool,
}

/// How a script ended; anything that says nothing about the input is an `Err(Broken)` instead.
pub(super) enum End {
    Success,
    /// A deterministic failure: the last telling line of the log.
    Failure(String),
}

impl Tools {
    /// The unpacked tree of an image blob.
    pub(super) fn image_tree(&self, job: &Job) -> Result<Unpacked, Broken> {
        self.tree(job, Slot::Image, false)
    }

    /// The unpacked tree of a slot's tarball.
    pub(super) fn tree(&self, job: &Job, slot: Slot, strip: bool) -> Result<Unpacked, Broken> {
        let digest = input(job, slot)?;
        self.unpacked(&digest, strip, &job.cancel, &|| {
            job.note(&format!("unpacks {} {}", slot.word(), digest.short()));
        })
    }

    /// A tarball of the store as a directory tree, unpacked once.
    pub fn unpacked(
        &self,
        digest: &Digest,
        strip_top: bool,
        cancel: &Cancel,
        first: &dyn Fn(),
    ) -> Result<Unpacked, Broken> {
        let archive = self.store.blob_path(digest);
        self.store.unpacked(digest, "unpack", |dest| {
            first();
            self.store
                .make_room(FREE, &|tree| self.sandbox.remove(tree))?;
            self.sandbox
                .unpack(&archive, dest, strip_top, cancel)
                .map_err(Broken::from)
        })
    }

    /// A scratch directory that a step's user may write.
    pub(super) fn build_dir(&self, label: &str) -> Result<WorkDir, Broken> {
        let work = self.store.work_dir(label)?;
        self.give_to_worker(work.path())?;
        Ok(work)
    }

    /// Makes a file or directory the sandbox user's own; nothing to do unless the engine is root.
    pub(super) fn give_to_worker(&self, path: &Path) -> Result<(), Broken> {
        let (uid, gid) = (self.sandbox.worker_uid(), self.sandbox.worker_gid());
        chown(path, Some(uid), Some(gid)).map_err(file("hand over", path))
    }

    /// Writes an input file of a step. What an earlier step left there is replaced, and no link of its is followed.
    pub(super) fn write(&self, path: &Path, text: impl AsRef<[u8]>) -> Result<(), Broken> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file("replace", path)(error));
            }
            _ => {}
        }
        let mut new = File::create_new(path).map_err(file("write", path))?;
        new.write_all(text.as_ref()).map_err(file("write", path))?;
        self.give_to_worker(path)
    }

    /// Whether there is room where a step works, and in the store.
    pub(super) fn room(&self, work: &Path) -> Result<(), Broken> {
        for path in [work, self.store.root()] {
            if let Some(why) = used_up(path) {
                let path = path.display().to_string();
                return Err(Broken::Full { path, why });
            }
        }
        Ok(())
    }

    /// Runs a script in an image with `build` writable at `/build`.
    pub(super) fn step(
        &self,
        job: &Job,
        image: &Path,
        build: &Path,
        step: &Step<'_>,
    ) -> Result<End, Broken> {
        let spec = self.sandboxed(image, build, step)?;
        self.run(job, build, &spec, step.parallel)
    }

    /// The sandbox a step runs in.
    pub(super) fn sandboxed(
        &self,
        image: &Path,
        build: &Path,
        step: &Step<'_>,
    ) -> Result<Spec, Broken> {
        self.sandboxed_on(image, &Layers::new(build.to_owned(), Vec::new()), step)
    }

    /// The same, with what lies below the directory of a build seen through it.
    pub(super) fn sandboxed_on(
        &self,
        image: &Path,
        build: &Layers,
        step: &Step<'_>,
    ) -> Result<Spec, Broken> {
        Ok(spec(image, build, step, self.sandbox.emulator_of(image)?))
    }

    /// Runs a command of a step, whose `make` may run jobs beside each other.
    pub(super) fn run(
        &self,
        job: &Job,
        build: &Path,
        spec: &Spec,
        parallel: bool,
    ) -> Result<End, Broken> {
        let begin = job.log.metadata().map_or(0, |log| log.len());
        let exit = self.exit(job, spec, parallel)?;
        self.ended(exit, build, || build_log(&job.log, begin))
    }

    /// Runs a command as [`Self::run`] does, and says only how it exited.
    pub(super) fn exit(&self, job: &Job, spec: &Spec, parallel: bool) -> Result<Exit, Broken> {
        let log = job
            .log
            .try_clone()
            .map_err(file("open", Path::new("log")))?;
        let jobserver = self.jobserver.as_ref().filter(|_| parallel);
        let stdio = Stdio::Log(log);
        Ok(self
            .sandbox
            .run_sharing(spec, stdio, &job.cancel, jobserver)?)
    }

    /// What an exit means, by the log of the step; that is asked for only where it matters.
    pub(super) fn ended<L: Borrow<BuildLog>>(
        &self,
        exit: Exit,
        build: &Path,
        log: impl FnOnce() -> L,
    ) -> Result<End, Broken> {
        match exit {
            Exit::Code(0) => Ok(End::Success),
            Exit::Code(code) => {
                let log = log();
                let log = log.borrow();
                self.room(build)?;
                let ended = match code {
                    137 | 143 => Some(Evidence::Broken(format!(
                        "a command ended with status {code}"
                    ))),
                    132 | 134..=136 | 139 => Some(Evidence::Doubtful(log.telling(code))),
                    _ => log.evidence(),
                };
                match ended {
                    Some(Evidence::Broken(line)) => Err(Broken::told(line, build)),
                    Some(Evidence::Doubtful(_)) => Err(Broken::Doubtful(log.telling(code))),
                    None => Ok(End::Failure(log.telling(code))),
                }
            }
            Exit::Signal(signal) => Err(Broken::Infrastructure(format!(
                "the step was killed by signal {signal}; the machine may be out of memory"
            ))),
            Exit::TimedOut => Err(Broken::Infrastructure(
                "the step ran into its time limit".into(),
            )),
            Exit::Cancelled => Err(Broken::Cancelled),
        }
    }
}

/// The sandbox a step runs in.
pub(super) fn spec(
    image: &Path,
    layers: &Layers,
    step: &Step<'_>,
    emulator: Option<Emulator>,
) -> Spec {
    let mut env = BTreeMap::from(
        [
            ("PATH", PATH),
            ("HOME", BUILD),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
            ("KBUILD_BUILD_USER", "buildbot"),
            ("KBUILD_BUILD_HOST", "engine"),
            ("KBUILD_BUILD_VERSION", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    env.insert("SOURCE_DATE_EPOCH".to_owned(), EPOCH.to_string());
    env.insert("KBUILD_BUILD_TIMESTAMP".to_owned(), format!("@{EPOCH}"));
    env.extend(step.env.clone());
    let mut binds = step.binds.clone();
    let alone = layers.lowers().is_empty();
    if alone {
        binds.push(bind(layers.upper(), BUILD, false));
    }
    Spec {
        root: Root::Image(image.to_owned()),
        emulator,
        binds,
        argv: ["/bin/sh", "-euc", step.script].map(str::to_owned).to_vec(),
        env,
        cwd: PathBuf::from(BUILD),
        user: step.user,
        devices: Vec::new(),
        limits: Limits {
            wall: Some(WALL),
            ..Limits::default()
        },
        hostname: "engine".to_owned(),
        layers: (!alone).then(|| (layers.clone(), PathBuf::from(BUILD))),
        tmp_size: TMP_SIZE,
    }
}

pub(super) fn bind(source: &Path, target: &str, read_only: bool) -> Bind {
    Bind {
        source: source.to_owned(),
        target: PathBuf::from(target),
        read_only,
    }
}

/// A file that a step left at a path below its directory; nothing where there is none. What a link leads to outside is none: the host
/// would read it for whoever wrote the step.
pub(super) fn left(build: &Path, path: &str) -> Option<PathBuf> {
    let build = fs::canonicalize(build).ok()?;
    let file = fs::canonicalize(build.join(path)).ok()?;
    (file.starts_with(&build) && file.is_file()).then_some(file)
}

pub(super) fn input(job: &Job, slot: Slot) -> Result<Digest, Broken> {
    job.inputs
        .get(&slot)
        .copied()
        .ok_or(Broken::Unresolved(slot.word()))
}

pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Broken {
    let path = path.display().to_string();
    move |source| Broken::File {
        action,
        path,
        source,
    }
}

/// Tells an archive that is damaged, which is the fault of whoever gave it, from what the machine could not do.
pub(super) fn archived<T>(
    what: &str,
    unpacked: Result<T, Broken>,
) -> Result<Result<T, String>, Broken> {
    match unpacked {
        Ok(unpacked) => Ok(Ok(unpacked)),
        Err(Broken::Sandbox(SandboxError::Step(step))) if step.is_content() => {
            let reason = &step.reason;
            Ok(Err(format!("the {what} cannot be unpacked: {reason}")))
        }
        Err(error) => Err(error),
    }
}

/// The one file in a directory whose name is such.
pub(super) fn only_file(dir: &Path, such: impl Fn(&str) -> bool) -> Result<PathBuf, Broken> {
    let entries = fs::read_dir(dir).map_err(file("read", dir))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found =
        paths.filter(|path| such(&path.file_name().unwrap_or_default().to_string_lossy()));
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        _ => Err(Broken::Infrastructure(format!(
            "`{}` holds not exactly one file that is wanted",
            dir.display()
        ))),
    }
}

/// What a log tells from an offset on; what cannot be read tells nothing.
pub(super) fn build_log(log: &File, begin: u64) -> BuildLog {
    let mut read = BuildLog::default();
    let mut buffer = vec![0; 1 << 16];
    let mut at = begin;
    while let Ok(count @ 1..) = log.read_at(&mut buffer, at) {
        at += count as u64;
        read.push(&buffer[..count]);
    }
    read.end();
    read
}

/// The whole log so far; what cannot be read reads as empty.
pub(super) fn read_log(log: &File) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut log) = log.try_clone()
        && log.seek(SeekFrom::Start(0)).is_ok()
    {
        let _ = log.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
