//! One boot in a LAVA lab.

use serde::Deserialize;
use serde::Serialize;

use crate::model::Judging;
use crate::model::LavaDevice;
use crate::model::LavaTest;
use crate::model::QemuMachine;

/// A node of the kind `boot`. Inputs `kernel`, one of `initrd`, `disk` and `nfsroot`, and where the board asks for them `dtbs`, `modules` and
/// `nbd` (the initramfs that mounts a root over NBD). Outputs `console.log`, `results.json`, `job.yaml` and `lava.log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LavaSpec {
    /// What is booted, and how.
    pub device: LavaDevice,
    /// The machine that LAVA's method `qemu` runs.
    pub machine: Option<QemuMachine>,
    /// What LAVA's test shell runs; nothing where the root filesystem has a suite of its own.
    pub tests: Vec<LavaTest>,
    /// Seconds without console output after which a boot counts as hung.
    pub silence_secs: u32,
    /// Seconds after which a boot is ended whatever it prints.
    pub total_secs: u32,
    /// What of the kernel's complaints and of the tests fails it.
    pub judging: Judging,
}
