//! Matching: which boards a .config can boot on, and why not on the others.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Config;
use crate::kconfig::Predicate;
use crate::kconfig::Reason;
use crate::model::Abi;
use crate::model::Catalog;

/// Part of the key of match nodes: changes when the same .config and boards may match otherwise.
pub const MATCHER_REVISION: u32 = 1;

/// Whether a board's needs are met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardVerdict {
    /// The board's name.
    pub board: String,
    /// Whether the .config meets what the board requires.
    pub matched: bool,
    /// Every cause in what the board requires.
    pub reasons: Vec<Reason>,
    /// Every cause in what the programs of its root filesystem do; of these and `reasons` there is at
    /// least one where the board does not match.
    pub rootfs: Vec<Reason>,
}

/// What a board asks of a .config.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// The board's name.
    pub board: &'a str,
    /// What it requires.
    pub requires: &'a Predicate,
    /// The ABI of its root filesystem.
    pub abi: Option<Abi>,
}

impl<'a> Needs<'a> {
    /// What every board of a catalog asks.
    pub fn of(catalog: &'a Catalog) -> impl Iterator<Item = Self> {
        catalog.boards.values().map(|board| Self {
            board: &board.name,
            requires: &board.requires,
            abi: catalog.abi(board),
        })
    }
}

/// Gives a verdict for each board, in the order given.
pub fn match_boards<'a>(
    config: &Config,
    boards: impl Iterator<Item = Needs<'a>>,
) -> Vec<BoardVerdict> {
    let causes = |predicate: &Predicate| predicate.explain(config).err().unwrap_or_default();
    // Boards share a few ABIs, and each is decided once.
    let mut of_abis: BTreeMap<Abi, Vec<Reason>> = BTreeMap::new();
    let verdict = |needs: Needs<'_>| {
        let reasons = causes(needs.requires);
        let rootfs = needs.abi.map_or_else(Vec::new, |abi| {
            let known = of_abis.entry(abi);
            known.or_insert_with(|| causes(&abi.requires())).clone()
        });
        BoardVerdict {
            board: needs.board.to_owned(),
            matched: reasons.is_empty() && rootfs.is_empty(),
            reasons,
            rootfs,
        }
    };
    boards.map(verdict).collect()
}

/// Gives only the boards that match, in the order given, without looking for reasons.
pub fn matches_only<'a>(
    config: &Config,
    boards: impl Iterator<Item = Needs<'a>>,
) -> impl Iterator<Item = &'a str> {
    let mut of_abis: BTreeMap<Abi, bool> = BTreeMap::new();
    let mut runs = move |abi: Abi| {
        let known = of_abis.entry(abi);
        *known.or_insert_with(|| abi.requires().holds(config))
    };
    boards
        .filter(move |needs| needs.requires.holds(config) && needs.abi.is_none_or(&mut runs))
        .map(|needs| needs.board)
}
