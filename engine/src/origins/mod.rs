//! Where bytes come from: families of root filesystems, and origins of kernel sources.
//!
//! All that knows a distribution lies in a folder here, behind [`Family`]: how its names are spelt, what is asked of its mirrors, how
//! a base is made and packages are added. Another family is another folder, a variant of [`FamilyName`](crate::model::FamilyName) and
//! of [`BaseOrigin`](crate::model::BaseOrigin), and its field in the vocabulary of definitions. What sources come as is behind
//! [`Origin`] in the same way.

mod canonical;
mod debian;
mod error;
mod family;
mod gentoo;
mod git;
mod http;
mod openpgp;
mod origin;
mod program;
mod tarball;

pub use canonical::SourceTar;
pub use debian::ARCH;
pub use debian::PACKAGE;
pub use debian::SUITE;
pub use error::OriginError;
pub use family::Adding;
pub use family::Answer;
pub use family::Family;
pub use family::HostNeed;
pub use family::Means;
pub use family::Network;
pub use family::Volume;
pub use family::abi_of;
pub use family::abi_of_base;
pub use family::family;
pub use family::fetch_pin;
pub use family::obtain;
pub use family::requests;
pub use family::resolve;
pub use git::GIT_NEEDS;
pub use git::Moved;
pub use git::check_reference;
pub use git::check_repository;
pub use git::git_tarball;
pub use git::moved;
pub use http::remove_partial;
pub use origin::Origin;
pub use origin::origin;
pub use origin::tarball;
