//! Places that boot: one trait, one file per kind of lab.

mod lab;
mod machine;
mod programs;
mod qemu;

pub use lab::Lab;
pub use lab::LabBoot;
pub use lab::LabError;
pub use qemu::QemuLab;
