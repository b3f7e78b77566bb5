//! What an exploration asks a running graph for, by addresses instead of node ids.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use super::super::DriveError;
use crate::graph::Asked as AskedBoots;
use crate::graph::Boots;
use crate::graph::Derive;
use crate::graph::Matched;
use crate::graph::NodeId;
use crate::graph::Place;
use crate::model::Derived;
use crate::plan::State;
use crate::realise::Demand;
use crate::realise::DemandError;
use crate::realise::Draft;
use crate::realise::Settled;
use crate::spec::Kind;

/// How often somebody who waits looks up.
const TICK: Duration = Duration::from_millis(500);

/// Nothing more is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over;

/// The nodes of an exploration. It keeps the graph as the exploration has it; only what is asked for goes into the one that runs.
pub(super) struct Graph {
    derive: Derive,
    boots: Boots,
    place: Place,
    /// Until it is closed.
    demand: Option<Demand>,
    /// Ids in the graph that runs, of what was put there: those of declared nodes are the same in both.
    given: BTreeMap<NodeId, NodeId>,
    declared: usize,
    told: (mpsc::Sender<Settled>, mpsc::Receiver<Settled>),
    /// Own ids by those of the graph that runs, of what was asked for.
    asked: BTreeMap<NodeId, NodeId>,
    states: BTreeMap<NodeId, State>,
}

impl Graph {
    pub(super) fn new(mut derive: Derive, boots: Boots, place: Place, demand: Demand) -> Self {
        Self {
            declared: derive.graph().len(),
            derive,
            boots,
            place,
            demand: Some(demand),
            given: BTreeMap::new(),
            told: mpsc::channel(),
            asked: BTreeMap::new(),
            states: BTreeMap::new(),
        }
    }

    /// The node of a build that is declared or derived.
    pub(super) fn build(&mut self, kind: Kind, address: &str) -> Result<NodeId, DriveError> {
        let id = self.derive.build(address)?;
        Ok(self.derive.find(kind, address).unwrap_or(id))
    }

    /// The boot of a build on a board that fits with a suite; `None` where nothing here boots the board.
    pub(super) fn boot(&mut self, build: &str, matched: &Matched, address: &str) -> Option<NodeId> {
        let id = self.derive.find(Kind::Match, build)?;
        let asked = AskedBoots {
            wants: &|kind, name| kind == Kind::Boot && name == address,
            place: self.place,
        };
        let graph = self.derive.graph();
        let grown = self.boots.add(graph, id, matched, &asked);
        grown.added.last().copied()
    }

    /// Puts a node into the graph that runs, with what it needs.
    fn give(&mut self, id: NodeId) -> Result<NodeId, Over> {
        if id.index() < self.declared {
            return Ok(id);
        }
        if let Some(given) = self.given.get(&id) {
            return Ok(*given);
        }
        let graph = self.derive.graph();
        let node = graph.node(id).clone();
        let inputs: Vec<_> = graph.inputs(id).collect();
        let mut taken = Vec::with_capacity(inputs.len());
        for (input, from) in inputs {
            taken.push((input.slot, self.give(from)?, input.output));
        }
        let draft = Draft {
            name: node.name.into(),
            spec: node.spec,
            inputs: taken,
        };
        let given = self.demand()?.add(draft).map_err(|_: DemandError| Over)?;
        self.given.insert(id, given);
        Ok(given)
    }

    /// Asks for a node, and does not wait.
    pub(super) fn ask(&mut self, id: NodeId) -> Result<(), Over> {
        let given = self.give(id)?;
        if self.asked.insert(given, id).is_none() {
            self.demand()?.ask(given, &self.told.0).map_err(|_| Over)?;
        }
        Ok(())
    }

    /// Has a node that has a result run once more.
    pub(super) fn again(&mut self, id: NodeId) -> Result<(), Over> {
        let given = self.give(id)?;
        self.states.remove(&id);
        self.asked.insert(given, id);
        self.demand()?.again(given, &self.told.0).map_err(|_| Over)
    }

    /// Waits a moment for a node to be settled; tells which was.
    pub(super) fn next(&mut self) -> Result<Option<NodeId>, Over> {
        match self.told.1.recv_timeout(TICK) {
            Ok(settled) => {
                // What is skipped at the end of a run says nothing of the node.
                if matches!(settled.state, State::Skipped { .. }) && !self.alive() {
                    return Err(Over);
                }
                let own = self.asked.get(&settled.id).copied();
                if let Some(own) = own {
                    self.states.insert(own, settled.state);
                }
                Ok(own)
            }
            Err(_) if self.alive() => Ok(None),
            Err(_) => Err(Over),
        }
    }

    /// Whether the run still does what it is asked.
    fn alive(&self) -> bool {
        self.demand()
            .is_ok_and(|demand| demand.find(Kind::Fetch, "").is_ok())
    }

    /// What became of a node, as far as it is known.
    pub(super) fn state(&self, id: NodeId) -> Option<&State> {
        self.states.get(&id)
    }

    /// Kind and name of a node.
    pub(super) fn name(&mut self, id: NodeId) -> (Kind, String) {
        let node = self.derive.graph().node(id);
        (node.kind(), node.name.to_string())
    }

    fn demand(&self) -> Result<&Demand, Over> {
        self.demand.as_ref().ok_or(Over)
    }

    /// Tells whoever watches a line.
    pub(super) fn note(&self, line: &str) {
        // Where nobody asks any more, nobody watches.
        let _ = self.demand().map(|demand| demand.note(line));
    }

    /// Ends the run.
    pub(super) fn stop(&self, reason: &'static str) {
        let _ = self.demand().map(|demand| demand.stop(reason));
    }

    /// Asks for nothing more, so that the run can end.
    pub(super) fn close(&mut self) {
        self.demand = None;
    }

    /// A declared node.
    pub(super) fn find(&self, kind: Kind, name: &str) -> Option<NodeId> {
        self.derive.find(kind, name)
    }

    /// How a configuration is called in addresses.
    pub(super) fn component(&mut self, derived: &Derived) -> String {
        self.derive.component(derived)
    }
}
