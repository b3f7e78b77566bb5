//! How much the store takes on the disk, by part.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::store::Store;

/// How much one part of the store takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files of any kind, without directories.
    pub files: u64,
    /// Bytes allocated on the disk.
    pub bytes: u64,
}

impl Store {
    /// What each part takes: the directories of the store by name, then the database. What this
    /// process may not read (trees of mapped sub-uids) is not counted.
    pub fn disk_usage(&self) -> Vec<(&'static str, Usage)> {
        let parts = [
            "blobs",
            "records",
            "blake2b",
            "sha256",
            "sha512",
            "cache",
            "unpacked",
            "objects",
            "work",
            "trash",
            "quarantine",
        ];
        let mut parts: Vec<_> = parts
            .into_iter()
            .map(|part| (part, usage(&self.layout.dir(part))))
            .collect();
        let mut database = Usage::default();
        for name in ["db.sqlite", "db.sqlite-wal", "db.sqlite-shm"] {
            add(&self.layout.dir(name), &mut database);
        }
        parts.push(("database", database));
        parts
    }
}

/// How much a directory and all below it take.
pub(crate) fn usage(path: &Path) -> Usage {
    let mut usage = Usage::default();
    add(path, &mut usage);
    usage
}

fn add(path: &Path, usage: &mut Usage) {
    let Ok(metadata) = path.symlink_metadata() else {
        return;
    };
    usage.bytes += metadata.blocks() * 512;
    if !metadata.is_dir() {
        usage.files += 1;
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        add(&entry.path(), usage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_apart() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.put_bytes(&[1; 10_000]).unwrap();
        let usage = store.disk_usage();
        let blobs = usage.iter().find(|(part, _)| *part == "blobs").unwrap().1;
        assert_eq!(blobs.files, 1);
        assert!(blobs.bytes >= 10_000);
        let quarantine = usage
            .iter()
            .find(|(part, _)| *part == "quarantine")
            .unwrap()
            .1;
        assert_eq!(quarantine.files, 0);
    }
}
