//! Claims: one builder per key, across processes. Leases: keys a run relies on.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::io::Read as _;
use std::path::Path;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::lock::Lock;
use crate::store::Store;

/// The right to build a key, held by one owner at a time; given back on drop, or by death.
///
/// After a claim was waited for, look for the record again: its last owner may have made it.
#[derive(Debug)]
pub struct Claim {
    lock: Lock,
}

impl Claim {
    /// Leaves a line for others to read as long as the claim is held ([`Store::claimed`]).
    pub fn note(&self, text: &str) -> Result<(), StoreError> {
        self.lock.write(text.as_bytes())
    }
}

/// Keys that no collection takes; given back on drop, or by death.
#[derive(Debug)]
pub struct Lease {
    missing: Vec<Digest>,
    _lock: Lock,
}

impl Lease {
    /// The leased keys that have no record (any more).
    pub fn missing(&self) -> &[Digest] {
        &self.missing
    }
}

impl Store {
    /// Claims a key, waiting for its owner.
    pub fn claim(&self, key: &Digest) -> Result<Claim, StoreError> {
        let lock = Lock::exclusive(&self.fs, &self.layout.claim(key))?;
        Ok(Claim {
            lock: lock.removed_after(),
        })
    }

    /// Claims a key, unless someone owns it.
    pub fn try_claim(&self, key: &Digest) -> Result<Option<Claim>, StoreError> {
        let lock = Lock::try_exclusive(&self.fs, &self.layout.claim(key))?;
        Ok(lock.map(|lock| Claim {
            lock: lock.removed_after(),
        }))
    }

    /// What the owner of a key left to be read, perhaps nothing yet; `None` where nobody owns it.
    pub fn claimed(&self, key: &Digest) -> Result<Option<String>, StoreError> {
        let path = self.layout.claim(key);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("open", &path)(error)),
        };
        match file.try_lock_shared() {
            // Closing the file gives it back.
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &path)(source)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(StoreError::io("read", &path))?;
        Ok(Some(text))
    }

    /// Leases the records of keys that a run is going to rely on, so that a collection beside it
    /// keeps them and their blobs.
    pub fn lease(&self, keys: &[Digest]) -> Result<Lease, StoreError> {
        let name = format!("{}-{}", std::process::id(), self.next_number());
        let session = self.session()?;
        // The session makes the name one of a kind, in this pid namespace and any other.
        let session = session
            .outer()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let path = self
            .layout
            .dir("locks/leases")
            .join(format!("{session}-{name}"));
        let _adding = self.adding()?;
        let lock = Lock::exclusive(&self.fs, &path)?.removed_after();
        let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0).collect();
        lock.write(&bytes)?;
        let records = self.load_records()?;
        let missing = keys
            .iter()
            .filter(|key| records.get(key).is_none())
            .copied()
            .collect();
        Ok(Lease {
            missing,
            _lock: lock,
        })
    }

    /// The keys that live owners claim or lease. Files of dead owners are removed on the way.
    pub(crate) fn held_keys(&self) -> Result<Vec<Digest>, StoreError> {
        let mut keys = Vec::new();
        self.each_held(&self.layout.dir("locks/claims"), |path| {
            keys.extend(
                path.file_name()
                    .and_then(|name| name.to_str()?.parse::<Digest>().ok()),
            );
            Ok(())
        })?;
        self.each_held(&self.layout.dir("locks/leases"), |path| {
            let bytes = fs::read(path).map_err(StoreError::io("read", path))?;
            keys.extend(bytes.chunks_exact(32).filter_map(Digest::from_slice));
            Ok(())
        })?;
        Ok(keys)
    }

    fn each_held(
        &self,
        dir: &Path,
        mut visit: impl FnMut(&Path) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for entry in fs::read_dir(dir).map_err(StoreError::io("list", dir))? {
            let path = entry.map_err(StoreError::io("list", dir))?.path();
            match Lock::try_exclusive(&self.fs, &path)? {
                Some(lock) => drop(lock.removed_after()),
                None => visit(&path)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_owner_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (
            Store::open(dir.path()).unwrap(),
            Store::open(dir.path()).unwrap(),
        );
        let key = Digest::of(b"k");
        let claim = one.claim(&key).unwrap();
        assert!(two.try_claim(&key).unwrap().is_none());
        assert!(one.try_claim(&key).unwrap().is_none());
        assert!(two.try_claim(&Digest::of(b"other")).unwrap().is_some());
        assert_eq!(two.held_keys().unwrap(), [key]);
        drop(claim);
        assert!(two.try_claim(&key).unwrap().is_some());
        assert_eq!(two.held_keys().unwrap(), []);
        assert_eq!(
            fs::read_dir(dir.path().join("locks/claims"))
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn a_lease_says_which_records_are_missing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let record = crate::record::tests::put_record(&store, "a");
        store.commit(&record).unwrap();
        let absent = Digest::of(b"absent");
        let lease = store.lease(&[record.key, absent]).unwrap();
        assert_eq!(lease.missing(), [absent]);
        assert_eq!(store.held_keys().unwrap(), [record.key, absent]);
        drop(lease);
        assert_eq!(store.held_keys().unwrap(), []);
    }
}
