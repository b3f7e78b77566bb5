//! Job documents: what a lab is asked to boot. Pure.

mod job;
mod qemu;

pub use job::BootJob;
pub use qemu::QemuParams;
pub use qemu::choose_machine;
pub use qemu::debian_package;
pub use qemu::qemu_argv;
pub use qemu::qemu_params;
