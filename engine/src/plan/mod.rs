//! What is wanted, what is stale, and why. Never builds.
//!
//! [`Progress`] holds the state of every node. It is filled from the store's records at once, which
//! is all a no-op run needs; the scheduler then tells it what finished, and it says what became ready.

mod matching;
mod progress;
mod selection;
mod why;

pub use matching::Matching;
pub use matching::matched;
pub use progress::Content;
pub use progress::Progress;
pub use progress::State;
pub use selection::Below;
pub use selection::Selection;
pub use why::Cause;
pub use why::causes;
