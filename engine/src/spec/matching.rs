//! Boards to compare a resolved .config with.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Predicate;
use crate::model::Abi;

/// Input `config`. No outputs; facts: the boards that fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchSpec {
    /// Raised when the same .config and boards may match otherwise.
    pub matcher: u32,
    /// What each board asks for, by its name.
    pub boards: BTreeMap<String, BoardNeeds>,
}

/// What a board asks of a .config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardNeeds {
    /// What it requires.
    #[serde(serialize_with = "super::text::as_text")]
    pub requires: Predicate,
    /// What the programs of its root filesystem are compiled for.
    pub abi: Option<Abi>,
}
