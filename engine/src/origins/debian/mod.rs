//! Debian: apt, dpkg and mmdebstrap, and its packages of kernel sources.

mod apt;
mod base;
mod deb;
mod family;
mod request;
mod source;
mod words;

pub(super) use deb::deb_member;
pub(super) use family::Debian;
pub(super) use source::DebianSource;
pub use words::ARCH;
pub use words::PACKAGE;
pub use words::SUITE;
