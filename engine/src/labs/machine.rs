//! A machine's program as a child that can not outlive the engine.

use std::ffi::OsString;
use std::io;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;

use crate::console::End;

/// Sets the parent-death signal and executes its arguments. The alternative is code between
/// `fork` and `exec`, which Rust calls unsafe. Part of util-linux; where it is missing (busybox),
/// a machine outlives an engine that is killed by SIGKILL, and nothing else is lost.
const SETPRIV: &str = "/usr/bin/setpriv";
/// What `setpriv`, like a shell, exits with when there is no such program.
const NO_SUCH_PROGRAM: i32 = 127;

/// How long the last output of a killed machine is waited for.
const DRAIN: Duration = Duration::from_millis(500);
/// More than the channel and both pipes can hold.
const MAX_DRAIN: usize = 256;

/// Something a running machine did.
pub(super) enum Event {
    /// It printed on its console.
    Console(Vec<u8>),
    /// Its program complained on stderr.
    Remark(Vec<u8>),
}

/// A running machine, in its own process group; killed on drop.
#[derive(Debug)]
pub(super) struct Machine {
    child: Child,
    events: Receiver<Event>,
    killed: bool,
}

impl Machine {
    /// Starts `argv`, the program first.
    ///
    /// The kernel sends the parent-death signal when the *thread* that started the child ends, so
    /// the machine must be watched by the thread that starts it.
    pub(super) fn start(argv: &[OsString]) -> io::Result<Self> {
        let (program, arguments) = argv
            .split_first()
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut command = if Path::new(SETPRIV).exists() {
            let mut setpriv = Command::new(SETPRIV);
            setpriv.args(["--pdeathsig", "KILL", "--"]).arg(program);
            setpriv
        } else {
            Command::new(program)
        };
        let mut child = command
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Bounded: a machine that prints faster than the log takes it has to wait.
        let (sender, events) = mpsc::sync_channel(64);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let machine = Self {
            child,
            events,
            killed: false,
        };
        forward(stdout, sender.clone(), Event::Console)?;
        forward(stderr, sender, Event::Remark)?;
        Ok(machine)
    }

    /// Waits at most `limit` for an event.
    pub(super) fn event(&self, limit: Duration) -> Option<Event> {
        match self.events.recv_timeout(limit) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // Both pipes are closed, and the program is about to end.
                thread::sleep(limit);
                None
            }
        }
    }

    /// How the program ended, if it did.
    pub(super) fn ended(&mut self) -> io::Result<Option<End>> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(None);
        };
        if status.code() == Some(NO_SUCH_PROGRAM) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Some(end(status)))
    }

    /// Kills the whole process group and gives the events that were still under way.
    pub(super) fn kill(mut self) -> Vec<Event> {
        self.kill_group();
        // A process that left the group may hold the pipes open: not waited for.
        std::iter::from_fn(|| self.events.recv_timeout(DRAIN).ok())
            .take(MAX_DRAIN)
            .collect()
    }

    fn kill_group(&mut self) {
        if self.killed {
            return;
        }
        self.killed = true;
        // A group that is gone already is what we want.
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill_group();
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, _) => End::Killed,
    }
}

fn forward<P: Read + Send + 'static>(
    pipe: Option<P>,
    sender: SyncSender<Event>,
    event: fn(Vec<u8>) -> Event,
) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    thread::Builder::new()
        .name("console".to_owned())
        .spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                if sender.send(event(buffer[..length].to_vec())).is_err() {
                    break;
                }
            }
        })?;
    Ok(())
}
