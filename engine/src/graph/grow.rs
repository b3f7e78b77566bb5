//! A graph that grows: who adds nodes in answer to what others found.

use thiserror::Error;

use super::Graph;
use super::NodeId;

/// Adds nodes when one is settled. Matching is one such adder: boots follow from what fits.
///
/// What is added must follow from the node's record alone, so that a run that finds everything in the store grows the same
/// graph as the one that made it.
pub trait Grow {
    /// What follows from the success of a node, whose record has these facts (JSON, or empty).
    fn grow(&self, graph: &mut Graph, id: NodeId, facts: &str) -> Result<Grown, GrowError>;
}

/// What an adder did.
#[derive(Debug, Default)]
pub struct Grown {
    /// The nodes that are new; they are wanted.
    pub added: Vec<NodeId>,
    /// What the user should hear of, one line each.
    pub notes: Vec<String>,
}

/// Why a graph cannot grow.
#[derive(Debug, Error)]
pub enum GrowError {
    /// The facts of a match node in the store are not readable.
    #[error("the record of `match:{0}` holds no readable answer")]
    Answer(String, #[source] serde_json::Error),
}

/// Adds nothing: for graphs that are whole.
pub struct Whole;

impl Grow for Whole {
    fn grow(&self, _: &mut Graph, _: NodeId, _: &str) -> Result<Grown, GrowError> {
        Ok(Grown::default())
    }
}
