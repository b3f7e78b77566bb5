//! A content-addressed, write-once store; what is written is never changed.
//!
//! It holds *blobs* (files named by their BLAKE3 digest), *trees* (directories, as one manifest
//! blob each) and *records* (what an action with a given key gave), and remembers the outcomes of
//! runs. It knows nothing of what the blobs mean.
//!
//! The promises, and how they are kept:
//! - A blob appears whole or not at all: it is written aside, hashed on the way, then renamed.
//! - A record names only blobs that are on the disk: the file system is synced, then the record
//!   file is renamed into place, then the row is written, in this order. Readers trust only rows.
//! - The database can be lost: it is rebuilt from the record files ([`Store::rebuild_database`]).
//! - One builder per key, across processes ([`Store::claim`]); nothing is locked for everybody,
//!   but for the moment in which garbage is moved away.
//! - Garbage collection never takes what a live handle wrote, leased or claims; see [`Store::gc`].

#![deny(missing_docs)]

mod blob;
mod cache;
mod checksum;
mod claim;
mod database;
mod digest;
mod error;
#[cfg(feature = "fault")]
mod fault;
mod fs;
mod gc;
mod kept;
mod layout;
mod lock;
mod path;
mod rebuild;
mod record;
mod records;
mod room;
mod roots;
mod runs;
mod store;
mod tree;
mod unpacked;
mod usage;
mod verify;
mod work;

pub use checksum::Algorithm;
pub use checksum::Checksum;
pub use checksum::ChecksumError;
pub use claim::Claim;
pub use claim::Lease;
pub use digest::Digest;
pub use digest::DigestError;
pub use digest::Hashes;
pub use digest::KeyHasher;
pub use digest::hash_file;
pub use error::StoreError;
#[cfg(feature = "fault")]
pub use fault::Fault;
#[cfg(feature = "fault")]
pub use fault::Plan;
pub use fs::Fs;
pub use fs::Remover;
pub use fs::remove_own_tree;
pub use gc::GcOptions;
pub use gc::GcReport;
pub use kept::Kept;
pub use path::NameError;
pub use path::check_name;
pub use path::check_relative;
pub use rebuild::RebuildReport;
pub use record::MAX_FACTS;
pub use record::Record;
pub use record::Tombstone;
pub use record::Verdict;
pub use records::BriefRef;
pub use records::Records;
pub use runs::Outcome;
pub use runs::OutcomeVerdict;
pub use runs::Run;
pub use runs::RunId;
pub use store::Store;
pub use tree::Entry;
pub use tree::LinkKind;
pub use tree::Node;
pub use tree::Tree;
pub use unpacked::Unpacked;
pub use usage::Usage;
pub use verify::BrokenRecord;
pub use verify::VerifyOptions;
pub use verify::VerifyReport;
pub use work::WorkDir;
