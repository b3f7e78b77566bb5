//! One resolved .config against every board.

mod boards;

pub use boards::BoardVerdict;
pub use boards::MATCHER_REVISION;
pub use boards::Needs;
pub use boards::match_boards;
pub use boards::matches_only;

#[cfg(test)]
mod arch_tests;
#[cfg(test)]
mod tests;
