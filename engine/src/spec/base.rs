//! A base root filesystem.

use serde::Deserialize;
use serde::Serialize;

use crate::model::BaseOrigin;

/// Input `files` (the pinned packages). Output `tar`: the root filesystem.
///
/// The program that puts it together is the host's, and its version is not here: it unpacks exactly the pinned packages and
/// runs their own scripts, so what it gives depends on them. If it ever does not, `--rebuild` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseSpec {
    /// The family, with what it is asked for.
    pub origin: BaseOrigin,
    /// The pinned OpenPGP keys in armour, where the files are signed.
    pub keys: Option<String>,
}
