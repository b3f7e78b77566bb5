//! Git: commits that names stand for, fetched into one bare repository of the store, and their trees as tarballs.
//!
//! The host's own `git` does it: proxies, certificates, credential helpers and ssh are set up for that, and a library would have to do it all
//! again. It is told what it may do by options of its command line: no protocol but those of [`check_repository`], no hook, no submodule, no
//! question to a terminal. Nothing is ever checked out by it: trees are read object by object, so no attribute (`export-subst`, `eol`, `filter`)
//! changes a byte.

mod error;
mod fetch;
mod pack;
mod repository;
mod request;
mod resolve;
mod words;

pub(super) use fetch::obtain;
pub use pack::git_tarball;
pub(super) use request::GitSource;
pub use request::NEEDS as GIT_NEEDS;
pub(super) use request::tree;
pub use resolve::Moved;
pub use resolve::moved;
pub(super) use resolve::resolve;
pub use words::check_reference;
pub use words::check_repository;
