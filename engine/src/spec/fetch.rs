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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchBy {
    /// A family's own program, with the machine's settings for it.
    Family(FamilyName),
    /// HTTP, of a place that a definition names.
    Http,
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
