//! `why`: what changed since a node last had a result, followed up to the root cause.

use serde_json::Value;
use store::Digest;
use store::Outcome;
use store::OutcomeVerdict;
use store::Record;
use store::RunId;

use super::DriveError;
use super::Session;
use super::session::find_node;
use crate::graph::NodeId;
use crate::graph::manifest;
use crate::plan::Cause;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::plan::State;
use crate::plan::causes;

/// Why a node is stale, or why its latest result was made.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// `KIND:NAME`.
    pub node: String,
    /// Where it stands now, one word or a line.
    pub state: String,
    /// The run that made the result compared with, where there is one.
    pub since: Option<RunId>,
    /// What differs, the root causes first.
    pub reasons: Vec<Reason>,
}

/// One thing that differs; the order is that of telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no earlier result under this name.
    NeverRun {
        /// `KIND:NAME`.
        node: String,
    },
    /// An earlier result is gone from the store.
    Collected {
        /// `KIND:NAME`.
        node: String,
    },
    /// There is a result, and it is to be made again.
    Again {
        /// `KIND:NAME`.
        node: String,
    },
    /// The machine failed it the last time, so that there is no result.
    Broken {
        /// `KIND:NAME`.
        node: String,
        /// What was wrong.
        why: String,
    },
    /// A difference in a node's own definition or recipe.
    Root {
        /// `KIND:NAME` of the node whose definition changed.
        node: String,
        /// What changed.
        cause: Cause,
    },
    /// The content of an input changed, and what made it has no recorded difference.
    Input {
        /// `KIND:NAME` of the node that takes it.
        node: String,
        /// What changed.
        cause: Cause,
    },
    /// An input is not resolved, so whether the node is stale is not known.
    Unresolved {
        /// `KIND:NAME` of the input.
        node: String,
        /// Where the input stands.
        state: String,
    },
}

impl Reason {
    /// Root causes first, consequences last.
    fn rank(&self) -> u8 {
        match self {
            Self::Root { .. } => 0,
            Self::NeverRun { .. }
            | Self::Collected { .. }
            | Self::Again { .. }
            | Self::Broken { .. } => 1,
            Self::Input { .. } => 2,
            Self::Unresolved { .. } => 3,
        }
    }

    /// What differs, for a reader who looks at `node`: its own name is not repeated.
    pub fn told_of(&self, node: &str) -> String {
        let (whose, what) = match self {
            Self::NeverRun { node } => (node, "never ran".to_owned()),
            Self::Collected { node } => (node, "the earlier result is gone".to_owned()),
            Self::Again { node } => (node, "asked to run again".to_owned()),
            Self::Broken { node, why } => (node, format!("was broken: {why}")),
            Self::Root { node, cause } | Self::Input { node, cause } => (node, cause.to_string()),
            Self::Unresolved { node, state } => (node, state.clone()),
        };
        if whose == node {
            what
        } else {
            format!("{whose}: {what}")
        }
    }
}

impl Session {
    /// Explains a node by `KIND:NAME` or address.
    pub fn why(&self, name: &str) -> Result<Explanation, DriveError> {
        let (progress, id) = self.locate(name)?;
        self.explain(&progress, id)
    }

    pub(super) fn explain(
        &self,
        progress: &Progress<'_>,
        id: NodeId,
    ) -> Result<Explanation, DriveError> {
        let node = progress.graph().node(id).full_name();
        let mut reasons = Vec::new();
        let since = self.reasons(progress, id, &mut reasons)?;
        reasons.sort_by_key(Reason::rank);
        // A node that two others take is met twice.
        let mut kept: Vec<Reason> = Vec::new();
        for reason in reasons {
            if !kept.contains(&reason) {
                kept.push(reason);
            }
        }
        let reasons = kept;
        let state = describe(progress.state(id));
        Ok(Explanation {
            node,
            state,
            since,
            reasons,
        })
    }

    /// Where a node stands, and its record if it has one.
    pub fn record(&self, name: &str) -> Result<Record, DriveError> {
        let (progress, id) = self.locate(name)?;
        let full = progress.graph().node(id).full_name();
        let key = progress.state(id).key();
        let last = self
            .store
            .current(&self.history_name(&full))?
            .and_then(|outcome| outcome.key);
        for key in key.into_iter().chain(last) {
            if let Some(record) = self.store.record(&key)? {
                return Ok(record);
            }
        }
        Err(DriveError::NotYet {
            node: full,
            state: describe(progress.state(id)),
        })
    }

    /// A progress in which the named node is wanted, and its id.
    pub fn locate(&self, name: &str) -> Result<(Progress<'_>, NodeId), DriveError> {
        let selection = Selection::of(&[name.to_owned()], None)?;
        let progress = self.progress(selection, false)?;
        if let Some(id) = find_node(&progress, name) {
            return Ok((progress, id));
        }
        self.matched(&[name.to_owned()], None)?;
        if name.contains('*') {
            let (pattern, similar) = (name.to_owned(), None);
            return Err(DriveError::NothingNamed { pattern, similar });
        }
        Err(DriveError::NotYet {
            node: name.to_owned(),
            state: "its build is not matched against boards yet".to_owned(),
        })
    }

    fn reasons(
        &self,
        progress: &Progress<'_>,
        id: NodeId,
        found: &mut Vec<Reason>,
    ) -> Result<Option<RunId>, DriveError> {
        let node = progress.graph().node(id);
        let name = node.full_name();
        let Some(inputs) = progress.key_inputs(id) else {
            for (_, input) in progress.graph().inputs(id) {
                let state = progress.state(input);
                if matches!(state, State::Done { .. }) {
                    continue;
                }
                let before = found.len();
                self.reasons(progress, input, found)?;
                if found.len() == before {
                    let node = progress.graph().node(input).full_name();
                    found.push(Reason::Unresolved {
                        node,
                        state: describe(state),
                    });
                }
            }
            return Ok(None);
        };
        let history = self.store.history(&self.history_name(&name))?;
        let now = progress.state(id).key();
        let made = |verdict| matches!(verdict, OutcomeVerdict::Succeeded | OutcomeVerdict::Failed);
        let before = history
            .iter()
            .find(|(_, outcome)| made(outcome.verdict) && outcome.key != now);
        let Some((run, outcome)) = before else {
            if !matches!(
                progress.state(id),
                State::Done { .. } | State::Failed { .. }
            ) {
                found.push(self.without_other_key(name, &history, now)?);
            }
            return Ok(None);
        };
        let record = outcome
            .key
            .and_then(|key| self.store.record(&key).ok().flatten());
        let Some(old) = record.and_then(|record| self.manifest(&record)) else {
            found.push(Reason::Collected { node: name });
            return Ok(Some(*run));
        };
        for cause in causes(&old, &manifest(&node.spec, &inputs)) {
            let Cause::Input { slot, .. } = &cause else {
                found.push(Reason::Root {
                    node: name.clone(),
                    cause,
                });
                continue;
            };
            let before = found.len();
            let upstream = progress
                .graph()
                .inputs(id)
                .find(|(i, _)| i.slot.word() == slot);
            if let Some((_, upstream)) = upstream {
                self.reasons(progress, upstream, found)?;
            }
            if found.len() == before {
                found.push(Reason::Input {
                    node: name.clone(),
                    cause,
                });
            }
        }
        Ok(Some(*run))
    }

    /// Why a node has no result, where no result of another key is there to compare with.
    fn without_other_key(
        &self,
        node: String,
        history: &[(RunId, Outcome)],
        now: Option<Digest>,
    ) -> Result<Reason, DriveError> {
        if let Some(key) = now
            && self.store.record(&key)?.is_some()
        {
            return Ok(Reason::Again { node });
        }
        Ok(match history.first().map(|(_, outcome)| outcome) {
            Some(last) if last.verdict == OutcomeVerdict::Broken => Reason::Broken {
                node,
                why: last.reason.clone(),
            },
            Some(last) if last.verdict != OutcomeVerdict::Skipped => Reason::Collected { node },
            _ => Reason::NeverRun { node },
        })
    }

    fn manifest(&self, record: &Record) -> Option<Value> {
        serde_json::from_slice(&self.store.read(&record.manifest).ok()?).ok()
    }
}

/// A state in words.
pub(super) fn describe(state: &State) -> String {
    match state {
        State::Unwanted => "not wanted".to_owned(),
        State::Waiting => "unknown until its inputs are resolved".to_owned(),
        State::Stale { .. } => "stale".to_owned(),
        State::Done { .. } => "fresh".to_owned(),
        State::Failed { message, .. } => format!("failed: {message}"),
        State::Broken { message, .. } => format!("broken: {message}"),
        State::Skipped { reason } => format!("skipped: {reason}"),
    }
}
