//! The kinds of nodes, one for each struct of this module.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// What a node is. The order is that of the chain, which is also how lists are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pinned files, downloaded.
    Fetch,
    /// A kernel source tarball with its patches applied.
    Source,
    /// A base root filesystem.
    Base,
    /// A base with the `buildbot` user and more packages.
    Image,
    /// kconfig's host program for one source and toolchain.
    Kconfig,
    /// A resolved .config and the outcome of every fixup.
    Config,
    /// A compiled kernel.
    Kernel,
    /// Which boards a resolved .config fits.
    Match,
    /// A root filesystem.
    Rootfs,
    /// Whether this machine's KVM boots a kernel.
    Probe,
    /// One kernel booted on one board with one suite.
    Boot,
}

impl Kind {
    /// Every kind, in the order of the chain.
    pub const ALL: [Self; 11] = [
        Self::Fetch,
        Self::Source,
        Self::Base,
        Self::Image,
        Self::Kconfig,
        Self::Config,
        Self::Kernel,
        Self::Match,
        Self::Rootfs,
        Self::Probe,
        Self::Boot,
    ];

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The word used in node names, events and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Source => "source",
            Self::Base => "base",
            Self::Image => "image",
            Self::Kconfig => "kconfig",
            Self::Config => "config",
            Self::Kernel => "kernel",
            Self::Match => "match",
            Self::Rootfs => "rootfs",
            Self::Probe => "probe",
            Self::Boot => "boot",
        }
    }

    /// Raised when a change of the engine changes what this kind of node gives for equal specs and inputs.
    pub fn revision(self) -> u32 {
        match self {
            Self::Config | Self::Boot => 4,
            Self::Rootfs => 3,
            Self::Image => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
