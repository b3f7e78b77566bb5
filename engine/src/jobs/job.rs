//! One boot as a lab is asked for it: the machine, the files, the limits.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::QemuMachine;

/// One kernel to boot on one board with one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootJob {
    /// How the local QEMU lab runs the board.
    pub qemu: QemuMachine,
    /// Kernel image.
    pub kernel: PathBuf,
    /// Initramfs with `/init` and `/suite`, or the image of the disk that the machine boots.
    pub root: PathBuf,
    /// Device tree blob, for machines that do not make their own.
    pub dtb: Option<PathBuf>,
    /// Time without console output after which the boot counts as hung.
    pub silence: Duration,
    /// Time after which the boot is ended whatever it prints.
    pub total: Duration,
}
