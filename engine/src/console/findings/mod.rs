//! What the kernel says of itself: complaints with their class, title and the function at fault.
//!
//! ```text
//! lines -> headers  (a complaint begins, goes on, or ends)
//!       -> frames   (stacks, registers) -> blame (the function), skip (never at fault)
//!       -> Finding
//! ```

mod blame;
mod collect;
mod finding;
mod frames;
mod headers;
mod skip;
#[cfg(test)]
mod tests;

pub(super) use collect::Findings;
pub(super) use collect::normal;
pub use finding::Class;
pub use finding::Finding;
pub use finding::Place;
