//! Where everything is below the root of a store.

use std::path::Path;
use std::path::PathBuf;

use crate::checksum::Checksum;
use crate::digest::Digest;

/// The paths of a store.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

/// The directories of a store.
pub(crate) const DIRS: [&str; 17] = [
    "blobs",
    "records",
    "blake2b",
    "sha256",
    "sha512",
    "cache",
    "pins",
    "unpacked",
    "objects",
    "work",
    "trash",
    "quarantine",
    "locks",
    "locks/claims",
    "locks/leases",
    "locks/unpacked",
    "locks/objects",
];

impl Layout {
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.fanned("blobs", &digest.to_string())
    }

    pub(crate) fn record(&self, key: &Digest) -> PathBuf {
        self.fanned("records", &key.to_string())
    }

    /// A file with the digest of the blob that has a checksum.
    pub(crate) fn checksum(&self, checksum: &Checksum) -> PathBuf {
        self.fanned(checksum.algorithm().word(), checksum.hex())
    }

    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn unpacked(&self, digest: &Digest) -> PathBuf {
        self.root.join("unpacked").join(digest.to_string())
    }

    pub(crate) fn unpacked_lock(&self, digest: &Digest) -> PathBuf {
        self.root.join("locks/unpacked").join(digest.to_string())
    }

    pub(crate) fn kept_lock(&self, key: &Digest) -> PathBuf {
        self.root.join("locks/objects").join(key.to_string())
    }

    pub(crate) fn claim(&self, key: &Digest) -> PathBuf {
        self.root.join("locks/claims").join(key.to_string())
    }

    pub(crate) fn pin(&self, name: &str) -> PathBuf {
        self.root
            .join("pins")
            .join(Digest::of(name.as_bytes()).to_string())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("db.sqlite")
    }

    /// Held shared by whoever adds, exclusively by whoever removes.
    pub(crate) fn gc_lock(&self) -> PathBuf {
        self.root.join("locks/gc")
    }

    /// `dir/ab/abcd…`: 256 directories keep each one small.
    fn fanned(&self, dir: &str, hex: &str) -> PathBuf {
        let fan = hex.get(..2).unwrap_or("00");
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + hex.len() + 16);
        path.push(&self.root);
        path.extend([Path::new(dir), Path::new(fan), Path::new(hex)]);
        path
    }
}
