//! A Debian root filesystem, by `mmdebstrap` from exactly the pinned packages and nothing else.
//!
//! The program is the host's. It unpacks the packages and runs their own scripts, so what it gives depends on them; its version is in no
//! key, and a rebuild shows it if that ever fails to hold. It sees the machine's files, as it is made of several programs and Perl
//! modules, and can write none of them.

use std::fs;
use std::fs::Permissions;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use super::apt::Apt;
use crate::model::BaseOrigin;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::error::file;
use crate::sandbox::Bind;
use crate::sandbox::EPOCH;
use crate::sandbox::Emulator;
use crate::sandbox::Exit;
use crate::sandbox::Limits;
use crate::sandbox::PATH;
use crate::sandbox::Root;
use crate::sandbox::Sandbox;
use crate::sandbox::SandboxError;
use crate::sandbox::Spec;
use crate::sandbox::Stdio;
use crate::sandbox::User;

const PROGRAM: &str = "mmdebstrap";
/// Where it sees the scratch directory: other ids than the engine's cannot go through a home to it.
const WORK: &str = "/tmp";
/// The pinned packages, below it.
const REPO: &str = "files";
/// What is made, below it.
const TAR: &str = "tar";

/// Makes `work`/`tar` from `work`/`files`.
pub(super) fn base(
    origin: &BaseOrigin,
    work: &Path,
    sandbox: &Sandbox,
    emulator: Option<Emulator>,
    means: &Means<'_>,
) -> Result<(), OriginError> {
    let repo = work.join(REPO);
    Apt::new(means).index(&repo)?;
    // apt reads as an id of its own.
    for dir in [work, &repo] {
        fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(file("open", dir))?;
    }
    let path = Path::new("log");
    let mut log = means.log.try_clone().map_err(file("open", path))?;
    let output = Stdio::Log(log.try_clone().map_err(file("open", path))?);
    let Some(spec) = spec(work, origin, emulator) else {
        return Err(OriginError::Content("it is no base of Debian's".to_owned()));
    };
    let exit = match sandbox.run(&spec, output, means.cancel) {
        Err(SandboxError::Step(step)) if step.is_not_found() => {
            return Err(OriginError::Missing {
                program: PROGRAM,
                package: PROGRAM,
            });
        }
        exit => exit?,
    };
    let how = match exit {
        Exit::Code(0) => return Ok(()),
        Exit::Cancelled => return Err(OriginError::Cancelled),
        Exit::Code(code) => format!("exit status {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::TimedOut => "its time limit".to_owned(),
    };
    let mut text = Vec::new();
    let _ = log.seek(SeekFrom::Start(0));
    let _ = log.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rfind(|line| line.starts_with("E: "));
    Err(OriginError::Failed {
        command: PROGRAM,
        message: format!("{how}: {}", line.unwrap_or("see the log")),
    })
}

/// How `mmdebstrap` is run: as root of the ids of images, with the machine's own files, as what it
/// makes is put together from them.
fn spec(work: &Path, origin: &BaseOrigin, emulator: Option<Emulator>) -> Option<Spec> {
    let BaseOrigin::Debian {
        suite,
        arch,
        packages,
    } = origin
    else {
        return None;
    };
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
    Some(Spec {
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
        layers: None,
        tmp_size: 0,
    })
}
