//! LAVA: how a board is booted in its labs, the labs, and tests that its test shell runs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

/// How LAVA labs boot a board. Words are LAVA's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LavaDevice {
    /// LAVA device type.
    pub device_type: String,
    /// Tags the device must have.
    pub tags: Vec<String>,
    /// Names of the declared labs that may boot it; empty means all.
    pub labs: Vec<String>,
    /// The boot method of the device type.
    pub method: LavaMethod,
    /// How the kernel gets its root filesystem.
    pub commands: LavaCommands,
    /// What the boot loader is told the kernel image is, `image`, `zimage` or `uimage`; empty says nothing.
    pub kernel_type: String,
    /// Device tree below the build's, such as `ti/omap/am335x-boneblack.dtb`; empty for none.
    pub dtb: String,
    /// Whether the build's modules are put into the root filesystem.
    pub modules: bool,
    /// Name of the declared root filesystem that mounts a root on NBD.
    pub initrd: Option<String>,
    /// More variables for the template of the device type.
    pub context: BTreeMap<String, String>,
}

/// LAVA's boot methods for what a build gives: a kernel, a device tree, a root filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is a word of LAVA's")]
pub enum LavaMethod {
    Qemu,
    Barebox,
    Depthcharge,
    Grub,
    GrubEfi,
    Ipxe,
    UBoot,
}

impl LavaMethod {
    /// LAVA's words, in the order of the variants.
    pub const WORDS: [&str; 7] = [
        "qemu",
        "barebox",
        "depthcharge",
        "grub",
        "grub-efi",
        "ipxe",
        "u-boot",
    ];

    const ALL: [Self; 7] = [
        Self::Qemu,
        Self::Barebox,
        Self::Depthcharge,
        Self::Grub,
        Self::GrubEfi,
        Self::Ipxe,
        Self::UBoot,
    ];

    /// The method of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let index = Self::WORDS.iter().position(|known| *known == word)?;
        Some(Self::ALL[index])
    }
}

/// How a kernel gets its root filesystem from a boot loader: LAVA's `commands`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is a word of LAVA's")]
pub enum LavaCommands {
    Ramdisk,
    Nfs,
    Nbd,
}

impl LavaCommands {
    /// The commands of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "ramdisk" => Some(Self::Ramdisk),
            "nfs" => Some(Self::Nfs),
            "nbd" => Some(Self::Nbd),
            _ => None,
        }
    }
}

/// A test definition of LAVA's, run by its test shell in the booted system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LavaTest {
    /// Name of LAVA's suite of results.
    pub name: String,
    /// Where its steps are.
    pub from: LavaTestFrom,
    /// Parameters of the definition.
    pub parameters: BTreeMap<String, String>,
}

/// Where the steps of a test definition are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LavaTestFrom {
    /// In the job: lines of shell.
    Steps(Vec<String>),
    /// In a git repository, which the lab clones.
    Git {
        /// URL of the repository.
        repository: String,
        /// The commit, 40 hex digits.
        revision: String,
        /// The definition's file in it.
        path: String,
    },
}

/// A LAVA server as it is used here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LavaLab {
    /// Base URL of the server.
    pub url: String,
    /// LAVA user the token must belong to.
    pub user: String,
    /// Where the token is.
    pub token: TokenFrom,
    /// Where the lab reaches what `engine serve` gives; none lets a run serve it itself.
    pub artifacts_url: Option<String>,
    /// Jobs that are in the lab at once at most, waiting ones included.
    pub max_jobs: u32,
    /// Seconds that a job may wait for a device.
    pub queue_secs: u32,
    /// Seconds that the lab may take for downloads and the boot loader, beside the suite's own time.
    pub deploy_secs: u32,
    /// How often a job is submitted again after a fault of the lab.
    pub retries: u32,
    /// LAVA's priority, 0 to 100.
    pub priority: u32,
    /// Whether everyone sees the jobs, or the user alone.
    pub public: bool,
    /// What the lab calls device types, by what boards call them.
    pub aliases: BTreeMap<String, String>,
}

/// Where a token is found when a lab is used. It is never part of a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenFrom {
    /// In a variable of the environment.
    Env(String),
    /// In a file that only its owner may read.
    File(String),
}
