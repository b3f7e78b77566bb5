//! Looking at results without making any: `results`, the parts of a `shell`, `log`.

use serde::Serialize;
use store::OutcomeVerdict;

use super::DriveError;
use super::Session;
use super::explain::describe;
use crate::plan::Selection;
use crate::plan::State;
use crate::recipe::Tools;
use crate::sandbox::Cancel;
use crate::sandbox::Exit;
use crate::spec::Kind;

/// One line of `engine results --json`.
#[derive(Clone, Debug, Serialize)]
pub struct ResultLine {
    /// Address of a build or boot, or the declared name of another node.
    pub address: String,
    /// Kind of the node.
    pub kind: Kind,
    /// `succeeded`, `failed`, `broken` or `skipped`.
    pub verdict: &'static str,
    /// Why it was skipped, broken or failed; on success what is worth knowing; absent where there is nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether the result is in the store.
    pub cached: bool,
    /// The key, 64 hex digits; absent while inputs are not resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Session {
    /// One line per wanted node, from the store alone; what is stale or unknown counts by the last
    /// run's word, and is skipped where no run ever met it.
    pub fn results(&self, patterns: &[String]) -> Result<Vec<ResultLine>, DriveError> {
        let progress = self.progress(Selection::of(patterns, None)?, false)?;
        let mut lines = Vec::new();
        for id in progress.wanted() {
            let node = progress.graph().node(id);
            let state = progress.state(id);
            let (verdict, reason, cached) = match state {
                State::Done { message, .. } => ("succeeded", message.to_string(), true),
                State::Failed { message, .. } => ("failed", message.to_string(), true),
                State::Skipped { reason } => ("skipped", reason.to_string(), false),
                other => match self.store.current(&self.history_name(&node.full_name()))? {
                    Some(last)
                        if last.verdict == OutcomeVerdict::Broken && last.key == other.key() =>
                    {
                        ("broken", last.reason, false)
                    }
                    _ => ("skipped", describe(other), false),
                },
            };
            let key = state.key().map(|key| key.to_string());
            let address = node.name.to_string();
            lines.push(ResultLine {
                address,
                kind: node.kind(),
                verdict,
                reason,
                cached,
                key,
            });
        }
        Ok(lines)
    }

    /// Opens an interactive shell in a node's sandbox; gives how it ended.
    pub fn shell(&self, name: &str, tools: &Tools) -> Result<Exit, DriveError> {
        let (progress, id) = self.locate(name)?;
        let node = progress.graph().node(id);
        let Some(inputs) = progress.key_inputs(id) else {
            let state = "an input is not resolved; realise it first".to_owned();
            return Err(DriveError::NotYet {
                node: node.full_name(),
                state,
            });
        };
        Ok(tools.shell(node, &inputs.into_iter().collect(), &Cancel::new())?)
    }
}
