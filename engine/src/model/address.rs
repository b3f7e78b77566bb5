//! Addresses: `SOURCE/ARCH/DEFCONFIG/TOOLCHAIN` for a build, `…/BOARD/SUITE` below it for a boot.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// The address of a build.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BuildAddress {
    /// Name of the source.
    pub source: String,
    /// Name of the arch.
    pub arch: String,
    /// Name of the defconfig.
    pub defconfig: String,
    /// Name of the toolchain.
    pub toolchain: String,
}

/// The address of a boot of a build.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BootAddress {
    /// The build that is booted.
    pub build: BuildAddress,
    /// Name of the board.
    pub board: String,
    /// Name of the suite.
    pub suite: String,
}

impl fmt::Display for BuildAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.source, self.arch, self.defconfig, self.toolchain
        )
    }
}

impl fmt::Display for BootAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.build, self.board, self.suite)
    }
}
