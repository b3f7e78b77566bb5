//! Matching: which boards a .config can boot on, and why not on the others.

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Config;
use crate::kconfig::Predicate;
use crate::kconfig::Reason;

/// Part of the key of match nodes: changes when the same .config and boards may match otherwise.
pub const MATCHER_REVISION: u32 = 1;

/// Whether a board's needs are met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardVerdict {
    /// The board's name.
    pub board: String,
    /// Whether the .config meets what the board requires.
    pub matched: bool,
    /// If not, every cause: at least one.
    pub reasons: Vec<Reason>,
}

/// Gives a verdict for each board, in the order given.
pub fn match_boards<'a>(
    config: &Config,
    boards: impl Iterator<Item = (&'a str, &'a Predicate)>,
) -> Vec<BoardVerdict> {
    let verdict = |(board, requires): (&str, &Predicate)| {
        let reasons = requires.explain(config).err().unwrap_or_default();
        BoardVerdict {
            board: board.to_owned(),
            matched: reasons.is_empty(),
            reasons,
        }
    };
    boards.map(verdict).collect()
}

/// Gives only the boards that match, in the order given, without looking for reasons.
pub fn matches_only<'a>(
    config: &Config,
    boards: impl Iterator<Item = (&'a str, &'a Predicate)>,
) -> impl Iterator<Item = &'a str> {
    boards
        .filter(|(_, requires)| requires.holds(config))
        .map(|(board, _)| board)
}
