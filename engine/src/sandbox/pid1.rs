//! The sandbox's first process: sets the scene, starts the command, reaps, tells the end.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use nix::sched::CloneFlags;
use nix::sched::unshare;
use nix::sys::prctl;
use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;
use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::sys::wait::WaitPidFlag;
use nix::sys::wait::WaitStatus;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use nix::unistd::setgroups;
use nix::unistd::sethostname;
use nix::unistd::setsid;
use nix::unistd::tcsetpgrp;

use super::channel::Job;
use super::channel::Report;
use super::channel::receive;
use super::error::Step;
use super::error::StepError;
use super::helper::die_with_parent;
use super::mounts;
use super::spec::Exit;
use super::spec::Limits;
use super::spec::User;

/// Runs the job that comes over `socket`. When this process ends, so does all of its namespace.
pub(super) fn run(socket: &UnixStream) -> Result<Option<Report>, StepError> {
    die_with_parent()?;
    let job: Job = receive(socket).step(|| "receive a job".to_owned())?;
    let spec = &job.spec;
    // No controlling terminal means nothing to read, as in a log run.
    let terminal = if job.terminal { open_terminal() } else { None };
    mounts::enter(spec)?;
    sethostname(&spec.hostname).step(|| format!("set the host name `{}`", spec.hostname))?;
    if !job.terminal {
        setsid().step(|| "leave the terminal".to_owned())?;
    }
    if job.nested {
        become_worker(job.worker)?;
    } else if spec.devices.is_empty() {
        // A device may be for a group that the worker is in.
        setgroups(&[]).step(|| "drop supplementary groups".to_owned())?;
    }
    limit(&spec.limits)?;
    // Image making needs programs that change their id; a worker's command does not.
    if spec.user == User::Worker {
        prctl::set_no_new_privs().step(|| "set no_new_privs".to_owned())?;
    }
    die_with_parent()?;
    watch(socket)?;
    let command = start(&job, terminal.as_ref())?;
    reap(command, terminal.is_some()).map(|exit| Some(Report::Ended(exit)))
}

fn open_terminal() -> Option<File> {
    File::options().read(true).write(true).open("/dev/tty").ok()
}

/// Enters one more user namespace, in which the only id is the worker's.
fn become_worker((uid, gid): (u32, u32)) -> Result<(), StepError> {
    unshare(CloneFlags::CLONE_NEWUSER).step(|| "enter the worker's user namespace".to_owned())?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{uid} 0 1")),
        ("gid_map", format!("{gid} 0 1")),
    ] {
        let path = format!("/proc/self/{file}");
        fs::write(&path, &text).step(|| format!("write `{text}` to `{path}`"))?;
    }
    Ok(())
}

fn limit(limits: &Limits) -> Result<(), StepError> {
    for (resource, wanted) in [
        (Resource::RLIMIT_CORE, Some(0)),
        (Resource::RLIMIT_NOFILE, limits.nofile),
        (Resource::RLIMIT_FSIZE, limits.file_size),
        (Resource::RLIMIT_NPROC, limits.processes),
    ] {
        let Some(wanted) = wanted else { continue };
        let step = || format!("limit {resource:?} to {wanted}");
        let (_, hard) = getrlimit(resource).step(step)?;
        let most = wanted.min(hard);
        setrlimit(resource, most, most).step(step)?;
    }
    Ok(())
}

/// Ends this process when the engine closes the socket, or is gone.
fn watch(socket: &UnixStream) -> Result<(), StepError> {
    let step = || "watch the engine".to_owned();
    let mut socket = socket.try_clone().step(step)?;
    let watcher = thread::Builder::new().spawn(move || {
        // Nothing more is ever sent.
        let _end = socket.read(&mut [0]);
        #[expect(
            clippy::exit,
            reason = "ends the namespace, whatever the other thread does"
        )]
        std::process::exit(1);
    });
    watcher.map(drop).step(step)
}

fn start(job: &Job, terminal: Option<&File>) -> Result<Pid, StepError> {
    let spec = &job.spec;
    let cwd = spec.cwd.display();
    if !fs::metadata(&spec.cwd)
        .step(|| format!("enter `{cwd}`"))?
        .is_dir()
    {
        return Err(io::Error::other("it is no directory")).step(|| format!("enter `{cwd}`"));
    }
    let Some((program, arguments)) = spec.argv.split_first() else {
        return Err(io::Error::other("it is empty")).step(|| "run the command".to_owned());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(&spec.env)
        .current_dir(&spec.cwd);
    if spec.user == User::Worker && !job.nested {
        command.uid(job.worker.0).gid(job.worker.1);
    }
    match terminal {
        Some(terminal) => {
            let input = terminal
                .try_clone()
                .step(|| "open the terminal".to_owned())?;
            command.stdin(input).process_group(0);
        }
        None => {
            command.stdin(Stdio::null());
        }
    }
    let child = command
        .spawn()
        .step(|| format!("run `{program}` in `{cwd}`"))?;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    if let Some(terminal) = terminal {
        tcsetpgrp(terminal, pid).step(|| "give the terminal to the command".to_owned())?;
        wake(pid);
    }
    Ok(pid)
}

/// Continues a command that touched the terminal before it was its foreground job.
fn wake(command: Pid) {
    // It may have ended already.
    let _gone = killpg(command, Signal::SIGCONT);
}

/// Waits for everything that ends in the namespace, until the command itself does.
fn reap(command: Pid, terminal: bool) -> Result<Exit, StepError> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == command => return Ok(Exit::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => {
                return Ok(Exit::Signal(signal as i32));
            }
            // Nobody could continue it: the shell that sees the engine's own stop is outside.
            Ok(WaitStatus::Stopped(pid, _)) if pid == command && terminal => wake(command),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).step(|| "wait for the command".to_owned()),
        }
    }
}
