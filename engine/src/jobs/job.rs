//! One boot as a lab is asked for it: the machine, the files, the limits.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::Accel;
use crate::model::Judging;
use crate::model::QemuMachine;

/// One kernel to boot on one board with one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootJob {
    /// How the local QEMU lab runs the board.
    pub qemu: QemuMachine,
    /// Where the program comes from.
    pub programs: Programs,
    /// What runs the guest's code.
    pub accel: Accel,
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
    /// What of the kernel's complaints and of the tests fails the boot.
    pub judging: Judging,
}

impl BootJob {
    /// A job that boots nothing: to ask a program of the host about itself.
    pub fn question(binary: &str) -> Self {
        Self {
            qemu: QemuMachine {
                binary: binary.to_owned(),
                machine: Vec::new(),
                cpu: String::new(),
                memory_mb: 0,
                console: String::new(),
                dtb: String::new(),
                disk: None,
                nic: String::new(),
                args: Vec::new(),
                cmdline: String::new(),
            },
            programs: Programs::Host,
            accel: Accel::Tcg,
            kernel: PathBuf::new(),
            root: PathBuf::new(),
            dtb: None,
            silence: Duration::ZERO,
            total: Duration::from_mins(1),
            judging: Judging::default(),
        }
    }
}

/// Where QEMU's program comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Programs {
    /// It is installed on the machine.
    #[default]
    Host,
    /// It is in an image, unpacked here.
    Image(PathBuf),
}
