//! What every kind of lab offers.

use std::io;

use crate::console::BootResults;
use crate::console::BootVerdict;
use crate::console::End;
use crate::jobs::BootJob;
use crate::model::Severity;
use crate::sandbox::SandboxError;

/// A place that boots kernels.
pub trait Lab: Send + Sync {
    /// Boots `job` and blocks until the machine has ended.
    ///
    /// The console is written to `log` as it comes. `cancel` is asked many times a second; once it
    /// says true the machine is killed and the result is [`LabError::Cancelled`].
    fn boot(
        &self,
        job: &BootJob,
        log: &mut dyn io::Write,
        cancel: &dyn Fn() -> bool,
    ) -> Result<LabBoot, LabError>;
}

/// A boot that came to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabBoot {
    /// What the console showed, judged.
    pub results: BootResults,
    /// How it ended.
    pub end: End,
    /// Which of the machines that the job allows was booted; empty for the program's default.
    pub machine: String,
    /// What the program says of its version.
    pub version: String,
}

impl LabBoot {
    /// Whether the boot failed only because nothing more came: a busy host looks the same, so
    /// the caller confirms it with a second run.
    pub fn is_hang(&self) -> bool {
        self.results.verdict == BootVerdict::Failed
            && !self
                .results
                .findings
                .iter()
                .any(|finding| finding.severity >= Severity::Error)
            && matches!(self.end, End::Silence | End::Total)
    }
}

/// Why a lab could not boot: never a fact about the kernel.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The program is not installed.
    #[error("`{binary}` is not installed{}", hint(*package))]
    NoProgram {
        /// The program.
        binary: String,
        /// The Debian package that has it.
        package: Option<&'static str>,
    },
    /// The program is not one of QEMU's.
    #[error("`{0}` is no program of QEMU's: a bare name such as `qemu-system-x86_64`")]
    NotQemu(String),
    /// It cannot be shut in.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The program has none of the machines that the job allows.
    #[error(
        "`{binary}` ({version}) offers {}; `{binary} -M help` lists what it has",
        none_of(wanted)
    )]
    NoMachine {
        /// The program.
        binary: String,
        /// What it says of its version.
        version: String,
        /// The machines, with their options.
        wanted: Vec<String>,
    },
    /// The program could not be started or watched.
    #[error("cannot run `{binary}`")]
    Run {
        /// The program.
        binary: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The console log could not be written.
    #[error("cannot write the console log")]
    Log(#[source] io::Error),
    /// `cancel` said so.
    #[error("boot was cancelled")]
    Cancelled,
}

fn none_of(wanted: &[String]) -> String {
    match wanted {
        [one] => format!("no machine `{one}`"),
        several => format!("none of the machines `{}`", several.join("`, `")),
    }
}

fn hint(package: Option<&'static str>) -> String {
    package
        .map(|package| format!(" (Debian package `{package}`)"))
        .unwrap_or_default()
}
