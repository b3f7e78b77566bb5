//! The helper process: enters a user namespace, then carries out one order.

use std::env;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;

use nix::sched::CloneFlags;
use nix::sched::unshare;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::Gid;
use nix::unistd::Uid;
use nix::unistd::setresgid;
use nix::unistd::setresuid;

use super::archive;
use super::binfmt;
use super::channel::Order;
use super::channel::Report;
use super::channel::receive;
use super::channel::send;
use super::error::Step;
use super::error::StepError;
use super::mounts;
use super::pid1;

/// The namespaces of a run, beside the user namespace.
const NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWNET);

/// The whole program when its first argument is `sandbox-init`.
///
/// Must be called before anything starts a thread: a process with several threads may not enter a
/// user namespace. Standard input is the socket to the engine.
pub fn init_main() -> ExitCode {
    let Ok(socket) = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
    else {
        return ExitCode::FAILURE;
    };
    let done = if env::args().nth(2).as_deref() == Some("pid1") {
        pid1::run(&socket)
    } else {
        run(&socket)
    };
    // A report that cannot be sent has no reader left.
    let sent = match done {
        Ok(report) => report.map_or(Ok(()), |report| send(&socket, &report)),
        Err(step) => send(&socket, &Report::Failed(step)),
    };
    if sent.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Carries out one order; gives the report still to be sent, if any.
fn run(socket: &UnixStream) -> Result<Option<Report>, StepError> {
    die_with_parent()?;
    unshare(CloneFlags::CLONE_NEWUSER).step(|| "enter a user namespace".to_owned())?;
    send(socket, &Report::Unshared).step(|| "reach the engine".to_owned())?;
    let order = receive(socket).step(|| "receive an order".to_owned())?;
    setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0))
        .and_then(|()| setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)))
        .step(|| "become root of the user namespace".to_owned())?;
    // Again: a change of credentials takes it away.
    die_with_parent()?;
    match order {
        Order::Probe { emulator } => {
            enter_namespaces()?;
            if let Some(emulator) = emulator {
                mounts::isolate()?;
                // `/proc` has no place for it where the kernel has yet to load its module.
                binfmt::register(&emulator, mounts::WORK, Path::new("/"))?;
            }
        }
        Order::Run => return start_pid1(),
        Order::Unpack {
            archive,
            dest,
            strip_top,
            owners,
        } => {
            archive::unpack(&archive, &dest, strip_top, owners)?;
        }
        Order::Remove { dir } => {
            fs::remove_dir_all(&dir).step(|| format!("remove `{}`", dir.display()))?;
        }
    }
    Ok(Some(Report::Done))
}

/// Starts pid 1, which inherits the socket, and waits: it ends last of all in its namespace.
fn start_pid1() -> Result<Option<Report>, StepError> {
    enter_namespaces()?;
    let status = Command::new("/proc/self/exe")
        .args(["sandbox-init", "pid1"])
        .status()
        .step(|| "start the sandbox's first process".to_owned())?;
    if status.success() {
        return Ok(None);
    }
    Err(io::Error::other(format!("it ended with {status}")))
        .step(|| "keep the sandbox's first process".to_owned())
}

fn enter_namespaces() -> Result<(), StepError> {
    unshare(NAMESPACES).step(|| "enter mount, UTS, IPC, PID and network namespaces".to_owned())
}

/// Asks for SIGKILL at the end of the thread that started this process.
pub(super) fn die_with_parent() -> Result<(), StepError> {
    prctl::set_pdeathsig(Signal::SIGKILL).step(|| "set the parent-death signal".to_owned())
}
