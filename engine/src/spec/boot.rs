//! One boot on one kind of machine.

use serde::Deserialize;
use serde::Serialize;

use crate::model::Accel;
use crate::model::Judging;
use crate::model::QemuMachine;

/// Inputs `kernel`, `initrd` or `disk`, and where the machine asks for them `dtbs`, `qemu` (the image its program is in) and
/// `accel` (a probe's answer). Outputs `console.log` and `results.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootSpec {
    /// The machine to boot.
    pub machine: QemuMachine,
    /// What its program says of its version; `None` where it is in the input `qemu`, or not installed.
    pub version: Option<String>,
    /// What runs the guest's code.
    pub accel: Accel,
    /// Seconds without console output after which a boot counts as hung.
    pub silence_secs: u32,
    /// Seconds after which a boot is ended whatever it prints.
    pub total_secs: u32,
    /// What of the kernel's complaints and of the tests fails it.
    pub judging: Judging,
}
