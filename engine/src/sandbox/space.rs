//! What is left of a disk.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Less than this is nothing: a file system keeps some for itself.
const LEAST_BYTES: u64 = 1 << 20;
const LEAST_FILES: u64 = 8;

/// What is left of the file system that holds `path`, in words, where that is as good as nothing.
pub fn used_up(path: &Path) -> Option<String> {
    let disk = statvfs(path).ok()?;
    let bytes = disk.blocks_available().saturating_mul(disk.fragment_size());
    if bytes < LEAST_BYTES {
        return Some(format!("{} KiB are left", bytes >> 10));
    }
    // Some file systems count no files.
    let counts = disk.files() > 0;
    (counts && disk.files_available() < LEAST_FILES)
        .then(|| format!("{} inodes are left", disk.files_available()))
}
