//! A machine's program in a sandbox, watched while it runs; it cannot outlive the engine.

use std::io;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::console::End;
use crate::sandbox::Cancel;
use crate::sandbox::Exit;
use crate::sandbox::Sandbox;
use crate::sandbox::SandboxError;
use crate::sandbox::Spec;
use crate::sandbox::Stdio;

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

/// A running machine; killed on drop.
#[derive(Debug)]
pub(super) struct Machine {
    /// The sandbox dies with the thread that made it, so it has one that waits for it.
    runner: Option<JoinHandle<Result<Exit, SandboxError>>>,
    cancel: Cancel,
    events: Receiver<Event>,
}

impl Machine {
    /// Starts the command of a sandbox.
    pub(super) fn start(sandbox: &Sandbox, spec: Spec) -> io::Result<Self> {
        let (console, out) = io::pipe()?;
        let (remarks, err) = io::pipe()?;
        // Bounded: a machine that prints faster than the log takes it has to wait.
        let (sender, events) = mpsc::sync_channel(64);
        forward(console, sender.clone(), Event::Console)?;
        forward(remarks, sender, Event::Remark)?;
        let cancel = Cancel::new();
        let (sandbox, stop) = (sandbox.clone(), cancel.clone());
        let runner = thread::Builder::new()
            .name("machine".to_owned())
            .spawn(move || {
                let outputs = Stdio::Outputs(OwnedFd::from(out), OwnedFd::from(err));
                sandbox.run(&spec, outputs, &stop)
            })?;
        Ok(Self {
            runner: Some(runner),
            cancel,
            events,
        })
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
    pub(super) fn ended(&mut self) -> Result<Option<End>, SandboxError> {
        if self
            .runner
            .as_ref()
            .is_some_and(|runner| !runner.is_finished())
        {
            return Ok(None);
        }
        match self.join() {
            Some(Err(error)) => Err(error),
            Some(Ok(Exit::Code(code))) => Ok(Some(End::Exited(code))),
            None | Some(Ok(Exit::Signal(_) | Exit::TimedOut | Exit::Cancelled)) => {
                Ok(Some(End::Killed))
            }
        }
    }

    /// Kills it, and gives the events that were still under way.
    pub(super) fn kill(mut self) -> Vec<Event> {
        self.cancel.cancel();
        self.join();
        std::iter::from_fn(|| self.events.recv_timeout(DRAIN).ok())
            .take(MAX_DRAIN)
            .collect()
    }

    /// Waits for the sandbox to be gone; `None` where it was waited for before, or the thread hit a bug.
    fn join(&mut self) -> Option<Result<Exit, SandboxError>> {
        self.runner.take()?.join().ok()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.join();
    }
}

fn forward(
    mut pipe: io::PipeReader,
    sender: SyncSender<Event>,
    event: fn(Vec<u8>) -> Event,
) -> io::Result<()> {
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
