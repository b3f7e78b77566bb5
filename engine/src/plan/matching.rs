//! Matching as an adder: the boots a selection wants follow from what fits.

use super::Selection;
use crate::graph::Asked;
use crate::graph::Boots;
use crate::graph::Graph;
use crate::graph::Grow;
use crate::graph::GrowError;
use crate::graph::Grown;
use crate::graph::Matched;
use crate::graph::NodeId;
use crate::graph::Place;
use crate::model::Catalog;
use crate::spec::Kind;

/// Adds the boots of each build that is matched.
pub struct Matching<'a> {
    /// What is known of boots.
    pub boots: &'a Boots,
    /// Which of them are wanted.
    pub selection: Selection,
    /// What is manual.
    pub catalog: &'a Catalog,
    /// Where boards are booted.
    pub place: Place,
}

impl Grow for Matching<'_> {
    fn grow(&self, graph: &mut Graph, id: NodeId, facts: &str) -> Result<Grown, GrowError> {
        let node = graph.node(id);
        if node.kind() != Kind::Match {
            return Ok(Grown::default());
        }
        let matched = matched(&node.name, facts)?;
        let wants = |kind: Kind, address: &str| {
            let manual = self.catalog.manual(address);
            match kind {
                Kind::Probe => self.selection.wants_probe(address, &manual),
                _ => self.selection.wants_boot(address, &manual),
            }
        };
        let asked = Asked {
            wants: &wants,
            place: self.place,
        };
        Ok(self.boots.add(graph, id, &matched, &asked))
    }
}

/// The answer of the match node of a build.
pub fn matched(build: &str, facts: &str) -> Result<Matched, GrowError> {
    serde_json::from_str(facts).map_err(|source| GrowError::Answer(build.to_owned(), source))
}
