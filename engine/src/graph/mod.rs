//! The graph: nodes that own their specs, their keys, and what adds to it. The only user of `petgraph`.
//!
//! A node is a name and a [`Closed`](crate::spec::Closed) spec; its *inputs* are named outputs of other nodes. Its key is
//! the digest of kind, recipe revision, spec and the **contents** of its resolved inputs, never of their keys: that is
//! what gives early cutoff. [`Declared`] makes specs of a catalog. Whoever holds specs may add nodes
//! while the graph runs ([`Grow`]): boots do not exist until the match node of their build says which boards fit.

mod boots;
mod declare;
mod derive;
mod dot;
mod grow;
mod key;
mod node;
mod stored;

pub use boots::Asked;
pub use boots::Boots;
pub use boots::Matched;
pub use boots::Place;
pub use declare::Declared;
pub use declare::GraphError;
pub use declare::Worker;
pub use declare::World;
pub use derive::Derive;
pub use dot::DotOptions;
pub use grow::Grow;
pub use grow::GrowError;
pub use grow::Grown;
pub use grow::Whole;
pub use key::KeyInput;
pub use key::key;
pub use key::manifest;
pub use node::Graph;
pub use node::Input;
pub use node::Node;
pub use node::NodeId;
pub use node::Output;
pub use node::Slot;
