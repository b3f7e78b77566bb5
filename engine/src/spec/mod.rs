//! What a node is, closed: one plain struct per kind, and nothing beside it counts.
//!
//! A spec holds everything its recipe may look at besides its inputs and tools, so what a recipe can read is what
//! the node's key says. It is data alone: it can be printed, sent to another machine, or made while a graph
//! runs. Its canonical encoding ([`Spec::canonical`]) is what the key digests; there is no second description. What the
//! worker's machine must not decide stays out (job counts, paths); what it does decide is in (ids, versions).

mod base;
mod boot;
mod closed;
mod config;
mod fetch;
mod image;
mod kconfig;
mod kernel;
mod kind;
mod lava;
mod matching;
mod probe;
mod rootfs;
mod source;
#[cfg(test)]
mod tests;
mod text;

pub use base::BaseSpec;
pub use boot::BootSpec;
pub use closed::Closed;
pub use closed::Spec;
pub use config::Accelerate;
pub use config::ConfigSpec;
pub use config::Libraries;
pub use fetch::FetchBy;
pub use fetch::FetchFile;
pub use fetch::FetchSpec;
pub use fetch::GitTree;
pub use image::ImageSpec;
pub use kconfig::KconfigSpec;
pub use kernel::KernelSpec;
pub use kind::Kind;
pub use lava::LavaSpec;
pub use matching::BoardNeeds;
pub use matching::MatchSpec;
pub use probe::ProbeSpec;
pub use rootfs::RootfsSpec;
pub use source::SourceForm;
pub use source::SourceSpec;
