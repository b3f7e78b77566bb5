//! Root filesystems that boots use, and the test suites run in them.

use serde::Deserialize;
use serde::Serialize;

use super::Abi;
use super::Judging;
use super::LavaTest;
use super::ProjectFile;

/// A static C `init` that runs one suite, compiled by the toolchain for the board's arch and packed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rootfs {
    /// Unique among root filesystems.
    pub name: String,
    /// Name of the declared toolchain that compiles it.
    pub toolchain: String,
    /// What its programs are compiled for.
    pub abi: Abi,
    /// C source of `/init`.
    pub init: ProjectFile,
    /// C source that takes the place of the toolchain's C library, whose headers are still used.
    pub libc: Option<ProjectFile>,
    /// What it is packed as.
    pub format: RootfsFormat,
    /// A static shell of the toolchain's image, such as `/bin/busybox`, for suites that LAVA's test shell runs.
    pub shell: Option<String>,
}

/// What a kernel gets as its first root filesystem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootfsFormat {
    /// An initramfs, loaded beside the kernel.
    #[default]
    Initramfs,
    /// An image of an ext2 file system, on a disk of the board.
    Ext2,
    /// A tarball that a server offers by NFS.
    Tar,
}

/// A test suite: one static C program that prints KTAP on the console, or definitions of LAVA's that its test shell runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suite {
    /// Unique among suites; last component of a boot address.
    pub name: String,
    /// C source of `/suite`.
    pub program: Option<ProjectFile>,
    /// What LAVA's test shell runs instead.
    pub definitions: Vec<LavaTest>,
    /// Runs only when an address names it, never by default.
    pub manual: bool,
    /// Seconds without console output after which a boot counts as hung.
    pub silence_secs: u32,
    /// Seconds after which a boot is ended whatever it prints.
    pub total_secs: u32,
    /// What of the kernel's complaints and of the tests fails a boot.
    pub judging: Judging,
}
