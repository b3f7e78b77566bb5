//! Builds whose configuration is derived, added to a graph of what is declared.

use std::sync::Arc;

use super::Graph;
use super::GraphError;
use super::NodeId;
use super::Worker;
use super::World;
use super::declare::Declare;
use super::declare::Made;
use crate::lock::Lock;
use crate::model::Catalog;
use crate::model::Derived;
use crate::spec::Kind;

/// A graph to which builds are added by their address.
pub struct Derive {
    catalog: Arc<Catalog>,
    lock: Arc<Lock>,
    worker: Arc<Worker>,
    made: Made,
}

impl Derive {
    /// On the graph of what is declared.
    pub fn new(catalog: Arc<Catalog>, lock: Arc<Lock>, worker: Arc<Worker>, graph: Graph) -> Self {
        let named = graph.ids().map(|id| {
            let node = graph.node(id);
            ((node.kind(), node.name.to_string()), id)
        });
        let made = Made {
            shared: named.collect(),
            graph,
            ..Made::default()
        };
        Self {
            catalog,
            lock,
            worker,
            made,
        }
    }

    /// Adds the nodes of a build, and of what it is a mutant of, unless they are there; gives its match node.
    pub fn build(&mut self, address: &str) -> Result<NodeId, GraphError> {
        if let Some(id) = self.find(Kind::Match, address) {
            return Ok(id);
        }
        let world = World {
            catalog: &self.catalog,
            lock: &self.lock,
            worker: &self.worker,
        };
        let mut declare = Declare::new(world, std::mem::take(&mut self.made));
        let built = declare.build(address);
        self.made = declare.made;
        built
    }

    /// The third component of the address of a configuration; one that is too long to be written out gets a name that this graph knows.
    pub fn component(&mut self, derived: &Derived) -> String {
        self.made.component(derived)
    }

    /// A node of what is declared, and of the builds that were added.
    pub fn find(&self, kind: Kind, name: &str) -> Option<NodeId> {
        self.made.shared.get(&(kind, name.to_owned())).copied()
    }

    /// The graph, to add boots to.
    pub fn graph(&mut self) -> &mut Graph {
        &mut self.made.graph
    }
}
