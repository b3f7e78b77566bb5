//! Extracts tar archives inside a user namespace.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::iter;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use flate2::bufread::MultiGzDecoder;
use liblzma::read::XzDecoder;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::UtimensatFlags;
use nix::sys::stat::utimensat;
use nix::sys::time::TimeSpec;
use tar::Archive;
use tar::Entry;
use tar::EntryType;

use super::error::Step;
use super::error::StepError;

const XZ: &[u8] = b"\xfd7zXZ\0";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Bytes per message from the decoding thread, and how many may wait.
const CHUNK: usize = 1 << 20;
const CHUNKS: usize = 8;

/// How the tar crate begins the error for an extended attribute; all else of the entry is done then.
const XATTR_REFUSED: &str = "failed to set extended attributes";

/// The bytes of what is plain or compressed by gzip, xz or zstd, told by how it begins.
pub fn decompressed<'r>(
    mut file: impl BufRead + Send + 'r,
) -> io::Result<Box<dyn Read + Send + 'r>> {
    let magic = file.fill_buf()?;
    Ok(if magic.starts_with(XZ) {
        Box::new(XzDecoder::new(file))
    } else if magic.starts_with(ZSTD) {
        Box::new(zstd::Decoder::with_buffer(file)?)
    } else if magic.starts_with(GZIP) {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}

/// Extracts the archive at `archive` into `dest`; see [`Sandbox::unpack`](super::Sandbox::unpack).
pub(super) fn unpack(
    archive: &Path,
    dest: &Path,
    strip_top: bool,
    owners: bool,
) -> Result<(), StepError> {
    let reading = || format!("read `{}`", archive.display());
    let begin = begin(archive).step(reading)?;
    let file = File::open(archive).step(reading)?;
    let bytes = decompressed(BufReader::with_capacity(CHUNK, file)).step(reading)?;
    let unpack = || format!("unpack `{}` into `{}`", archive.display(), dest.display());
    fs::create_dir_all(dest)
        .and_then(|()| fs::canonicalize(dest))
        .and_then(|dest| {
            // A root filesystem's devices are the sandbox's.
            extract(Decoded::start(bytes)?, &dest, owners, !strip_top)
                .map_err(|error| explained(error, &begin))?;
            if strip_top { strip(&dest) } else { Ok(()) }
        })
        .step(unpack)
}

fn extract(bytes: impl Read, dest: &Path, owners: bool, is_root: bool) -> io::Result<()> {
    let mut archive = Archive::new(bytes);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(owners);
    archive.set_unpack_xattrs(true);
    // Directories come last and the deepest first: their modes could forbid, and their contents
    // would change, what is set on them.
    let mut directories = Vec::new();
    let mut any = false;
    for entry in archive.entries()? {
        // What it is not is told by its first bytes.
        let mut entry = entry.map_err(|error| if any { error } else { NotTar::of(error) })?;
        any = true;
        let whole = entry.path()?;
        // Of a root filesystem it is meant below that.
        if !is_root && whole.is_absolute() {
            let message = format!("the entry `{}` has an absolute path", whole.display());
            return Err(io::Error::other(message));
        }
        let path = inside(&whole);
        if is_root && below_dev(&path) {
            continue;
        }
        match entry.header().entry_type() {
            EntryType::Directory => directories.push((path, entry)),
            EntryType::Block | EntryType::Char | EntryType::Fifo => {}
            EntryType::Link => {
                check_link(&entry, dest)?;
                place(&mut entry, dest)?;
            }
            _ => place(&mut entry, dest)?,
        }
    }
    directories.sort_by(|(a, _), (b, _)| b.cmp(a));
    for (path, mut entry) in directories {
        place(&mut entry, dest)?;
        let seconds = i64::try_from(entry.header().mtime()?).map_err(io::Error::other)?;
        let time = TimeSpec::new(seconds, 0);
        utimensat(
            AT_FDCWD,
            &dest.join(path),
            &time,
            &time,
            UtimensatFlags::NoFollowSymlink,
        )?;
    }
    Ok(())
}

fn place(entry: &mut Entry<'_, impl Read>, dest: &Path) -> io::Result<()> {
    match entry.unpack_in(dest) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let path = entry.path()?;
            Err(io::Error::other(format!(
                "the entry `{}` leads out of it",
                path.display()
            )))
        }
        Err(error) => {
            let texts: Vec<String> = chain(&error).map(ToString::to_string).collect();
            if texts.iter().any(|text| text.starts_with(XATTR_REFUSED)) {
                return Ok(());
            }
            // Whose entry it is, not where it was to be put.
            let reason = texts.last().cloned().unwrap_or_default();
            let path = entry.path()?;
            Err(io::Error::new(
                error.kind(),
                format!("the entry `{}`: {reason}", path.display()),
            ))
        }
    }
}

/// Refuses a hard link to what is not in the archive: the system would only say that there is no such file.
fn check_link(entry: &Entry<'_, impl Read>, dest: &Path) -> io::Result<()> {
    let target = entry.link_name()?.unwrap_or_default().into_owned();
    let leads_out =
        target.is_absolute() || target.components().any(|part| part == Component::ParentDir);
    if leads_out || dest.join(&target).symlink_metadata().is_err() {
        return Err(io::Error::other(format!(
            "the entry `{}` is a hard link to `{}`, which is not in it",
            entry.path()?.display(),
            target.display()
        )));
    }
    Ok(())
}

/// Gives an error and its causes, which the tar crate's own texts leave out.
fn chain(error: &io::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(Some(error as &(dyn Error + 'static)), |&error| {
        error.source()
    })
}

/// Gives the path as it will be below the destination.
fn inside(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect()
}

fn below_dev(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::Normal(OsStr::new("dev"))) && parts.next().is_some()
}

/// The error of a file whose first entry is none.
#[derive(Debug, thiserror::Error)]
#[error("it is no tar archive")]
struct NotTar;

impl NotTar {
    /// What the tar crate says of a first block that is no header; what the decoder says of damage stays as it is.
    fn of(error: io::Error) -> io::Error {
        const BEGINS: [&str; 3] = [
            "failed to read entire block",
            "archive header checksum mismatch",
            "numeric field was not a number",
        ];
        let texts: Vec<String> = chain(&error).map(ToString::to_string).collect();
        let is_header = |text: &String| BEGINS.iter().any(|begin| text.starts_with(begin));
        if texts.iter().any(is_header) {
            io::Error::other(Self)
        } else {
            error
        }
    }
}

/// How the file begins.
fn begin(path: &Path) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut begin)?;
    Ok(begin)
}

/// Says of a file that is no archive what it seems to be, and what is read.
fn explained(error: io::Error, begin: &[u8]) -> io::Error {
    const OTHERS: [(&[u8], &str); 5] = [
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"LZIP", "lzip"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"\x5d\x00\x00", "lzma"),
    ];
    const READ: &str = "tar is read, plain or compressed by gzip, xz or zstd";
    let is_other = error.get_ref().is_none_or(|error| !error.is::<NotTar>());
    if is_other {
        return error;
    }
    let other = OTHERS.iter().find(|(magic, _)| begin.starts_with(magic));
    let known = [XZ, ZSTD, GZIP]
        .iter()
        .any(|magic| begin.starts_with(magic));
    let what = match other {
        Some((_, name)) => format!("it is compressed by {name}"),
        None if known => "what is compressed in it is no tar archive".to_owned(),
        None => {
            let text: String = String::from_utf8_lossy(begin)
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(40)
                .collect();
            format!("it is no tar archive, it begins with `{}`", text.trim())
        }
    };
    io::Error::other(format!("{what}; {READ}"))
}

/// Moves everything in the one top directory of `dest` up.
fn strip(dest: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(dest)?.collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<String> = entries
        .iter()
        .map(|entry| format!("`{}`", entry.file_name().to_string_lossy()))
        .collect();
    names.sort();
    names.truncate(3);
    let top = match (entries.pop(), entries.is_empty()) {
        (Some(top), true) if top.file_type()?.is_dir() => top.path(),
        (None, _) => return Err(io::Error::other("it is empty")),
        _ => {
            let message = format!(
                "it does not hold one top directory, but {}",
                names.join(", ")
            );
            return Err(io::Error::other(message));
        }
    };
    // The top directory may hold an entry of its own name.
    let aside = dest.join(".top");
    fs::rename(top, &aside)?;
    for entry in fs::read_dir(&aside)? {
        let entry = entry?;
        fs::rename(entry.path(), dest.join(entry.file_name()))?;
    }
    fs::remove_dir(aside)
}

/// What a thread has decoded, so that decoding and writing files take their time side by side.
struct Decoded {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    chunk: io::Cursor<Vec<u8>>,
}

impl Decoded {
    fn start(mut bytes: Box<dyn Read + Send>) -> io::Result<Decoded> {
        let (sender, chunks) = mpsc::sync_channel(CHUNKS);
        thread::Builder::new().spawn(move || {
            loop {
                let mut chunk = Vec::with_capacity(CHUNK);
                let read = (&mut bytes).take(CHUNK as u64).read_to_end(&mut chunk);
                let last = !matches!(read, Ok(1..));
                // Nobody receives any more once extraction has failed.
                if sender.send(read.map(|_| chunk)).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(Decoded {
            chunks,
            chunk: io::Cursor::default(),
        })
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.chunk.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.chunks.recv() {
                Ok(chunk) => self.chunk = io::Cursor::new(chunk?),
                Err(_) => return Ok(0),
            }
            if self.chunk.get_ref().is_empty() {
                return Ok(0);
            }
        }
    }
}
