//! Where bytes come from: kernel sources, base root filesystems and the images made of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Version;

/// A text file of the definitions project (or of `std/`), taken in whole at evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectFile {
    /// Path below the project root, or `std/…` for an embedded file.
    pub path: String,
    /// The whole content as text.
    pub text: String,
    /// It is not UTF-8: each character of `text` stands for one byte (ISO 8859-1).
    pub latin1: bool,
}

impl ProjectFile {
    /// A file of these bytes.
    pub fn of(path: &str, bytes: Vec<u8>) -> Self {
        let (text, latin1) = match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(other) => {
                let bytes = other.as_bytes().iter().copied();
                (bytes.map(char::from).collect(), true)
            }
        };
        Self {
            path: path.to_owned(),
            text,
            latin1,
        }
    }

    /// The content as it is in the file.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        if self.latin1 {
            let bytes = self.text.chars().map(|c| u8::try_from(c).unwrap_or(b'?'));
            Cow::Owned(bytes.collect())
        } else {
            Cow::Borrowed(self.text.as_bytes())
        }
    }
}

/// A kernel source tree: one origin plus a patch series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// First component of every build address made from it.
    pub name: String,
    /// Where the unpatched tree comes from.
    pub origin: SourceOrigin,
    /// The kernel's version, or the beginning of it, where it is known before the source is fetched.
    pub version: Option<Version>,
    /// Patches in the order they are applied.
    pub patches: Vec<Patch>,
}

/// A change of a source's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// What it is called, and its text: of a mail, as it was meant.
    pub file: ProjectFile,
    /// How many leading directories of its paths are left out.
    pub strip: u8,
    /// It is one of several mails, of which those that change nothing, such as a cover letter, are passed over.
    pub of_series: bool,
}

/// The origin of a kernel source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceOrigin {
    /// A Debian `linux-source-*` package; version and digest stand in the lock file.
    Debian {
        /// Binary package name, such as `linux-source-6.1`.
        package: String,
        /// Debian suite that carries it, such as `bookworm`.
        suite: String,
    },
    /// A tarball (plain, gzip, xz or zstd) with one top directory.
    Tarball {
        /// Equivalent places, tried in order.
        urls: Vec<String>,
        /// SHA-256 of the file, 64 lower-case hex digits.
        sha256: String,
    },
    /// A commit of a git repository; its id and tree stand in the lock file.
    Git(GitOrigin),
}

/// A git repository, and the commit of it that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitOrigin {
    /// Equivalent places, tried in order.
    pub urls: Vec<String>,
    /// Which commit.
    pub want: GitWant,
    /// How many commits of its history are fetched, itself included.
    pub depth: u32,
}

/// What names a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitWant {
    /// The tip of a branch, without `refs/heads/`.
    Branch(String),
    /// A tag without `refs/tags/`, or with `*` the newest by version that is like it.
    Tag(String),
    /// Its id, 40 lower-case hex digits.
    Commit(String),
}

/// Whether a text is an id of git: 40 lower-case hex digits.
pub fn is_git_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl GitWant {
    /// What it is, as definitions and lock files write it, and its name.
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Branch(name) => ("branch", name),
            Self::Tag(name) => ("tag", name),
            Self::Commit(id) => ("commit", id),
        }
    }
}

/// A base root filesystem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Unique among bases.
    pub name: String,
    /// How it is made. The variant is the *family*: it says how packages are added to images.
    pub origin: BaseOrigin,
}

/// A family of root filesystems: how its bases are made, and packages added to its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FamilyName {
    /// Debian: apt and dpkg.
    Debian,
    /// Gentoo: stage3s and Portage.
    Gentoo,
}

impl FamilyName {
    /// As definitions and lock files write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Gentoo => "gentoo",
        }
    }
}

/// The family of a base, with what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaseOrigin {
    /// A Debian root filesystem made by `mmdebstrap` from packages pinned in the lock file.
    Debian {
        /// Debian suite, such as `bookworm`.
        suite: String,
        /// Debian architecture name, such as `amd64` or `arm64`.
        arch: String,
        /// Packages beside the essential set and apt, sorted.
        packages: Vec<String>,
    },
    /// A stage3 of Gentoo's mirrors, pinned in the lock file.
    Gentoo(Stage3),
}

/// A Gentoo root filesystem, and how packages are added to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage3 {
    /// What follows `stage3-` in the file's name, such as `amd64-openrc`.
    pub name: String,
    /// Mirrors, tried in order: what `releases/` and `snapshots/` lie below, without `/` at the end.
    pub mirrors: Vec<String>,
    /// Who vouches for what the mirrors give.
    pub trust: Trust,
    /// What Portage is told beyond the stage3's own settings, by the names of make.conf(5).
    pub make_conf: BTreeMap<String, String>,
}

/// Who vouches for downloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// OpenPGP signatures.
    Signed {
        /// Fingerprints of primary keys, in upper-case hex digits, sorted.
        keys: Vec<String>,
        /// Where the keys themselves are, tried in order.
        urls: Vec<String>,
    },
    /// Nobody.
    Unsigned {
        /// Why that is acceptable.
        reason: String,
    },
}

impl Trust {
    /// Where the keys are; none where nothing is signed.
    pub fn urls(&self) -> &Vec<String> {
        const NONE: &Vec<String> = &Vec::new();
        match self {
            Self::Signed { urls, .. } => urls,
            Self::Unsigned { .. } => NONE,
        }
    }
}

impl BaseOrigin {
    /// The family.
    pub fn family(&self) -> FamilyName {
        match self {
            Self::Debian { .. } => FamilyName::Debian,
            Self::Gentoo(_) => FamilyName::Gentoo,
        }
    }

    /// The family's name of the architecture; a stage3's own name says it.
    pub fn arch(&self) -> &str {
        match self {
            Self::Debian { arch, .. } => arch,
            Self::Gentoo(stage3) => &stage3.name,
        }
    }
}

/// A cached image: a base, the `buildbot` user with the worker's uid, and more packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Unique among images.
    pub name: String,
    /// Name of a declared base.
    pub base: String,
    /// Packages added in the base family's own way, sorted.
    pub packages: Vec<String>,
}
