//! The state of every wanted node, advanced by records and by what the scheduler reports.

use std::collections::BTreeSet;

use store::Digest;
use store::Record;
use store::Records;
use store::Verdict;

use crate::graph::Graph;
use crate::graph::Grow;
use crate::graph::GrowError;
use crate::graph::KeyInput;
use crate::graph::Node;
use crate::graph::NodeId;
use crate::graph::Output;
use crate::graph::Slot;
use crate::graph::key;

/// What other nodes may take from a node that succeeded.
pub type Content = Box<[(Output, Digest)]>;

/// Where a node stands. A node only ever moves down this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing wanted needs it.
    Unwanted,
    /// An input is not resolved yet, so its key is unknown.
    Waiting,
    /// Its key is known and has no usable result: it must run.
    Stale {
        /// The key.
        key: Digest,
    },
    /// It has a result.
    Done {
        /// The key.
        key: Digest,
        /// Whether the result stood in the store before this run.
        cached: bool,
        /// Milliseconds the making took.
        duration_ms: u64,
        /// Outputs of a success.
        content: Content,
        /// What is worth knowing of it, mostly nothing.
        message: Box<str>,
    },
    /// It has a result, and that is a deterministic failure.
    Failed {
        /// The key.
        key: Digest,
        /// Whether the result stood in the store before this run.
        cached: bool,
        /// Milliseconds the making took.
        duration_ms: u64,
        /// What failed.
        message: Box<str>,
    },
    /// It could not be run; nothing is recorded.
    Broken {
        /// The key.
        key: Digest,
        /// Why.
        message: Box<str>,
    },
    /// It can not run because of another node.
    Skipped {
        /// Which, and why.
        reason: Box<str>,
    },
}

/// The states of a graph's nodes.
pub struct Progress<'a> {
    graph: Graph,
    states: Vec<State>,
    grow: Box<dyn Grow + 'a>,
    records: &'a Records,
    retry_failed: bool,
    force: BTreeSet<NodeId>,
    ready: Vec<NodeId>,
    settled: Vec<NodeId>,
    notes: Vec<(NodeId, String)>,
}

impl State {
    /// Whether nothing more will happen to it in this run.
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Stale { .. })
    }

    /// The key, where it is known.
    pub fn key(&self) -> Option<Digest> {
        match self {
            Self::Stale { key }
            | Self::Done { key, .. }
            | Self::Failed { key, .. }
            | Self::Broken { key, .. } => Some(*key),
            Self::Unwanted | Self::Waiting | Self::Skipped { .. } => None,
        }
    }

    /// Whether it is done and has no device trees, or no list of objects; the boot that asks for a tree tells of it.
    fn lacks(&self, output: Output) -> bool {
        matches!(output, Output::Dtbs | Output::Objects)
            && matches!(self, Self::Done { .. })
            && self.output(output).is_none()
    }

    fn output(&self, output: Output) -> Option<Digest> {
        let Self::Done { content, .. } = self else {
            return None;
        };
        content
            .iter()
            .find(|(name, _)| *name == output)
            .map(|(_, digest)| *digest)
    }
}

impl<'a> Progress<'a> {
    /// Assesses a graph against the records: what `wants` accepts, and what that needs. `retry_failed` treats
    /// recorded failures as stale.
    pub fn new(
        graph: Graph,
        wants: &dyn Fn(&Node) -> bool,
        grow: Box<dyn Grow + 'a>,
        records: &'a Records,
        retry_failed: bool,
    ) -> Result<Self, GrowError> {
        let mut wanted = vec![false; graph.len()];
        for id in graph.ids().rev() {
            if wanted[id.index()] || wants(graph.node(id)) {
                wanted[id.index()] = true;
                for (_, input) in graph.inputs(id) {
                    wanted[input.index()] = true;
                }
            }
        }
        let states = wanted
            .iter()
            .map(|w| if *w { State::Waiting } else { State::Unwanted })
            .collect();
        let mut progress = Self {
            graph,
            states,
            grow,
            records,
            retry_failed,
            force: BTreeSet::new(),
            ready: Vec::new(),
            settled: Vec::new(),
            notes: Vec::new(),
        };
        let declared = progress.graph.ids();
        for id in declared.clone() {
            progress.visit(id)?;
        }
        // Boots were added before all that they boot was looked at.
        for id in progress.graph.ids().skip(declared.len()) {
            progress.visit(id)?;
        }
        Ok(progress)
    }

    /// Adds a node while the graph runs, and wants it.
    pub fn add(
        &mut self,
        node: Node,
        inputs: &[(Slot, NodeId, Output)],
    ) -> Result<NodeId, GrowError> {
        let id = self.graph.add(node, inputs);
        self.take_in(&[id])?;
        Ok(id)
    }

    /// Wants a node that is there already, and what it needs.
    pub fn want(&mut self, id: NodeId) -> Result<(), GrowError> {
        if *self.state(id) == State::Unwanted {
            self.states[id.index()] = State::Waiting;
            self.want_inputs(id)?;
            self.visit(id)?;
        }
        Ok(())
    }

    /// Makes nodes run although they have a result, for `--rebuild`.
    pub fn force(&mut self, ids: impl IntoIterator<Item = NodeId>) {
        for id in ids {
            if let State::Done { key, .. } | State::Failed { key, .. } = self.states[id.index()] {
                self.states[id.index()] = State::Stale { key };
                self.force.insert(id);
                self.ready.push(id);
                self.settled.retain(|settled| *settled != id);
            }
        }
    }

    /// Whether a node runs only because of `--rebuild`.
    pub fn is_forced(&self, id: NodeId) -> bool {
        self.force.contains(&id)
    }

    /// The graph, with the boots known so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The records the states were read from.
    pub fn records(&self) -> &'a Records {
        self.records
    }

    /// The state of a node.
    pub fn state(&self, id: NodeId) -> &State {
        &self.states[id.index()]
    }

    /// The wanted nodes, in topological order.
    pub fn wanted(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.graph
            .ids()
            .filter(|id| *self.state(*id) != State::Unwanted)
    }

    /// Takes the nodes that became ready to run since the last call.
    pub fn take_ready(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.ready)
    }

    /// Makes a node that was taken as ready so once more.
    pub fn ready_again(&mut self, id: NodeId) {
        self.ready.push(id);
    }

    /// Whether something is ready to run.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes what adders had to say since the last call.
    pub fn take_notes(&mut self) -> Vec<(NodeId, String)> {
        std::mem::take(&mut self.notes)
    }

    /// Takes the nodes that were settled since the last call.
    pub fn take_settled(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.settled)
    }

    /// Whether recorded failures count as stale.
    pub fn retries_failed(&self) -> bool {
        self.retry_failed
    }

    /// The contents that fill a node's slots, where every input succeeded.
    pub fn key_inputs(&self, id: NodeId) -> Option<Vec<KeyInput>> {
        let inputs = self.graph.inputs(id);
        inputs
            .filter(|(input, from)| !self.state(*from).lacks(input.output))
            .map(|(input, from)| Some((input.slot, self.state(from).output(input.output)?)))
            .collect()
    }

    /// Takes in the record of a node that ran, or was found after all.
    pub fn finished(&mut self, id: NodeId, record: &Record, cached: bool) -> Result<(), GrowError> {
        let outputs = record
            .outputs
            .iter()
            .map(|(name, digest)| (name.as_str(), *digest));
        let content = content(outputs);
        self.settle(
            id,
            record.key,
            record.verdict,
            cached,
            record.duration_ms,
            content,
            &record.message,
        );
        self.expand(id, &record.facts)?;
        self.visit_below(id)
    }

    /// Takes in that a node could not be run.
    pub fn broken(&mut self, id: NodeId, message: &str) -> Result<(), GrowError> {
        if let Some(key) = self.state(id).key() {
            self.move_to(
                id,
                State::Broken {
                    key,
                    message: message.into(),
                },
            );
        }
        self.visit_below(id)
    }

    /// Leaves a node to a later run.
    pub fn leave(&mut self, id: NodeId, reason: &str) -> Result<(), GrowError> {
        let reason = reason.into();
        self.move_to(id, State::Skipped { reason });
        self.visit_below(id)
    }

    /// Turns a node that ran again and gave other bytes into a failed one.
    pub fn differs(&mut self, id: NodeId, message: &str) {
        if let State::Done {
            key, duration_ms, ..
        } = *self.state(id)
        {
            let message = message.into();
            self.states[id.index()] = State::Failed {
                key,
                cached: false,
                duration_ms,
                message,
            };
        }
    }

    /// Settles what is left when the run ends early.
    pub fn abandon(&mut self, reason: &str) {
        for id in self.graph.ids() {
            if !self.state(id).is_settled() {
                self.move_to(
                    id,
                    State::Skipped {
                        reason: reason.into(),
                    },
                );
            }
        }
    }

    fn move_to(&mut self, id: NodeId, state: State) {
        self.states[id.index()] = state;
        self.settled.push(id);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of a record, from two shapes of it"
    )]
    fn settle(
        &mut self,
        id: NodeId,
        key: Digest,
        verdict: Verdict,
        cached: bool,
        duration_ms: u64,
        content: Content,
        message: &str,
    ) {
        let state = match verdict {
            Verdict::Succeeded => State::Done {
                key,
                cached,
                duration_ms,
                content,
                message: message.into(),
            },
            Verdict::Failed => State::Failed {
                key,
                cached,
                duration_ms,
                message: message.into(),
            },
        };
        self.move_to(id, state);
    }

    fn visit_below(&mut self, id: NodeId) -> Result<(), GrowError> {
        let mut queue: BTreeSet<NodeId> = self.graph.dependents(id).collect();
        while let Some(next) = queue.pop_first() {
            if self.visit(next)? {
                queue.extend(self.graph.dependents(next));
            }
        }
        Ok(())
    }

    /// Decides a waiting node if its inputs allow; says whether its state changed.
    fn visit(&mut self, id: NodeId) -> Result<bool, GrowError> {
        if *self.state(id) != State::Waiting {
            return Ok(false);
        }
        let mut inputs: Vec<KeyInput> = Vec::with_capacity(3);
        let mut skip = None;
        for (input, from) in self.graph.inputs(id) {
            match self.state(from) {
                State::Waiting | State::Stale { .. } => return Ok(false),
                state => match state.output(input.output) {
                    Some(content) => inputs.push((input.slot, content)),
                    None if state.lacks(input.output) => {}
                    None => skip = Some(self.blame(from, input.output)),
                },
            }
        }
        if let Some(reason) = skip {
            self.move_to(id, State::Skipped { reason });
            return Ok(true);
        }
        let key = key(&self.graph.node(id).spec, &mut inputs);
        let records = self.records;
        match records.get(&key) {
            Some(record) if !(self.retry_failed && record.verdict() == Verdict::Failed) => {
                self.settle(
                    id,
                    key,
                    record.verdict(),
                    true,
                    record.duration_ms(),
                    content(record.outputs()),
                    record.message(),
                );
                self.expand(id, record.facts())?;
            }
            _ => {
                self.states[id.index()] = State::Stale { key };
                self.ready.push(id);
            }
        }
        Ok(true)
    }

    /// Names the node that is the root of a skip.
    fn blame(&self, from: NodeId, output: Output) -> Box<str> {
        let name = self.graph.node(from).full_name();
        match self.state(from) {
            State::Skipped { reason } => reason.clone(),
            State::Failed { .. } => format!("`{name}` failed").into(),
            State::Broken { .. } => format!("`{name}` is broken").into(),
            _ => format!("`{name}` gives no {}", output.word()).into(),
        }
    }

    /// Lets the adder answer a node that succeeded.
    fn expand(&mut self, id: NodeId, facts: &str) -> Result<(), GrowError> {
        if !matches!(self.state(id), State::Done { .. }) {
            return Ok(());
        }
        let grown = self.grow.grow(&mut self.graph, id, facts)?;
        self.notes
            .extend(grown.notes.into_iter().map(|note| (id, note)));
        self.take_in(&grown.added)
    }

    /// Takes in nodes that the graph has gained.
    fn take_in(&mut self, added: &[NodeId]) -> Result<(), GrowError> {
        // An adder may add what its new nodes need, too: that is wanted by way of them.
        self.states.resize(self.graph.len(), State::Unwanted);
        added.iter().try_for_each(|id| self.want(*id))
    }

    /// Wants what a new node needs and nothing wanted before.
    fn want_inputs(&mut self, id: NodeId) -> Result<(), GrowError> {
        let inputs: Vec<NodeId> = self.graph.inputs(id).map(|(_, from)| from).collect();
        inputs.into_iter().try_for_each(|input| self.want(input))
    }
}

fn content<'r>(outputs: impl Iterator<Item = (&'r str, Digest)>) -> Content {
    outputs
        .filter_map(|(name, digest)| {
            Output::ALL
                .iter()
                .find(|taken| taken.word() == name)
                .map(|taken| (*taken, digest))
        })
        .collect()
}
