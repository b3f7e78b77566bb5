//! Builds whose configuration is derived, added to a graph of what is declared.

use super::Graph;
use super::GraphError;
use super::NodeId;
use super::World;
use super::declare::Declare;
use crate::spec::Kind;

/// Adds builds whose configuration is derived to a graph of what is declared.
pub struct Derive<'a>(Declare<'a>);

impl<'a> Derive<'a> {
    /// On the graph of a world.
    pub fn new(world: World<'a>, graph: Graph) -> Self {
        let mut declare = Declare::new(world, graph);
        for id in declare.graph.ids() {
            let node = declare.graph.node(id);
            let name = (node.kind(), node.name.to_string());
            declare.shared.insert(name, id);
        }
        Self(declare)
    }

    /// Adds the nodes of a build, and of what it is a mutant of, unless they are there; gives its match node.
    pub fn build(&mut self, address: &str) -> Result<NodeId, GraphError> {
        let there = |declare: &Declare<'_>| {
            let name = (Kind::Match, address.to_owned());
            declare.shared.get(&name).copied()
        };
        if let Some(id) = there(&self.0) {
            return Ok(id);
        }
        self.0.build(address)
    }

    /// The graph as it is now, to add boots to.
    pub fn graph(&mut self) -> &mut Graph {
        &mut self.0.graph
    }
}
