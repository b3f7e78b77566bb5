//! Places that boot: one trait, one file per kind of lab.

mod lab;
mod machine;
mod qemu;
#[cfg(test)]
mod tests;

pub use lab::Lab;
pub use lab::LabBoot;
pub use lab::LabError;
pub use qemu::QemuLab;
