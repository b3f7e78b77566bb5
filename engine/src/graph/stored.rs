//! The graph as it is kept: each spec once, as nodes share them.

use std::collections::BTreeMap;

use petgraph::visit::EdgeRef;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;
use store::Digest;

use super::Graph;
use super::Input;
use super::Node;
use super::NodeId;
use crate::spec::Closed;
use crate::spec::Kind;

#[derive(Serialize)]
struct Kept<'a> {
    specs: Vec<&'a Closed>,
    nodes: Vec<(&'a str, u32)>,
    edges: Vec<(u32, u32, Input)>,
}

#[derive(Deserialize)]
struct Found {
    specs: Vec<Closed>,
    nodes: Vec<(Box<str>, u32)>,
    edges: Vec<(u32, u32, Input)>,
}

/// An id or a place in a list as it is kept: a graph's ids have 32 bits.
fn short(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut places: BTreeMap<(Kind, Digest), u32> = BTreeMap::new();
        let mut specs = Vec::new();
        let mut nodes = Vec::with_capacity(self.len());
        for node in self.ids().map(|id| self.node(id)) {
            let place = *places
                .entry((node.kind(), node.spec.digest()))
                .or_insert_with(|| {
                    specs.push(&node.spec);
                    short(specs.len() - 1)
                });
            nodes.push((&*node.name, place));
        }
        let edges = self.nodes.edge_references();
        let edges = edges
            .map(|edge| {
                (
                    short(edge.source().index()),
                    short(edge.target().index()),
                    *edge.weight(),
                )
            })
            .collect();
        Kept {
            specs,
            nodes,
            edges,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Found::deserialize(deserializer)?;
        let mut graph = Self::default();
        graph.nodes.reserve_exact_nodes(found.nodes.len());
        graph.nodes.reserve_exact_edges(found.edges.len());
        for (name, place) in found.nodes {
            let spec = found.specs.get(place as usize);
            let spec = spec
                .ok_or_else(|| D::Error::custom("a node without a spec"))?
                .clone();
            graph.nodes.add_node(Node { name, spec });
        }
        for (from, to, input) in found.edges {
            if from.max(to) as usize >= graph.len() {
                return Err(D::Error::custom("an edge without a node"));
            }
            graph
                .nodes
                .add_edge(NodeId::from(from), NodeId::from(to), input);
        }
        Ok(graph)
    }
}
