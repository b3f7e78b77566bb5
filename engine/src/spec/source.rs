//! A kernel source: what the downloaded file is, and the patches on top.

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Version;
use crate::model::Patch;

/// Input `files` (one file). Output `tar`: a tarball with one top directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSpec {
    /// What the downloaded file is.
    pub form: SourceForm,
    /// What the kernel's Makefile must say, or the beginning of it.
    pub version: Option<Version>,
    /// Applied in order; the path tells a failed one.
    pub patches: Vec<Patch>,
}

/// How the source lies in what was downloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceForm {
    /// It is the tarball (plain, gzip, xz or zstd).
    Tarball,
    /// A Debian package (deb(5)), with the tarball in its data archive.
    Deb {
        /// The tarball's path in it, such as `usr/src/linux-source-6.1.tar.xz`.
        member: String,
    },
}
