//! QEMU on this machine.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use super::Lab;
use super::LabBoot;
use super::LabError;
use super::machine::Event;
use super::machine::Machine;
use super::programs::Installed;
use crate::console::Console;
use crate::console::End;
use crate::jobs::BootJob;
use crate::jobs::FILES;
use crate::jobs::Programs;
use crate::jobs::choose_machine;
use crate::jobs::debian_package;
use crate::jobs::qemu_arguments;
use crate::model::Judging;
use crate::sandbox::Sandbox;
use crate::sandbox::SandboxError;
use crate::sandbox::Spec;

/// How long an event is waited for before limits and `cancel` are looked at again.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of the program's complaints that are kept.
const MAX_REMARK: usize = 4096;

/// Bytes of the console that are kept after the suite's end or a panic: sparc64 panics without end
/// where it cannot reboot.
const MAX_AFTERMATH: usize = 64 << 10;
/// How long the program may take to say what it offers.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// The local QEMU, shut in: it sees its kernel, root filesystem and device tree, its own installation, and nothing else.
#[derive(Debug)]
pub struct QemuLab {
    sandbox: Sandbox,
    /// How long a machine may go on after the suite's end or a panic: mips malta halts for ever
    /// instead of rebooting, sparc64 panics until its QEMU aborts.
    grace: Duration,
    installed: Installed,
    /// What each program prints when it is asked.
    answers: Mutex<BTreeMap<(Programs, String, &'static str), String>>,
}

/// Asks for the machines a program has.
const MACHINES: &str = "-M help";
/// Asks for its version.
const VERSION: &str = "--version";

impl QemuLab {
    /// A lab in sandboxes of a maker.
    pub fn new(sandbox: Sandbox) -> Self {
        Self::with_grace(sandbox, Duration::from_secs(3))
    }

    /// A lab that lets machines go on for `grace` after their end.
    pub fn with_grace(sandbox: Sandbox, grace: Duration) -> Self {
        Self {
            sandbox,
            grace,
            installed: Installed::default(),
            answers: Mutex::default(),
        }
    }

    /// What a program of the host says of its version: one line.
    pub fn version(&self, binary: &str) -> Result<String, LabError> {
        self.first_line(&BootJob::question(binary), VERSION)
    }

    /// Path of a program of the host.
    pub fn program(&self, binary: &str) -> Result<PathBuf, LabError> {
        Ok(self.installed.find(binary)?.program.clone())
    }

    fn first_line(&self, job: &BootJob, question: &'static str) -> Result<String, LabError> {
        let answer = self.ask(job, question)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }

    /// What a program prints when it is asked; asked once.
    fn ask(&self, job: &BootJob, question: &'static str) -> Result<String, LabError> {
        let key = (job.programs.clone(), job.qemu.binary.clone(), question);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers.get(&key) {
            return Ok(answer.clone());
        }
        let arguments = question.split(' ').map(str::to_owned).collect();
        let spec = self.installed.spec(&self.sandbox, job, arguments, false)?;
        let answer = printed(&self.sandbox, spec).map_err(|error| error.of(job))?;
        answers.insert(key, answer.clone());
        Ok(answer)
    }

    /// The machine to boot, with its options; empty for the program's default.
    fn machine(&self, job: &BootJob) -> Result<String, LabError> {
        let wanted = &job.qemu.machine;
        if wanted.is_empty() {
            return Ok(String::new());
        }
        match choose_machine(wanted, &self.ask(job, MACHINES)?) {
            Some(machine) => Ok(machine.to_owned()),
            None => Err(LabError::NoMachine {
                binary: job.qemu.binary.clone(),
                version: self.first_line(job, VERSION)?,
                wanted: wanted.clone(),
            }),
        }
    }
}

/// Why a program could not be watched.
enum Failed {
    System(io::Error),
    Sandbox(SandboxError),
}

impl Failed {
    fn of(self, job: &BootJob) -> LabError {
        let binary = job.qemu.binary.clone();
        match self {
            Self::System(source) => LabError::Run { binary, source },
            // A program in an image is found only when it is executed.
            Self::Sandbox(SandboxError::Step(step))
                if step.is_not_found() && job.programs != Programs::Host =>
            {
                LabError::NoProgram {
                    package: debian_package(&binary),
                    binary,
                }
            }
            Self::Sandbox(error) => LabError::Sandbox(error),
        }
    }
}

/// What a short-lived program prints.
fn printed(sandbox: &Sandbox, spec: Spec) -> Result<String, Failed> {
    let start = Instant::now();
    let mut program = Machine::start(sandbox, spec).map_err(Failed::System)?;
    let mut events = Vec::new();
    while program.ended().map_err(Failed::Sandbox)?.is_none() {
        if start.elapsed() >= PROBE_LIMIT {
            return Err(Failed::System(io::ErrorKind::TimedOut.into()));
        }
        events.extend(program.event(TICK));
    }
    events.extend(program.kill());
    let mut text = Vec::new();
    for event in events {
        if let Event::Console(bytes) = event {
            text.extend(bytes);
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Lab for QemuLab {
    fn boot(
        &self,
        job: &BootJob,
        log: &mut dyn Write,
        cancel: &dyn Fn() -> bool,
    ) -> Result<LabBoot, LabError> {
        let name = self.machine(job)?;
        let version = self.first_line(job, VERSION)?;
        let arguments = qemu_arguments(&job.qemu, job.accel, &name, FILES);
        let spec = self.installed.spec(&self.sandbox, job, arguments, true)?;
        let mut machine =
            Machine::start(&self.sandbox, spec).map_err(|source| Failed::System(source).of(job))?;
        let mut transcript = Transcript::new(log, job.judging.clone());
        let start = Instant::now();
        let mut last_output = start;
        let mut over: Option<Instant> = None;
        let end = loop {
            if let Some(event) = machine.event(TICK) {
                if matches!(event, Event::Console(_)) {
                    last_output = Instant::now();
                }
                transcript.add(event)?;
            }
            if over.is_none() && transcript.console.is_over() {
                over = Some(Instant::now());
            }
            if let Some(end) = machine
                .ended()
                .map_err(|error| Failed::Sandbox(error).of(job))?
            {
                break end;
            }
            if cancel() {
                return Err(LabError::Cancelled);
            }
            if over.is_some_and(|over| over.elapsed() >= self.grace) {
                break End::Killed;
            }
            if start.elapsed() >= job.total {
                break End::Total;
            }
            if last_output.elapsed() >= job.silence {
                break End::Silence;
            }
        };
        for event in machine.kill() {
            transcript.add(event)?;
        }
        let choice = job.qemu.machine.len() > 1;
        transcript.finish(end, name, version, choice)
    }
}

/// What the machine said so far.
struct Transcript<'a> {
    log: &'a mut dyn Write,
    console: Console,
    remark: Vec<u8>,
    aftermath: usize,
}

impl<'a> Transcript<'a> {
    fn new(log: &'a mut dyn Write, judging: Judging) -> Self {
        Self {
            log,
            console: Console::new(judging),
            remark: Vec::new(),
            aftermath: 0,
        }
    }

    fn add(&mut self, event: Event) -> Result<(), LabError> {
        match event {
            Event::Console(_) if self.aftermath > MAX_AFTERMATH => Ok(()),
            Event::Console(bytes) => {
                if self.console.is_over() {
                    self.aftermath += bytes.len();
                }
                self.console.push(&bytes);
                self.log.write_all(&bytes).map_err(LabError::Log)
            }
            Event::Remark(bytes) => {
                let room = MAX_REMARK.saturating_sub(self.remark.len());
                self.remark.extend(bytes.into_iter().take(room));
                Ok(())
            }
        }
    }

    /// The program's own words come last in the log, so that they tear no line of the console.
    fn finish(
        self,
        end: End,
        machine: String,
        version: String,
        choice: bool,
    ) -> Result<LabBoot, LabError> {
        let Self {
            log,
            console,
            remark,
            ..
        } = self;
        let remark = String::from_utf8_lossy(&remark);
        if choice {
            writeln!(log, "[qemu] the machine was `{machine}`").map_err(LabError::Log)?;
        }
        for line in remark.lines() {
            writeln!(log, "[qemu] {line}").map_err(LabError::Log)?;
        }
        log.flush().map_err(LabError::Log)?;
        let last = remark.lines().last().unwrap_or_default();
        Ok(LabBoot {
            results: console.finish(end, last),
            end,
            machine,
            version,
        })
    }
}
