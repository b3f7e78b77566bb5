//! What a run would do and what it would cost, without doing it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::DriveError;
use super::Session;
use super::costs::Costs;
use super::explain::Reason;
use crate::graph::NodeId;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::plan::State;
use crate::plan::matched;
use crate::spec::Kind;

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
    /// Milliseconds it took last; for what would or might run.
    pub estimate_ms: Option<u64>,
    /// The least and the most that others of its kind took, where it never ran itself.
    pub like_ms: Option<(u64, u64)>,
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
        let selection = self.selection(patterns, until)?;
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
        let costs = Costs::read(&self.store, progress.records())?;
        let mut nodes = Vec::new();
        let mut unresolved = 0;
        let names = self.catalog.boards.keys().cloned();
        let mut boards: BTreeMap<String, Vec<String>> =
            names.map(|name| (name, Vec::new())).collect();
        for id in progress.wanted() {
            let node = progress.graph().node(id);
            let standing = standing(&progress, id);
            let pending = matches!(standing, Standing::Runs | Standing::MayRun);
            if pending && node.kind() == Kind::Match {
                unresolved += usize::from(until.is_none_or(|until| until == Kind::Boot));
            }
            if node.kind() == Kind::Match {
                for board in matched_boards(&progress, id)? {
                    boards.entry(board).or_default().push(node.name.to_string());
                }
            }
            let reasons = match standing {
                Standing::Runs => self.explain(&progress, id)?.reasons,
                _ => Vec::new(),
            };
            let own = || costs.own(&self.history_name(&node.full_name()));
            let estimate_ms = if pending { own() } else { None };
            let new = pending && estimate_ms.is_none();
            let like_ms = if new { costs.range(node.kind()) } else { None };
            let name = node.name.to_string();
            nodes.push(Foreseen {
                kind: node.kind(),
                name,
                standing,
                reasons,
                estimate_ms,
                like_ms,
            });
        }
        Ok(Outlook {
            nodes,
            unresolved,
            boards,
        })
    }
}

/// The boards that a match node found before; none while it has no answer.
fn matched_boards(progress: &Progress<'_>, id: NodeId) -> Result<Vec<String>, DriveError> {
    let State::Done { key, .. } = progress.state(id) else {
        return Ok(Vec::new());
    };
    let Some(record) = progress.records().get(key) else {
        return Ok(Vec::new());
    };
    let build = &progress.graph().node(id).name;
    Ok(matched(build, record.facts())?.boards)
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
