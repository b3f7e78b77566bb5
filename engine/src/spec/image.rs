//! A base with the `buildbot` user and more packages.

use serde::Deserialize;
use serde::Serialize;

use crate::model::FamilyName;

/// Inputs `base`, and `files` (the pinned packages to add). Output `tar`: the root filesystem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// Whose way of adding packages is taken: that of the base.
    pub family: FamilyName,
    /// The packages asked for, sorted.
    pub packages: Vec<String>,
    /// Name of the user that builds.
    pub user: String,
    /// Its uid: the worker's own.
    pub uid: u32,
    /// Its gid: the worker's own.
    pub gid: u32,
}
