//! QEMU on this machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use super::Lab;
use super::LabBoot;
use super::LabError;
use super::machine::Event;
use super::machine::Machine;
use crate::console::Console;
use crate::console::End;
use crate::jobs::BootJob;
use crate::jobs::choose_machine;
use crate::jobs::debian_package;
use crate::jobs::qemu_argv;

/// How long an event is waited for before limits and `cancel` are looked at again.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of the program's complaints that are kept.
const MAX_REMARK: usize = 4096;

/// Bytes of the console that are kept after the suite's end or a panic: sparc64 panics without end
/// where it cannot reboot.
const MAX_AFTERMATH: usize = 64 << 10;
/// How long the program may take to say what it offers.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// The local QEMU.
#[derive(Debug)]
pub struct QemuLab {
    /// How long a machine may go on after the suite's end or a panic: mips malta halts for ever
    /// instead of rebooting, sparc64 panics until its QEMU aborts.
    pub grace: Duration,
    /// What `-M help` of each program prints.
    offers: Mutex<BTreeMap<String, String>>,
}

impl Default for QemuLab {
    fn default() -> Self {
        Self::new(Duration::from_secs(3))
    }
}

impl QemuLab {
    /// A lab that lets machines go on for `grace` after their end.
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            offers: Mutex::default(),
        }
    }

    /// The machine to boot, with its options; empty for the program's default.
    fn machine(&self, job: &BootJob) -> Result<String, LabError> {
        let wanted = &job.qemu.machine;
        if wanted.is_empty() {
            return Ok(String::new());
        }
        let binary = &job.qemu.binary;
        let ask = |arguments: &[&str]| {
            let argv = std::iter::once(binary.as_str()).chain(arguments.iter().copied());
            printed(&argv.map(OsString::from).collect::<Vec<_>>())
                .map_err(|source| run_error(job, source))
        };
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        if !offers.contains_key(binary) {
            offers.insert(binary.clone(), ask(&["-M", "help"])?);
        }
        let help = offers.get(binary).map_or("", String::as_str);
        match choose_machine(wanted, help) {
            Some(machine) => Ok(machine.to_owned()),
            None => Err(LabError::NoMachine {
                binary: binary.clone(),
                version: ask(&["--version"])?
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                wanted: wanted.clone(),
            }),
        }
    }
}

/// What a short-lived program prints.
fn printed(argv: &[OsString]) -> io::Result<String> {
    let start = Instant::now();
    let mut program = Machine::start(argv)?;
    let mut events = Vec::new();
    while program.ended()?.is_none() {
        if start.elapsed() >= PROBE_LIMIT {
            return Err(io::ErrorKind::TimedOut.into());
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
        let failed = |source: io::Error| run_error(job, source);
        let name = self.machine(job)?;
        let mut machine = Machine::start(&qemu_argv(job, &name)).map_err(failed)?;
        let mut transcript = Transcript::new(log);
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
            if let Some(end) = machine.ended().map_err(failed)? {
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
        transcript.finish(end, name, choice)
    }
}

fn run_error(job: &BootJob, source: io::Error) -> LabError {
    let binary = job.qemu.binary.clone();
    if source.kind() == io::ErrorKind::NotFound {
        LabError::NoProgram {
            package: debian_package(&binary),
            binary,
        }
    } else {
        LabError::Run { binary, source }
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
    fn new(log: &'a mut dyn Write) -> Self {
        Self {
            log,
            console: Console::new(),
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
    fn finish(self, end: End, machine: String, choice: bool) -> Result<LabBoot, LabError> {
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
        })
    }
}
