//! Places that boot: one trait, one file per kind of lab.

mod lab;
mod lava;
mod machine;
mod programs;
mod qemu;

pub use lab::Lab;
pub use lab::LabBoot;
pub use lab::LabError;
pub use lava::Case;
pub use lava::Device;
pub use lava::Entry;
pub use lava::Followed;
pub use lava::JobEnd;
pub use lava::LavaError;
pub use lava::LavaLabs;
pub use lava::LavaServer;
pub use lava::Offer;
pub use lava::Outlook;
pub use lava::Placed;
pub use lava::Watch;
pub use lava::aside;
pub use lava::unless_cancelled;
pub use qemu::QemuLab;
