//! QEMU on this machine.

use std::io;
use std::io::Write;
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
use crate::jobs::debian_package;
use crate::jobs::qemu_argv;

/// How long an event is waited for before limits and `cancel` are looked at again.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of the program's complaints that are kept.
const MAX_REMARK: usize = 4096;

/// The local QEMU.
#[derive(Clone, Debug)]
pub struct QemuLab {
    /// How long a machine may go on after the suite's end or a panic: mips malta halts for ever
    /// instead of rebooting, sparc64's QEMU aborts 80 s later.
    pub grace: Duration,
}

impl Default for QemuLab {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(5),
        }
    }
}

impl Lab for QemuLab {
    fn boot(
        &self,
        job: &BootJob,
        log: &mut dyn Write,
        cancel: &dyn Fn() -> bool,
    ) -> Result<LabBoot, LabError> {
        let failed = |source: io::Error| run_error(job, source);
        let mut machine = Machine::start(&qemu_argv(job)).map_err(failed)?;
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
        transcript.finish(end)
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
}

impl<'a> Transcript<'a> {
    fn new(log: &'a mut dyn Write) -> Self {
        Self {
            log,
            console: Console::new(),
            remark: Vec::new(),
        }
    }

    fn add(&mut self, event: Event) -> Result<(), LabError> {
        match event {
            Event::Console(bytes) => {
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
    fn finish(self, end: End) -> Result<LabBoot, LabError> {
        let Self {
            log,
            console,
            remark,
        } = self;
        let remark = String::from_utf8_lossy(&remark);
        for line in remark.lines() {
            writeln!(log, "[qemu] {line}").map_err(LabError::Log)?;
        }
        log.flush().map_err(LabError::Log)?;
        let last = remark.lines().last().unwrap_or_default();
        Ok(LabBoot {
            results: console.finish(end, last),
            end,
        })
    }
}
