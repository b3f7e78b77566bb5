//! Boards with the CONFIGs they need, and the labs that have them.

use serde::Deserialize;
use serde::Serialize;

use super::LavaDevice;
use super::LavaLab;
use crate::kconfig::Predicate;

/// A machine that boots every kernel whose .config meets `requires`; never chosen by arch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// Unique among boards; a component of boot addresses.
    pub name: String,
    /// What the final .config must meet.
    pub requires: Predicate,
    /// Name of the declared root filesystem it boots.
    pub rootfs: String,
    /// Names of the declared suites it runs.
    pub suites: Vec<String>,
    /// How the local QEMU lab runs it.
    pub qemu: Option<QemuMachine>,
    /// Name of the declared image that QEMU's program is in; without one it is the machine's own.
    pub qemu_image: Option<String>,
    /// What runs the guest's code in QEMU.
    pub accel: Accel,
    /// How a LAVA lab runs it.
    pub lava: Option<LavaDevice>,
}

/// A QEMU machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QemuMachine {
    /// Program, such as `qemu-system-x86_64`.
    pub binary: String,
    /// `-M`, of which the first that the program offers is taken, as names differ between versions
    /// of QEMU; what follows a comma is options. None lets the program choose its default.
    pub machine: Vec<String>,
    /// `-cpu`; empty lets the machine choose.
    pub cpu: String,
    /// `-m`, in MiB.
    pub memory_mb: u32,
    /// Kernel console device, such as `ttyS0`.
    pub console: String,
    /// Device tree below the build's dtbs, such as `sun4i-a10-cubieboard.dtb`; empty for none.
    pub dtb: String,
    /// The disk it boots, with a root filesystem on it; without one it boots an initramfs.
    pub disk: Option<QemuDisk>,
    /// Model of a network card whose network leads nowhere; empty for none.
    pub nic: String,
    /// More arguments, one per element.
    pub args: Vec<String>,
    /// More kernel command line words.
    pub cmdline: String,
}

/// What runs a guest's code in QEMU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// QEMU's own translator, which behaves alike on every host.
    #[default]
    Tcg,
    /// The host's processor, where a probe boot of the same kernel worked; else as [`Accel::Tcg`].
    Kvm,
}

/// A disk of a QEMU machine, whose image is never written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QemuDisk {
    /// What the kernel calls it, such as `/dev/sda`.
    pub root: String,
    /// How it is attached.
    pub bus: DiskBus,
}

/// How a disk is attached to a QEMU machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskBus {
    /// To what the machine has: `if=` of `-drive`, such as `ide` and `scsi`.
    Interface(String),
    /// To a device of its own: `-device`, such as `virtio-blk-device`.
    Device(String),
}

/// A place where boards are booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lab {
    /// Unique among labs.
    pub name: String,
    /// What kind.
    pub kind: LabKind,
}

/// The kinds of labs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabKind {
    /// QEMU on this machine.
    Qemu,
    /// A LAVA server.
    Lava(LavaLab),
}
