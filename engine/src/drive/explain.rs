//! `why`: what changed since a node last had a result, followed up to the root cause.

use std::fmt;

use serde_json::Value;
use store::Record;
use store::RunId;

use super::DriveError;
use super::Session;
use super::session::find_node;
use crate::graph::NodeId;
use crate::graph::manifest;
use crate::graph::params;
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
    },
}

impl Reason {
    /// Root causes first, consequences last.
    fn rank(&self) -> u8 {
        match self {
            Self::Root { .. } => 0,
            Self::NeverRun { .. } | Self::Collected { .. } => 1,
            Self::Input { .. } => 2,
            Self::Unresolved { .. } => 3,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRun { node } => write!(f, "`{node}` never ran"),
            Self::Collected { node } => {
                write!(f, "the earlier result of `{node}` is gone from the store")
            }
            Self::Root { node, cause } | Self::Input { node, cause } => {
                write!(f, "`{node}`: {cause}")
            }
            Self::Unresolved { node } => write!(f, "waits for `{node}`"),
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
        let id = find_node(&progress, name).ok_or_else(|| DriveError::NothingNamed {
            pattern: name.to_owned(),
            similar: None,
        })?;
        Ok((progress, id))
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
                if !matches!(progress.state(input), State::Done { .. }) {
                    self.reasons(progress, input, found)?;
                    found.push(Reason::Unresolved {
                        node: progress.graph().node(input).full_name(),
                    });
                }
            }
            return Ok(None);
        };
        let history = self.store.history(&self.history_name(&name))?;
        let now = progress.state(id).key();
        let before = history
            .iter()
            .find(|(_, outcome)| outcome.key.is_some() && outcome.key != now);
        let Some((run, outcome)) = before else {
            if !matches!(
                progress.state(id),
                State::Done { .. } | State::Failed { .. }
            ) {
                let never = history.is_empty();
                found.push(if never {
                    Reason::NeverRun { node: name }
                } else {
                    Reason::Collected { node: name }
                });
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
        let params = params(progress.world(), node.kind, &node.name).unwrap_or_default();
        for cause in causes(&old, &manifest(node.kind, &params, &inputs)) {
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
