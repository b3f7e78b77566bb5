//! The nouns of a definition as plain, concrete data: what evaluation gives and the graph is made of.

mod address;
mod arch;
mod board;
mod catalog;
mod pattern;
mod rootfs;
mod source;
mod toolchain;

pub use address::BootAddress;
pub use address::BuildAddress;
pub use arch::Arch;
pub use arch::ConfigRecipe;
pub use arch::Defconfig;
pub use arch::Fixup;
pub use arch::Strength;
pub use board::Board;
pub use board::DiskBus;
pub use board::Lab;
pub use board::LabKind;
pub use board::LavaDevice;
pub use board::QemuDisk;
pub use board::QemuMachine;
pub use catalog::Catalog;
pub use pattern::Pattern;
pub use pattern::PatternError;
pub use rootfs::Rootfs;
pub use rootfs::RootfsFormat;
pub use rootfs::Suite;
pub use source::Base;
pub use source::BaseOrigin;
pub use source::Image;
pub use source::ProjectFile;
pub use source::Source;
pub use source::SourceOrigin;
pub use toolchain::Toolchain;
pub use toolchain::ToolchainKind;
