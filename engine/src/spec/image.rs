//! A base with the `buildbot` user and more packages.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::model::FamilyName;

/// Inputs `base`, and `files` (the pinned packages to add, or what they are made from). Outputs `tar` (the root filesystem) and
/// `packages` (all that is in it, a name and version per line).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// Whose way of adding packages is taken: that of the base.
    pub family: FamilyName,
    /// The packages asked for, sorted.
    pub packages: Vec<String>,
    /// What the family's own program is told, by its names.
    pub settings: BTreeMap<String, String>,
    /// The pinned OpenPGP keys in armour, where packages are signed.
    pub keys: Option<String>,
    /// Name of the user that builds.
    pub user: String,
    /// Its uid: the worker's own.
    pub uid: u32,
    /// Its gid: the worker's own.
    pub gid: u32,
}
