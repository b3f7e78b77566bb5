//! Job documents: what a lab is asked to boot. Pure.

mod job;
mod lava;
mod qemu;

pub use job::BootJob;
pub use job::Programs;
pub use lava::Artifact;
pub use lava::Artifacts;
pub use lava::LavaJob;
pub use lava::device_type;
pub use lava::limit_secs;
pub use qemu::DISK;
pub use qemu::DTB;
pub use qemu::FILES;
pub use qemu::INITRD;
pub use qemu::KERNEL;
pub use qemu::KVM;
pub use qemu::by_hand;
pub use qemu::choose_machine;
pub use qemu::debian_package;
pub use qemu::is_native;
pub use qemu::is_qemu;
pub use qemu::qemu_arguments;
