//! Why a node could not be run: faults of the environment, never recorded as results.

use std::io;
use std::path::Path;

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
    /// There is no room on a disk.
    #[error("no space is left for `{path}`: {why}")]
    Full {
        /// What wanted it.
        path: String,
        /// What is left, or what was told of it.
        why: String,
    },
    /// A tool died of itself: its bug, or the machine's memory. Whoever runs the node tries once more.
    #[error("{0}")]
    Doubtful(String),
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
    /// What a log told of the machine that worked in `work`.
    pub(super) fn told(line: String, work: &Path) -> Self {
        if line.contains("No space left on device") || line.contains("Disk quota exceeded") {
            let path = work.display().to_string();
            return Self::Full { path, why: line };
        }
        Self::Infrastructure(line)
    }

    /// The error with its causes, one line.
    pub fn message(&self) -> String {
        with_causes(self)
    }
}
