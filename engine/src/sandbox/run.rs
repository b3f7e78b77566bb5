//! The engine's side: starts a helper, maps its ids, waits for the end of what it started.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio as ProcessStdio;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use jobserver::Client;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::cancel::Cancel;
use super::channel::Job;
use super::channel::Order;
use super::channel::Report;
use super::channel::receive;
use super::channel::send;
use super::error::SandboxError;
use super::error::StepError;
use super::mapping;
use super::mapping::Mapping;
use super::spec::Exit;
use super::spec::Spec;
use super::spec::Stdio;
use super::spec::User;
use super::tty::Terminal;

/// Makes sandboxes; what it found out about this machine and user is kept.
#[derive(Clone, Debug)]
pub struct Sandbox {
    helper: PathBuf,
    mapping: Mapping,
}

impl Sandbox {
    /// Finds how ids can be mapped, and tries one sandbox.
    ///
    /// `helper` is a program that calls [`init_main`](super::init_main) when its first argument is
    /// `sandbox-init`: normally `/proc/self/exe`.
    pub fn new(helper: PathBuf) -> Result<Sandbox, SandboxError> {
        let sandbox = Sandbox {
            helper,
            mapping: Mapping::detect(),
        };
        match sandbox.order(&Order::Probe { emulator: None }, &Cancel::new()) {
            Err(SandboxError::Step(source)) => Err(SandboxError::Unavailable {
                source,
                hint: mapping::hint(),
            }),
            Err(error) => Err(error),
            Ok(()) => Ok(sandbox),
        }
    }

    /// How ids are mapped.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The uid commands run as, inside and outside: the engine's own, or 1000 when the engine is
    /// root. A writable bind must belong to it.
    pub fn worker_uid(&self) -> u32 {
        self.mapping.worker().0
    }

    /// Who inside is the engine's own user outside: what the engine made is theirs.
    pub fn own_user(&self) -> User {
        match self.mapping {
            Mapping::Identity => User::Root,
            Mapping::Subids { .. } | Mapping::Single { .. } => User::Worker,
        }
    }

    /// The gid commands run as: the engine's own, or 1000 when the engine is root.
    pub fn worker_gid(&self) -> u32 {
        self.mapping.worker().1
    }

    /// Runs one command to its end.
    ///
    /// The calling thread must live until this returns, as the kernel takes the end of a thread for
    /// the end of the engine. When this returns no process of the sandbox is left.
    pub fn run(&self, spec: &Spec, stdio: Stdio, cancel: &Cancel) -> Result<Exit, SandboxError> {
        self.run_sharing(spec, stdio, cancel, None)
    }

    /// The same with a GNU make jobserver for the command: its `make` takes the tokens of its jobs from there.
    pub fn run_sharing(
        &self,
        spec: &Spec,
        stdio: Stdio,
        cancel: &Cancel,
        jobserver: Option<&Client>,
    ) -> Result<Exit, SandboxError> {
        if spec.user == User::Root {
            self.needs_ids()?;
        }
        let started = Instant::now();
        let (outputs, terminal) = match stdio {
            Stdio::Log(log) => {
                let again = log.try_clone().map_err(helper("open the log again"))?;
                (Some((log.into(), again.into())), None)
            }
            Stdio::Outputs(out, err) => (Some((out, err)), None),
            Stdio::Terminal => (None, Terminal::take()),
        };
        let mut spec = spec.clone();
        let mut command = Command::new(&self.helper);
        if let Some(jobserver) = jobserver {
            // The pipe keeps its numbers through every program that is executed on the way.
            jobserver.configure_make(&mut command);
            let flags = command.get_envs().find(|(name, _)| *name == "MAKEFLAGS");
            let flags = flags.and_then(|(_, value)| value?.to_str().map(str::to_owned));
            spec.env
                .extend(flags.map(|flags| ("MAKEFLAGS".to_owned(), flags)));
        }
        let wall = spec.limits.wall;
        let job = Job {
            spec,
            terminal: outputs.is_none(),
            worker: self.mapping.worker(),
            nested: matches!(self.mapping, Mapping::Single { .. }),
        };
        let mut helper = Helper::start(command, outputs)?;
        let _stop = cancel.on_cancel(helper.stopper());
        let order = || {
            helper.map(&self.mapping, &Order::Run)?;
            send(&*helper.socket, &job)?;
            helper.report(wall.map(|wall| wall.saturating_sub(started.elapsed())))
        };
        let report = order();
        let status = helper.end()?;
        drop(terminal);
        match report {
            Ok(Report::Ended(exit)) => Ok(exit),
            // First, as a helper that is stopped on its way may say so in many ways.
            _ if cancel.is_cancelled() => Ok(Exit::Cancelled),
            Ok(Report::Failed(step)) | Err(Broken::Step(step)) => Err(step.into()),
            Err(Broken::Late) => Ok(Exit::TimedOut),
            Ok(Report::Unshared | Report::Done) | Err(Broken::Lost) => {
                Err(SandboxError::Lost(status))
            }
        }
    }

    /// Fails unless every id of an image can be mapped.
    fn needs_ids(&self) -> Result<(), SandboxError> {
        match &self.mapping {
            Mapping::Identity | Mapping::Subids { .. } => Ok(()),
            Mapping::Single { missing, .. } => Err(SandboxError::NeedsSubids {
                user: mapping::user_name(),
                missing: missing.clone(),
            }),
        }
    }

    /// Lets a helper carry out an order other than [`Order::Run`].
    pub(super) fn order(&self, order: &Order, cancel: &Cancel) -> Result<(), SandboxError> {
        let mut helper = Helper::start(Command::new(&self.helper), None)?;
        let _stop = cancel.on_cancel(helper.killer());
        let report = helper
            .map(&self.mapping, order)
            .and_then(|()| helper.report(None));
        let status = helper.end()?;
        match report {
            Ok(Report::Done) => Ok(()),
            _ if cancel.is_cancelled() => Err(SandboxError::Cancelled),
            Ok(Report::Failed(step)) | Err(Broken::Step(step)) => Err(step.into()),
            _ => Err(SandboxError::Lost(status)),
        }
    }
}

/// A running helper and the engine's end of its socket.
struct Helper {
    child: Child,
    socket: Arc<UnixStream>,
}

/// Why no report came.
enum Broken {
    /// A step on this side failed.
    Step(StepError),
    /// Time ran out.
    Late,
    /// The socket is closed.
    Lost,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Broken::Late,
            _ => Broken::Lost,
        }
    }
}

impl Helper {
    /// Starts a helper with these two outputs, or with the engine's own.
    fn start(
        mut command: Command,
        outputs: Option<(OwnedFd, OwnedFd)>,
    ) -> Result<Helper, SandboxError> {
        let (ours, theirs) = UnixStream::pair().map_err(helper("make a socket"))?;
        command
            .arg("sandbox-init")
            .env_clear()
            .stdin(ProcessStdio::from(OwnedFd::from(theirs)));
        if let Some((out, err)) = outputs {
            // A group of its own, so that Ctrl-C reaches the engine only, which then cancels.
            command.stdout(out).stderr(err).process_group(0);
        }
        let child = command
            .spawn()
            .map_err(helper("start the sandbox helper"))?;
        Ok(Helper {
            child,
            socket: Arc::new(ours),
        })
    }

    /// Waits for the helper's user namespace, writes its maps and gives it its order.
    fn map(&self, mapping: &Mapping, order: &Order) -> Result<(), Broken> {
        match self.report(None)? {
            Report::Unshared => {}
            Report::Failed(step) => return Err(Broken::Step(step)),
            Report::Done | Report::Ended(_) => return Err(Broken::Lost),
        }
        mapping.write(self.child.id()).map_err(Broken::Step)?;
        Ok(send(&*self.socket, order)?)
    }

    fn report(&self, within: Option<Duration>) -> Result<Report, Broken> {
        // Zero would mean "for ever" to the system.
        let within = within.map(|time| time.max(Duration::from_millis(1)));
        self.socket.set_read_timeout(within)?;
        Ok(receive(&*self.socket)?)
    }

    /// Gives what makes pid 1 stop at once, and with it every process of the sandbox.
    fn stopper(&self) -> impl FnOnce() + Send + 'static {
        let socket = Arc::clone(&self.socket);
        move || {
            // It can only fail when the other side is gone, which is what is wanted.
            let _gone = socket.shutdown(Shutdown::Both);
        }
    }

    /// Gives what ends the helper itself, which has started no pid 1: it does not listen while it works.
    fn killer(&self) -> impl FnOnce() + Send + 'static {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX));
        move || {
            // It is waited for only after the hook is gone, so the number is still its own.
            let _gone = kill(pid, Signal::SIGKILL);
        }
    }

    /// Stops what still runs and waits until it is gone; says how the helper ended.
    fn end(&mut self) -> Result<String, SandboxError> {
        self.stopper()();
        let status = self
            .child
            .wait()
            .map_err(helper("wait for the sandbox helper"))?;
        Ok(status.to_string())
    }
}

fn helper(doing: &'static str) -> impl FnOnce(io::Error) -> SandboxError {
    move |source| SandboxError::Helper { doing, source }
}
