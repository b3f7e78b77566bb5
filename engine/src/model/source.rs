//! Where bytes come from: kernel sources, base root filesystems and the images made of them.

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Version;

/// A text file of the definitions project (or of `std/`), taken in whole at evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectFile {
    /// Path below the project root, or `std/…` for an embedded file.
    pub path: String,
    /// The whole content, UTF-8.
    pub text: String,
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
    /// Patches in the order they are applied with `patch -p1`.
    pub patches: Vec<ProjectFile>,
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
}

impl FamilyName {
    /// As definitions and lock files write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debian => "debian",
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
}

impl BaseOrigin {
    /// The family.
    pub fn family(&self) -> FamilyName {
        match self {
            Self::Debian { .. } => FamilyName::Debian,
        }
    }

    /// The family's name of the architecture.
    pub fn arch(&self) -> &str {
        match self {
            Self::Debian { arch, .. } => arch,
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
