//! Why a node could not be run: faults of the environment, never recorded as results.

use std::io;

use store::StoreError;
use thiserror::Error;

use crate::labs::LabError;
use crate::labs::LavaError;
use crate::origins::OriginError;
use crate::sandbox::SandboxError;
use crate::text::with_causes;

/// A node that could not be run to a result.
#[derive(Debug, Error)]
pub enum Broken {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sandbox could not be set up.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// A family could not fetch or make.
    #[error(transparent)]
    Origin(OriginError),
    /// The lab could not boot.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A LAVA lab could not boot.
    #[error(transparent)]
    Lava(#[from] LavaError),
    /// It is in a lab, and a later run takes what comes of it.
    #[error("submitted to lab `{lab}` as job {job}; `engine labs gather` takes what comes of it")]
    Submitted {
        /// The lab.
        lab: String,
        /// The job.
        job: u64,
    },
    /// A file of the node's own could not be read or written.
    #[error("cannot {action} `{path}`: {source}")]
    File {
        /// What was tried, a verb.
        action: &'static str,
        /// The path.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A program of the host is missing.
    #[error("`{program}` is not installed; install the package `{package}`")]
    Missing {
        /// The program.
        program: &'static str,
        /// Debian's package of it.
        package: &'static str,
    },
    /// A step ended in a way that says nothing about its input.
    #[error("{0}")]
    Infrastructure(String),
    /// It was ended by the user.
    #[error("interrupted")]
    Cancelled,
    /// The graph gave a node less than its spec asks for: a bug.
    #[error("the node was given no {0}")]
    Unresolved(&'static str),
}

impl From<SandboxError> for Broken {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Cancelled => Self::Cancelled,
            error => Self::Sandbox(error),
        }
    }
}

impl From<OriginError> for Broken {
    fn from(error: OriginError) -> Self {
        match error {
            OriginError::Cancelled => Self::Cancelled,
            OriginError::Store(error) => Self::Store(error),
            OriginError::Sandbox(error) => Self::Sandbox(error),
            error => Self::Origin(error),
        }
    }
}

impl Broken {
    /// The error with its causes, one line.
    pub fn message(&self) -> String {
        with_causes(self)
    }
}

/// Lines that tell that a build step ended by the machine's fault, not by its input's.
const INFRASTRUCTURE: [&str; 7] = [
    "No space left on device",
    "Cannot allocate memory",
    "virtual memory exhausted",
    "fatal error: Killed signal terminated program",
    "Input/output error",
    "Disk quota exceeded",
    "Too many open files",
];

/// The infrastructure fault a log tells of, if any.
pub fn infrastructure_fault(log: &str) -> Option<&str> {
    log.lines()
        .find(|line| INFRASTRUCTURE.iter().any(|mark| line.contains(mark)))
        .map(str::trim)
}
