//! Files to download, each known by its digest.

use serde::Deserialize;
use serde::Serialize;
use store::Checksum;

use crate::model::FamilyName;

/// Output `files`: a tree with one file per entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchSpec {
    /// Whose way of downloading is taken.
    pub by: FetchBy,
    /// The files, in the order of the pin.
    pub files: Vec<FetchFile>,
}

/// Who downloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchBy {
    /// A family's own program, with the machine's settings for it.
    Family(FamilyName),
    /// HTTP, of a place that a definition names.
    Http,
    /// Git. There are no files then: the tree is the one file, as a tarball.
    Git(GitTree),
}

/// The tree of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitTree {
    /// The commit's id, 40 lower-case hex digits.
    pub commit: String,
    /// The id of its tree, which says what is in it.
    pub tree: String,
    /// How many commits of its history are fetched, itself included.
    pub depth: u32,
    /// Equivalent places, tried in order.
    pub urls: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchFile {
    /// Its name in the tree.
    pub name: String,
    /// Size in bytes, where it is known before.
    pub size: Option<u64>,
    /// What its content must have, all of it; at least one.
    pub checksums: Vec<Checksum>,
    /// Equivalent places, tried in order.
    pub urls: Vec<String>,
}
