//! What became of what was asked for: a failure is run again before it is told.

use serde::Deserialize;
use serde::Serialize;
use store::Digest;

use super::asked::Over;
use super::driver::Inner;
use crate::eval::Outcome;
use crate::eval::Refusal;
use crate::graph::NodeId;
use crate::plan::State;
use crate::recipe::Broken;

/// Kind of the entries in the store's cache that say whether failures come again.
const RECURRENCE: &str = "recurrence";

/// How often a failure was run, and how often it came the same way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recurrence {
    pub runs: usize,
    pub failed: usize,
    pub signature: String,
    pub reason: String,
}

impl Inner {
    /// What became of a node; a failure is run again before it is told.
    pub(super) fn outcome(&mut self, id: NodeId) -> Result<Outcome, Refusal> {
        let state = self.wait(id)?;
        if let State::Failed { key, .. } = state
            && self.recurrence(&key).is_none()
        {
            self.run_again(id, &state)?;
        }
        Ok(self.told(id))
    }

    /// Whether a failure came again, where that was tried.
    pub(super) fn recurrence(&self, key: &Digest) -> Option<Recurrence> {
        serde_json::from_slice(&self.store.cache_get(RECURRENCE, key)?).ok()
    }

    fn run_again(&mut self, id: NodeId, before: &State) -> Result<(), Over> {
        let first = self.failure(before);
        self.graph.again(id)?;
        let state = self.wait(id)?;
        let failed = match &state {
            State::Failed { .. } => usize::from(self.failure(&state).0 == first.0),
            State::Done { .. } => 0,
            // It could not be tried.
            _ => return Ok(()),
        };
        let (signature, reason) = first;
        let recurrence = Recurrence {
            runs: 2,
            failed: 1 + failed,
            signature,
            reason,
        };
        if let Some(key) = state.key() {
            let kept = serde_json::to_vec(&recurrence).unwrap_or_default();
            // A cache that cannot be written costs another run.
            let _ = self.store.cache_put(RECURRENCE, &key, &kept);
        }
        Ok(())
    }

    /// Signature and reason of a failure.
    pub(super) fn failure(&self, state: &State) -> (String, String) {
        let State::Failed { key, message, .. } = state else {
            return Default::default();
        };
        let record = self.store.record(key).ok().flatten();
        let facts = record.map(|record| record.facts).unwrap_or_default();
        let signature = signature(&facts).unwrap_or_else(|| message.to_string());
        (signature, message.to_string())
    }

    /// What is known of a node now.
    pub(super) fn told(&self, id: NodeId) -> Outcome {
        let state = self.graph.state(id);
        let again = state
            .and_then(State::key)
            .and_then(|key| self.recurrence(&key));
        let of = |verdict, signature: &str, reason: &str| Outcome {
            verdict,
            signature: signature.to_owned(),
            reason: reason.to_owned(),
        };
        match (state, again) {
            (Some(State::Done { .. }), None) => of("succeeded", "", ""),
            (Some(State::Done { .. }), Some(again)) => of("flaky", &again.signature, &again.reason),
            (Some(state @ State::Failed { .. }), again) => {
                let (signature, reason) = self.failure(state);
                let flaky = again.is_some_and(|again| again.failed < again.runs);
                of(if flaky { "flaky" } else { "failed" }, &signature, &reason)
            }
            // What the end of the run interrupted says nothing.
            (Some(State::Broken { message, .. }), _)
                if **message != Broken::Cancelled.to_string() =>
            {
                of("broken", message, message)
            }
            (Some(State::Skipped { reason }), _) => of("skipped", "", reason),
            _ => of("", "", ""),
        }
    }
}

/// The signature in the facts of a kernel's or a boot's record.
pub(super) fn signature(facts: &str) -> Option<String> {
    let facts: serde_json::Value = serde_json::from_str(facts).ok()?;
    let of = |value: &serde_json::Value| Some(value.get("signature")?.as_str()?.to_owned());
    let found = of(&facts).or_else(|| of(facts.get("error")?));
    found.filter(|signature| !signature.is_empty())
}
