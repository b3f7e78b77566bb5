//! Why a sandbox could not do what it was asked; all are faults of the environment.

use std::io;

use nix::errno::Errno;
use serde::Deserialize;
use serde::Serialize;

/// A sandbox could not be set up, or was lost while it ran.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel refuses a namespace that every sandbox needs.
    #[error("sandboxes are not possible here: {source}; {hint}")]
    Unavailable {
        /// What failed.
        source: StepError,
        /// Which setting to look at.
        hint: &'static str,
    },
    /// Only the worker's own id is mapped, and the operation needs others.
    #[error(
        "making images as user `{user}` needs subordinate ids: {missing}; install `newuidmap` and \
         `newgidmap` (package `uidmap`, or `shadow`) and add the line `{user}:100000:65536` to \
         `/etc/subuid` and `/etc/subgid`"
    )]
    NeedsSubids {
        /// The engine's user: a name, or a number when it has none.
        user: String,
        /// What was looked for and not found.
        missing: String,
    },
    /// Nothing on this machine runs programs of an architecture.
    #[error("programs for `{abi}` need an emulator on this machine, and {found}{hint}")]
    NoEmulator {
        /// What they are compiled for.
        abi: &'static str,
        /// What there is instead.
        found: String,
        /// What to do about it, after `; `; empty where nothing can be.
        hint: String,
    },
    /// The kernel lets a sandbox register no emulator, and the machine has none registered.
    #[error(
        "the emulator for `{abi}` cannot be registered: {source}; Linux 6.7 or later lets each \
         sandbox have its own, an older one needs it registered for the whole machine: as root, \
         install `qemu-user-static` and `binfmt-support`, or run `systemctl restart systemd-binfmt`"
    )]
    NoBinfmt {
        /// What they are compiled for.
        abi: &'static str,
        /// What failed.
        source: StepError,
    },
    /// A step of the set-up failed.
    #[error("sandbox: {0}")]
    Step(#[from] StepError),
    /// The helper could not be started, or its socket broke.
    #[error("sandbox: cannot {doing}: {source}")]
    Helper {
        /// What the engine was doing.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The caller cancelled.
    #[error("interrupted")]
    Cancelled,
    /// The helper went away without a word; something outside killed it.
    #[error("sandbox: the helper ended with {0} before its command did")]
    Lost(String),
}

/// One step of the set-up and the system's answer to it.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("cannot {step}: {reason}")]
pub struct StepError {
    /// What was tried, with its path: "mount `proc` on `/proc`".
    pub step: String,
    /// The system's answer.
    pub reason: String,
    /// The system's number for that answer, when it gave one.
    pub errno: Option<i32>,
}

impl StepError {
    /// Whether a file or program was not there.
    pub fn is_not_found(&self) -> bool {
        self.errno == Some(Errno::ENOENT as i32)
    }

    /// Whether what was read is at fault, not the system: of an unpacking, the archive.
    pub fn is_content(&self) -> bool {
        self.errno.is_none() && !self.reason.contains("(os error ")
    }
}

/// Names the step of a system call that failed.
pub(super) trait Step<T> {
    /// Turns the failure into "cannot `step`: reason".
    fn step(self, step: impl FnOnce() -> String) -> Result<T, StepError>;
}

impl<T> Step<T> for io::Result<T> {
    fn step(self, step: impl FnOnce() -> String) -> Result<T, StepError> {
        self.map_err(|error| StepError {
            step: step(),
            errno: error.raw_os_error(),
            reason: error.raw_os_error().map_or_else(
                || error.to_string(),
                |n| Errno::from_raw(n).desc().to_owned(),
            ),
        })
    }
}

impl<T> Step<T> for nix::Result<T> {
    fn step(self, step: impl FnOnce() -> String) -> Result<T, StepError> {
        self.map_err(io::Error::from).step(step)
    }
}
