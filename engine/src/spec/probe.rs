//! Whether this machine's KVM boots a kernel.

use serde::Deserialize;
use serde::Serialize;

use crate::model::QemuMachine;

/// Inputs `kernel`, and `initrd` or `disk`. Output `answer`: one line, `kvm`, or why not.
///
/// It is a success whatever it finds: that KVM hangs is an answer, which boots take as an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSpec {
    /// The machine to boot.
    pub machine: QemuMachine,
    /// What its program says of its version; `None` where it is in the input `qemu`, or not installed.
    pub version: Option<String>,
    /// This machine: processor, kernel, and who may use KVM. Another one is asked again.
    pub host: String,
    /// Seconds after which a guest that has not reached `/init` counts as hung.
    pub limit_secs: u32,
}
