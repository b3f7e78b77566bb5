//! Write-once files: written aside, hashed on the way, renamed into place.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::checksum::Algorithm;
use crate::checksum::Checksum;
use crate::digest::ContentHasher;
use crate::digest::Digest;
use crate::digest::Hashes;
use crate::digest::for_each_block;
use crate::digest::hash_file;
use crate::error::StoreError;
use crate::lock::Lock;
use crate::store::Store;
use crate::work::WorkDir;

/// From this size on a blob is synced when it is written, so that the sync of a commit, which
/// waits for everything at once, stays short.
const SYNC_AT_ONCE: u64 = 8 << 20;

/// A file being written aside; removed on drop unless it was renamed into place.
pub(crate) struct Aside {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    session: Arc<WorkDir>,
    store_fs: crate::fs::Fs,
    placed: bool,
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.placed {
            let _ = self.store_fs.remove_file(&self.path);
        }
    }
}

impl Store {
    /// Stores bytes.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if !self.freshen(&digest, bytes.len() as u64)? {
            self.put_reader(bytes)?;
        }
        Ok(digest)
    }

    /// Stores what a reader gives, to its end.
    pub fn put_reader(&self, reader: impl Read) -> Result<Digest, StoreError> {
        Ok(self.ingest(reader, Path::new("(stream)"), &[])?.digest)
    }

    /// Stores a copy of a file.
    pub fn put_file(&self, path: &Path) -> Result<Digest, StoreError> {
        Ok(self.put_file_hashes(path)?.digest)
    }

    /// Stores a copy of a file, and says its size too.
    pub(crate) fn put_file_hashes(&self, path: &Path) -> Result<Hashes, StoreError> {
        self.ingest(open_regular(path)?, path, &[])
    }

    /// Stores a copy of a file, and remembers it under digests of other algorithms too.
    pub fn put_file_named(
        &self,
        path: &Path,
        algorithms: &[Algorithm],
    ) -> Result<Hashes, StoreError> {
        let hashes = self.ingest(open_regular(path)?, path, algorithms)?;
        let text = hashes.digest.to_string();
        for checksum in &hashes.checksums {
            self.place_small(&self.layout.checksum(checksum), text.as_bytes())?;
        }
        Ok(hashes)
    }

    /// Finds a blob by another algorithm's digest, if it came by [`Store::put_file_named`] and is there.
    pub fn blob_named(&self, checksum: &Checksum) -> Option<Digest> {
        let digest = fs::read_to_string(self.layout.checksum(checksum))
            .ok()?
            .parse()
            .ok()?;
        self.has(&digest).then_some(digest)
    }

    /// Stores a file by moving it where it can be moved, else by copying; the file is gone after.
    ///
    /// The caller owns the file: nobody may write to it any more.
    #[expect(clippy::needless_pass_by_value, reason = "the file is given away")]
    pub fn take_file(&self, path: PathBuf) -> Result<Digest, StoreError> {
        let hard_links = open_regular(&path)?
            .metadata()
            .map_err(StoreError::io("read", &path))?;
        if hard_links.nlink() == 1
            && let Some(digest) = self.move_in(&path)?
        {
            return Ok(digest);
        }
        let digest = self.put_file(&path)?;
        self.fs.remove_file(&path)?;
        Ok(digest)
    }

    /// Moves a file in; nothing if it belongs to someone else or lies in another file system.
    fn move_in(&self, path: &Path) -> Result<Option<Digest>, StoreError> {
        let hashes = hash_file(path, &[]).map_err(StoreError::io("read", path))?;
        if self.freshen(&hashes.digest, hashes.size)? {
            self.fs.remove_file(path)?;
            return Ok(Some(hashes.digest));
        }
        self.session()?; // before the file is touched: it must be the younger of the two
        let prepared = self
            .fs
            .set_mode(path, 0o444)
            .and_then(|()| self.fs.touch(path));
        if matches!(&prepared, Err(StoreError::Io { source, .. })
            if source.kind() == io::ErrorKind::PermissionDenied)
        {
            return Ok(None);
        }
        prepared?;
        if hashes.size >= SYNC_AT_ONCE {
            let file = File::open(path).map_err(StoreError::io("open", path))?;
            self.fs.sync_data(&file, path)?;
        }
        let _adding = self.adding()?;
        match self.rename_in(path, &self.layout.blob(&hashes.digest)) {
            Err(StoreError::Io { source, .. })
                if source.kind() == io::ErrorKind::CrossesDevices =>
            {
                Ok(None)
            }
            other => other.map(|()| Some(hashes.digest)),
        }
    }

    /// Whether a blob is there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.layout.blob(digest).is_file()
    }

    /// Reads a blob, and checks that it still hashes to its digest.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let path = self.layout.blob(digest);
        let bytes = fs::read(&path).map_err(absent(digest, "read", &path))?;
        let found = Digest::of(&bytes);
        if found != *digest {
            let what = format!("its content hashes to `{found}`");
            return Err(StoreError::Corrupt { path, what });
        }
        Ok(bytes)
    }

    /// The path of a blob, there or not. The file is read-only and must stay so.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.layout.blob(digest)
    }

    /// The size of a blob in bytes.
    pub fn size(&self, digest: &Digest) -> Result<u64, StoreError> {
        let path = self.layout.blob(digest);
        let metadata = fs::metadata(&path).map_err(absent(digest, "read", &path))?;
        Ok(metadata.len())
    }

    /// Writes a reader aside, hashing on the way, and renames it to its digest.
    fn ingest(
        &self,
        reader: impl Read,
        from: &Path,
        others: &[Algorithm],
    ) -> Result<Hashes, StoreError> {
        let mut aside = self.aside()?;
        let mut content = ContentHasher::new(others);
        for_each_block(reader, |block| {
            content.update(block);
            self.fs
                .write(&aside.file, &aside.path, block)
                .map_err(Failed::Write)
        })
        .map_err(|failed| failed.reading(from))?;
        let hashes = content.finish();
        if self.freshen(&hashes.digest, hashes.size)? {
            return Ok(hashes);
        }
        if hashes.size >= SYNC_AT_ONCE {
            self.fs.sync_data(&aside.file, &aside.path)?;
        }
        self.fs.set_mode(&aside.path, 0o444)?;
        let _adding = self.adding()?;
        self.place(&mut aside, &self.layout.blob(&hashes.digest))?;
        Ok(hashes)
    }

    /// Whether a blob of this size is there already; if so it becomes young again, so that a
    /// collection beside this handle does not take it.
    ///
    /// A file of another size is no blob: a power cut took its content before it was synced.
    fn freshen(&self, digest: &Digest, size: u64) -> Result<bool, StoreError> {
        let path = self.layout.blob(digest);
        if !fs::metadata(&path).is_ok_and(|there| there.is_file() && there.len() == size) {
            return Ok(false);
        }
        self.session()?;
        let _adding = self.adding()?;
        match self.fs.touch(&path) {
            Ok(()) => Ok(true),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a new file aside, in the scratch directory of this handle.
    pub(crate) fn aside(&self) -> Result<Aside, StoreError> {
        let session = self.session()?;
        let path = session.path().join(self.next_number().to_string());
        let file = self.fs.create_new(&path)?;
        Ok(Aside {
            path,
            file,
            session,
            store_fs: self.fs.clone(),
            placed: false,
        })
    }

    /// Renames a file written aside into place.
    pub(crate) fn place(&self, aside: &mut Aside, to: &Path) -> Result<(), StoreError> {
        debug_assert!(
            aside.path.starts_with(aside.session.path()),
            "written by this handle"
        );
        self.rename_in(&aside.path, to)?;
        aside.placed = true;
        Ok(())
    }

    /// Writes a small file aside and renames it into place, over what was there.
    pub(crate) fn place_small(&self, to: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let mut aside = self.aside()?;
        self.fs.write(&aside.file, &aside.path, bytes)?;
        self.place(&mut aside, to)
    }

    /// Renames, making the directory of `to` if that is what is missing.
    fn rename_in(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        match self.fs.rename(from, to) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = to.parent() {
                    self.fs.create_dir_all(parent)?;
                }
                self.fs.rename(from, to)
            }
            other => other,
        }
    }

    /// Held while something is added or relied on, so that no collection runs meanwhile.
    pub(crate) fn adding(&self) -> Result<Lock, StoreError> {
        Lock::shared(&self.fs, &self.layout.gc_lock())
    }
}

/// Which side of a copy failed.
pub(crate) enum Failed {
    Read(io::Error),
    Write(StoreError),
}

impl Failed {
    /// The error, where `from` was read.
    pub(crate) fn reading(self, from: &Path) -> StoreError {
        match self {
            Self::Read(source) => StoreError::io("read", from)(source),
            Self::Write(error) => error,
        }
    }
}

impl From<io::Error> for Failed {
    fn from(source: io::Error) -> Self {
        Self::Read(source)
    }
}

fn open_regular(path: &Path) -> Result<File, StoreError> {
    let metadata = fs::symlink_metadata(path).map_err(StoreError::io("read", path))?;
    if !metadata.is_file() {
        return Err(StoreError::Unsupported {
            path: path.to_owned(),
            what: "not a regular file",
        });
    }
    File::open(path).map_err(StoreError::io("open", path))
}

/// An I/O error on a blob, in which "not found" means that the blob is missing.
pub(crate) fn absent(
    digest: &Digest,
    op: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> StoreError {
    let digest = *digest;
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::NotFound => StoreError::MissingBlob(digest),
        _ => StoreError::io(op, &path)(source),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        (dir, store)
    }

    #[test]
    fn a_blob_is_one_read_only_file_named_by_its_digest() {
        let (_dir, store) = store();
        let digest = store.put_bytes(b"hello").unwrap();
        assert_eq!(digest, Digest::of(b"hello"));
        assert_eq!(store.put_reader(&b"hello"[..]).unwrap(), digest);
        let path = store.blob_path(&digest);
        assert!(path.ends_with(format!("blobs/{}/{digest}", &digest.to_string()[..2])));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o444);
        assert_eq!(
            (store.read(&digest).unwrap(), store.size(&digest).unwrap()),
            (b"hello".to_vec(), 5)
        );
    }

    #[test]
    fn an_absent_blob_is_missing_and_a_changed_one_is_corrupt() {
        let (_dir, store) = store();
        let absent = Digest::of(b"absent");
        assert!(!store.has(&absent));
        assert!(matches!(store.read(&absent), Err(StoreError::MissingBlob(d)) if d == absent));
        let digest = store.put_bytes(b"hello").unwrap();
        let path = store.blob_path(&digest);
        fs::remove_file(&path).unwrap();
        fs::write(&path, b"jello").unwrap();
        assert!(store.read(&digest).unwrap_err().is_corruption());
    }

    #[test]
    fn a_blob_that_lost_its_content_is_written_again() {
        let (_dir, store) = store();
        let digest = store.put_bytes(b"hello").unwrap();
        fs::remove_file(store.blob_path(&digest)).unwrap();
        fs::write(store.blob_path(&digest), b"").unwrap();
        store.put_bytes(b"hello").unwrap();
        assert_eq!(store.read(&digest).unwrap(), b"hello");
    }

    #[test]
    fn a_taken_file_is_gone_and_a_linked_one_is_copied() {
        let (dir, store) = store();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, "one").unwrap();
        assert_eq!(store.take_file(a.clone()).unwrap(), Digest::of(b"one"));
        assert!(!a.exists());
        fs::write(&a, "two").unwrap();
        fs::hard_link(&a, &b).unwrap();
        let two = store.take_file(a.clone()).unwrap();
        fs::write(&b, "changed").unwrap();
        assert!(!a.exists());
        assert_eq!(store.read(&two).unwrap(), b"two");
        std::os::unix::fs::symlink("b", &a).unwrap();
        assert!(matches!(
            store.take_file(a),
            Err(StoreError::Unsupported { .. })
        ));
    }

    #[test]
    fn a_file_is_found_by_digests_of_others() {
        let (dir, store) = store();
        let path = dir.path().join("abc");
        fs::write(&path, "abc").unwrap();
        let hashes = store.put_file_named(&path, &Algorithm::ALL).unwrap();
        assert_eq!(hashes.checksums.len(), Algorithm::ALL.len());
        for checksum in &hashes.checksums {
            assert_eq!(store.blob_named(checksum), Some(hashes.digest));
        }
        fs::remove_file(store.blob_path(&hashes.digest)).unwrap();
        for checksum in &hashes.checksums {
            assert_eq!(store.blob_named(checksum), None);
        }
    }
}
