//! The one tarball of a source tree: the same bytes for the same files, wherever they come from.
//!
//! Files and links lie below the top directory `linux`, sorted part by part of their paths, with nobody's ids, one time, and modes 644 or 755.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use tar::Builder;
use tar::EntryType;
use tar::Header;
use zstd::stream::write::Encoder;

use crate::sandbox::Cancel;
use crate::sandbox::EPOCH;
use crate::sandbox::Watching;

/// Level 3 is zstd's own default: 204 MB for a 1.3 GB tree, at disk speed.
const ZSTD_LEVEL: i32 = 3;
/// The top directory.
const TOP: &str = "linux";

/// A tarball that is written. Whoever writes it keeps the order.
#[expect(missing_debug_implementations, reason = "neither has the encoder one")]
pub struct SourceTar(Builder<Encoder<'static, Watching<File>>>);

impl SourceTar {
    /// Begins one at a path; it fails once it is cancelled.
    pub fn create(out: &Path, cancel: &Cancel) -> io::Result<Self> {
        let file = cancel.watching(File::create(out)?);
        Ok(Self(Builder::new(Encoder::new(file, ZSTD_LEVEL)?)))
    }

    /// Adds a file of `size` bytes at a path below the top directory.
    pub fn file(
        &mut self,
        path: &Path,
        executable: bool,
        size: u64,
        content: impl Read,
    ) -> io::Result<()> {
        let mut header = header(EntryType::Regular, executable);
        header.set_size(size);
        let content = content.take(size);
        self.0
            .append_data(&mut header, Path::new(TOP).join(path), content)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        let mut header = header(EntryType::Symlink, true);
        header.set_size(0);
        self.0
            .append_link(&mut header, Path::new(TOP).join(path), target)
    }

    /// Ends it.
    pub fn finish(self) -> io::Result<()> {
        self.0.into_inner()?.finish()?.into_inner().sync_data()
    }
}

fn header(kind: EntryType, executable: bool) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(EPOCH);
    header
}
