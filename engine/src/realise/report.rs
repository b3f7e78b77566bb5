//! From a settled node to what is told of it.

use std::path::PathBuf;

use store::OutcomeVerdict;
use store::Store;

use super::NodeReport;
use crate::graph::Node;
use crate::plan::State;

/// The report of a node; `kept` is the log of one that left no record.
pub(super) fn node_report(
    node: &Node,
    state: &State,
    kept: Option<&PathBuf>,
    store: &Store,
) -> NodeReport {
    let (verdict, cached, duration_ms, reason) = match state {
        State::Done {
            cached,
            duration_ms,
            message,
            ..
        } => (OutcomeVerdict::Succeeded, *cached, *duration_ms, &**message),
        State::Failed {
            cached,
            duration_ms,
            message,
            ..
        } => (OutcomeVerdict::Failed, *cached, *duration_ms, &**message),
        State::Broken { message, .. } => (OutcomeVerdict::Broken, false, 0, &**message),
        State::Skipped { reason } => (OutcomeVerdict::Skipped, false, 0, &**reason),
        State::Unwanted | State::Waiting | State::Stale { .. } => {
            (OutcomeVerdict::Skipped, false, 0, "it never became ready")
        }
    };
    let key = state.key();
    let log = if verdict == OutcomeVerdict::Failed {
        let record = key.and_then(|key| store.record(&key).ok().flatten());
        record
            .and_then(|record| record.log)
            .map(|log| store.blob_path(&log))
    } else {
        kept.cloned()
    };
    NodeReport {
        kind: node.kind(),
        name: node.name.to_string(),
        verdict,
        cached,
        key,
        reason: reason.to_owned(),
        log,
        duration_ms,
    }
}
