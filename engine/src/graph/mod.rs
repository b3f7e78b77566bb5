//! The graph: typed nodes, their keys, and its expansion from a catalog. The only user of `petgraph`.
//!
//! A node's *parameters* are what the definitions say (canonical JSON, digested once when the graph
//! is made); its *inputs* are named outputs of other nodes. Its key is the digest of kind, recipe
//! revision, parameters and the **contents** of its resolved inputs, never of their keys: that is
//! what gives early cutoff. Boot nodes do not exist until the match node of their build says which
//! boards fit; [`Graph::expand`] adds them.

mod build;
mod dot;
mod expand;
mod key;
mod node;
mod params;

pub use build::GraphError;
pub use build::World;
pub use dot::DotOptions;
pub use expand::Matched;
pub use key::KeyInput;
pub use key::key;
pub use key::manifest;
pub use node::Graph;
pub use node::Input;
pub use node::Kind;
pub use node::Node;
pub use node::NodeId;
pub use node::Output;
pub use node::Slot;
pub use params::params;
