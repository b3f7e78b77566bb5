//! The files an evaluation may see: the project's, the standard library's, and no others.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use thiserror::Error;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;
/// Most names of a directory.
const MAX_NAMES: usize = 10_000;

/// A definitions project: a directory, or files in memory.
#[derive(Clone, Debug)]
pub enum Files {
    /// A directory; nothing outside it is read, also not through symbolic links.
    Directory(PathBuf),
    /// Content by path below the project root.
    Memory(BTreeMap<String, String>),
}

/// Why a file could not be had.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FileError {
    /// The path is not of the form that is allowed.
    #[error("`{0}` is not a path below the project root")]
    Escape(String),
    /// There is no such file.
    #[error("there is no file `{0}` in the project")]
    Missing(String),
    /// There is no such file in the standard library.
    #[error("the standard library has no file `{0}`")]
    MissingStandard(String),
    /// It is there but cannot be taken in.
    #[error("cannot read `{path}`: {reason}")]
    Unreadable {
        /// The path.
        path: String,
        /// The system's reason, or ours.
        reason: String,
    },
}

/// The standard library, by the path definitions know it under.
const STANDARD: &[(&str, &str)] = &[
    (
        "std/arches.rhai",
        include_str!("../../../stdlib/arches.rhai"),
    ),
    (
        "std/debian.rhai",
        include_str!("../../../stdlib/debian.rhai"),
    ),
    (
        "std/gentoo.rhai",
        include_str!("../../../stdlib/gentoo.rhai"),
    ),
    ("std/init.c", include_str!("../../../stdlib/init.c")),
    (
        "std/kconfig.rhai",
        include_str!("../../../stdlib/kconfig.rhai"),
    ),
    ("std/lava.rhai", include_str!("../../../stdlib/lava.rhai")),
    (
        "std/libc/alpha.c",
        include_str!("../../../stdlib/libc/alpha.c"),
    ),
    (
        "std/matrix.rhai",
        include_str!("../../../stdlib/matrix.rhai"),
    ),
    ("std/qemu.rhai", include_str!("../../../stdlib/qemu.rhai")),
    (
        "std/suites/general.c",
        include_str!("../../../stdlib/suites/general.c"),
    ),
    (
        "std/suites/panic.c",
        include_str!("../../../stdlib/suites/panic.c"),
    ),
];

/// The demo project, by path below its root.
const DEMO: &[(&str, &str)] = &[
    (
        "boards.rhai",
        include_str!("../../../definitions/demo/boards.rhai"),
    ),
    (
        "configs.rhai",
        include_str!("../../../definitions/demo/configs.rhai"),
    ),
    (
        "main.rhai",
        include_str!("../../../definitions/demo/main.rhai"),
    ),
    (
        "toolchains.rhai",
        include_str!("../../../definitions/demo/toolchains.rhai"),
    ),
];

/// The standard library's files as (`std/…` path, content), sorted by path.
pub fn embedded() -> &'static [(&'static str, &'static str)] {
    STANDARD
}

/// The demo project's files as (path below its root, content), sorted by path.
pub fn demo() -> &'static [(&'static str, &'static str)] {
    DEMO
}

impl Files {
    /// Files in memory.
    pub fn memory<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::Memory(
            files
                .into_iter()
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .collect(),
        )
    }

    /// The content of the file at `path`, below the project root or `std/…`.
    pub fn read(&self, path: &str) -> Result<String, FileError> {
        String::from_utf8(self.read_bytes(path)?).map_err(|_| FileError::Unreadable {
            path: path.to_owned(),
            reason: "not UTF-8".to_owned(),
        })
    }

    /// The same for a file that need not be UTF-8.
    pub fn read_bytes(&self, path: &str) -> Result<Vec<u8>, FileError> {
        if !is_plain(path) {
            return Err(FileError::Escape(path.to_owned()));
        }
        if path.starts_with("std/") {
            return STANDARD
                .iter()
                .find(|(name, _)| *name == path)
                .map(|(_, text)| text.as_bytes().to_vec())
                .ok_or_else(|| FileError::MissingStandard(path.to_owned()));
        }
        match self {
            Self::Memory(files) => files
                .get(path)
                .map(|text| text.as_bytes().to_vec())
                .ok_or_else(|| FileError::Missing(path.to_owned())),
            Self::Directory(root) => read_below(root, path),
        }
    }

    /// The names of a directory's regular files, sorted, where it is a directory of the project.
    pub fn list(&self, path: &str) -> Result<Option<Vec<String>>, FileError> {
        if !is_plain(path) {
            return Err(FileError::Escape(path.to_owned()));
        }
        let mut names = match self {
            Self::Memory(files) => {
                let below = format!("{path}/");
                let names = files.keys().filter_map(|file| file.strip_prefix(&below));
                let names: Vec<String> = names.map(str::to_owned).collect();
                if names.is_empty() {
                    return Ok(None);
                }
                names
            }
            Self::Directory(root) => match list_below(root, path)? {
                None => return Ok(None),
                Some(names) => names,
            },
        };
        names.sort();
        Ok(Some(names))
    }

    /// What tells whether a directory has other files now: their names, a line each.
    pub fn listing(&self, dir: &str) -> Option<Vec<u8>> {
        Some(listing(&self.list(dir).ok()??))
    }
}

/// Names as [`Files::listing`] has them.
pub(super) fn listing(names: &[String]) -> Vec<u8> {
    names.join("\n").into_bytes()
}

/// Whether a path has plain segments only: no `..`, no `.`, not absolute, no odd characters.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|segment| {
        !segment.is_empty()
            && !matches!(segment, "." | "..")
            && segment
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.+-".contains(c))
    })
}

/// The real path of something below a root, through no link that leads out.
fn real(root: &Path, path: &str) -> Result<PathBuf, FileError> {
    let root = fs::canonicalize(root).map_err(missing(path))?;
    let real = fs::canonicalize(root.join(path)).map_err(missing(path))?;
    if !real.starts_with(&root) {
        return Err(FileError::Escape(path.to_owned()));
    }
    Ok(real)
}

fn missing(path: &str) -> impl Fn(std::io::Error) -> FileError {
    move |error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            FileError::Missing(path.to_owned())
        }
        _ => unreadable(path, error.to_string()),
    }
}

fn unreadable(path: &str, reason: String) -> FileError {
    FileError::Unreadable {
        path: path.to_owned(),
        reason,
    }
}

fn read_below(root: &Path, path: &str) -> Result<Vec<u8>, FileError> {
    let real = real(root, path)?;
    let facts = fs::metadata(&real).map_err(missing(path))?;
    // Opening a FIFO would wait for ever.
    if !facts.is_file() {
        return Err(unreadable(path, "not a regular file".to_owned()));
    }
    if facts.len() > MAX_BYTES {
        let reason = format!("larger than {} MiB", MAX_BYTES >> 20);
        return Err(unreadable(path, reason));
    }
    fs::read(&real).map_err(missing(path))
}

fn list_below(root: &Path, path: &str) -> Result<Option<Vec<String>>, FileError> {
    let real = real(root, path)?;
    if !real.is_dir() {
        return Ok(None);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&real).map_err(missing(path))? {
        let entry = entry.map_err(missing(path))?;
        if !entry.path().is_file() {
            continue;
        }
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| {
            let reason = format!("the name {} is not UTF-8", name.display());
            unreadable(path, reason)
        })?;
        names.push(name.to_owned());
        if names.len() > MAX_NAMES {
            return Err(unreadable(path, format!("more than {MAX_NAMES} files")));
        }
    }
    Ok(Some(names))
}
