//! What the scheduler tells: plain facts, rendered by reporters.

use std::path::PathBuf;

use store::Digest;
use store::OutcomeVerdict;

use super::RunProgress;
use crate::recipe::Step;
use crate::spec::Kind;

/// Something that happened in a run.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The run knows what it wants: so many nodes, of which so many are stale or unknown.
    RunStarted {
        /// Nodes wanted, inputs included; boots not yet known are not counted.
        wanted: usize,
        /// Of these, those with a cached result.
        fresh: usize,
    },
    /// Something about the whole run that is worth a line.
    RunNote(&'a str),
    /// A stale node begins to run.
    NodeStarted {
        /// Kind of the node.
        kind: Kind,
        /// Name within its kind.
        name: &'a str,
        /// Why it is stale.
        why: &'a str,
    },
    /// Something worth a line happened inside a node (a download, a retry).
    NodeNote {
        /// Kind of the node.
        kind: Kind,
        /// Name within its kind.
        name: &'a str,
        /// One line.
        text: &'a str,
    },
    /// A running node is further.
    NodeStep {
        /// Kind of the node.
        kind: Kind,
        /// Name within its kind.
        name: &'a str,
        /// How far it is.
        step: &'a Step,
    },
    /// The whole run is further: told when a node is settled, and once a second while something runs.
    Progress(RunProgress),
    /// A node has its outcome: it ran, was cached, or was skipped.
    NodeFinished(&'a NodeReport),
    /// The run is over.
    RunFinished(&'a RunReport),
}

/// The outcome of one node in a run.
#[derive(Clone, Debug)]
pub struct NodeReport {
    /// Kind of the node.
    pub kind: Kind,
    /// Name within its kind: a declared name or an address.
    pub name: String,
    /// Succeeded, failed, broken or skipped.
    pub verdict: OutcomeVerdict,
    /// Whether the result stood in the store before this run.
    pub cached: bool,
    /// The key, where the inputs were resolved.
    pub key: Option<Digest>,
    /// What failed, broke, or why it was skipped; on success what is worth knowing, mostly nothing.
    pub reason: String,
    /// The whole log.
    pub log: Option<PathBuf>,
    /// Milliseconds it ran: in this run, or when it was made.
    pub duration_ms: u64,
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// When it began, milliseconds since 1970.
    pub started_ms: u64,
    /// One per wanted node, in topological order.
    pub nodes: Vec<NodeReport>,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// Whether the run was ended by a signal.
    pub interrupted: bool,
}

impl RunReport {
    /// Whether every result stood in the store before.
    pub fn is_cached(&self) -> bool {
        self.nodes.iter().all(|node| node.cached)
    }
}

/// Watches a run.
pub trait Observer: Send + Sync {
    /// Is told each event as it happens, from the scheduler's thread only.
    fn event(&self, event: Event<'_>);
}
