//! What a run would do and what it would cost, without doing it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use store::Records;

use super::DriveError;
use super::Session;
use super::explain::Reason;
use crate::graph::Kind;
use crate::graph::NodeId;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::plan::State;

/// What a run would find.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The wanted nodes that are known, in topological order.
    pub nodes: Vec<Foreseen>,
    /// Builds whose boots are wanted and unknown until their .config is resolved.
    pub unresolved: usize,
    /// Every board, and the builds among the wanted that would boot it, as far as they are matched.
    pub boards: BTreeMap<String, Vec<String>>,
}

/// What a run would do with one node.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// Kind of the node.
    pub kind: Kind,
    /// Name within its kind.
    pub name: String,
    /// What would become of it.
    pub standing: Standing,
    /// Why it would run.
    pub reasons: Vec<Reason>,
    /// Milliseconds it took last, or else what the middle one of its kind took; for what would or
    /// might run.
    pub estimate_ms: Option<u64>,
}

/// What would become of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its result is in the store.
    Fresh,
    /// It would run.
    Runs,
    /// It would run unless its inputs come out as they were before.
    MayRun,
    /// Its recorded result is a failure, which stays.
    Failed(String),
    /// It could not run.
    Skipped(String),
}

/// Builds that no pattern named as manual ones must be.
#[derive(Clone, Debug, Default)]
pub struct LeftOut {
    /// How many.
    pub builds: usize,
    /// The names a pattern must have to run them, each once.
    pub names: BTreeSet<String>,
}

impl Session {
    /// What a selection would want if nothing were manual.
    pub fn left_out(
        &self,
        patterns: &[String],
        until: Option<Kind>,
    ) -> Result<LeftOut, DriveError> {
        let selection = Selection::of(patterns, until)?;
        let mut left = LeftOut::default();
        let defconfigs = self.catalog.defconfigs.values();
        let toolchains = self.catalog.toolchains.values();
        // Every run asks, also one that has nothing to do.
        if !defconfigs
            .map(|d| d.manual)
            .chain(toolchains.map(|t| t.manual))
            .any(|manual| manual)
        {
            return Ok(left);
        }
        let mut builds = BTreeSet::new();
        for node in self.graph().ids().map(|id| self.graph().node(id)) {
            let unsaid = selection.leaves_out(node, &self.catalog);
            if !unsaid.is_empty() {
                let names: Vec<&str> = node.name.split('/').collect();
                let unsaid = unsaid.into_iter().filter_map(|index| names.get(index));
                left.names.extend(unsaid.map(|name| (*name).to_owned()));
                builds.insert(&*node.name);
            }
        }
        left.builds = builds.len();
        Ok(left)
    }

    /// Foresees a run.
    pub fn outlook(
        &self,
        patterns: &[String],
        until: Option<Kind>,
        retry_failed: bool,
    ) -> Result<Outlook, DriveError> {
        let progress = self.progress(Selection::of(patterns, until)?, retry_failed)?;
        let costs = self.costs(progress.records())?;
        let mut nodes = Vec::new();
        let mut unresolved = 0;
        let names = self.catalog.boards.keys().cloned();
        let mut boards: BTreeMap<String, Vec<String>> =
            names.map(|name| (name, Vec::new())).collect();
        for id in progress.wanted() {
            let node = progress.graph().node(id);
            let standing = standing(&progress, id);
            let pending = matches!(standing, Standing::Runs | Standing::MayRun);
            if pending && node.kind == Kind::Match {
                unresolved += usize::from(until.is_none_or(|until| until == Kind::Boot));
            }
            if node.kind == Kind::Match {
                for board in progress.matched(id)?.boards {
                    boards.entry(board).or_default().push(node.name.to_string());
                }
            }
            let reasons = match standing {
                Standing::Runs => self.explain(&progress, id)?.reasons,
                _ => Vec::new(),
            };
            let estimate_ms = if pending {
                costs.of(node.kind, &self.history_name(&node.full_name()))
            } else {
                None
            };
            let name = node.name.to_string();
            nodes.push(Foreseen {
                kind: node.kind,
                name,
                standing,
                reasons,
                estimate_ms,
            });
        }
        Ok(Outlook {
            nodes,
            unresolved,
            boards,
        })
    }

    fn costs(&self, records: &Records) -> Result<Costs, DriveError> {
        let mut costs = Costs::default();
        for outcome in self.store.currents()? {
            let record = outcome.key.and_then(|key| records.get(&key));
            if let Some(record) = record {
                costs
                    .by_kind
                    .entry(outcome.kind)
                    .or_default()
                    .push(record.duration_ms());
                costs.by_name.insert(outcome.name, record.duration_ms());
            }
        }
        costs
            .by_kind
            .values_mut()
            .for_each(|durations| durations.sort_unstable());
        Ok(costs)
    }
}

/// What nodes took when they last ran.
#[derive(Default)]
struct Costs {
    by_name: BTreeMap<String, u64>,
    by_kind: BTreeMap<String, Vec<u64>>,
}

impl Costs {
    fn of(&self, kind: Kind, history_name: &str) -> Option<u64> {
        let own = self.by_name.get(history_name).copied();
        own.or_else(|| {
            let durations = self.by_kind.get(kind.word())?;
            durations.get(durations.len() / 2).copied()
        })
    }
}

fn standing(progress: &Progress<'_>, id: NodeId) -> Standing {
    match progress.state(id) {
        State::Done { .. } => Standing::Fresh,
        State::Stale { .. } => Standing::Runs,
        State::Waiting => Standing::MayRun,
        State::Failed { message, .. } | State::Broken { message, .. } => {
            Standing::Failed(message.to_string())
        }
        State::Skipped { reason } => Standing::Skipped(reason.to_string()),
        State::Unwanted => Standing::Skipped("not wanted".to_owned()),
    }
}
