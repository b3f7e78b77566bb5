//! What was found, by address: the tree of links into the store.

mod link;

pub use link::link;
pub use link::prepare;
