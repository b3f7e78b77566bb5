//! The trait between the scheduler and the recipes.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use store::Digest;
use store::Verdict;

use super::Broken;
use super::Takes;
use crate::graph::Slot;
use crate::sandbox::Cancel;
use crate::spec::Closed;
use crate::spec::Spec;

/// One node to run, with everything its recipe may look at.
#[derive(Clone)]
pub struct Job {
    /// What the node is called: a label for others, such as the name of a lab's job, and for nothing that is recorded.
    pub name: String,
    /// What is said about the node.
    pub spec: Closed,
    /// The content of each slot.
    pub inputs: BTreeMap<Slot, Digest>,
    /// Where everything the node says is written, as it happens.
    pub log: Arc<File>,
    /// Ends the node early.
    pub cancel: Cancel,
    /// Takes what the user should hear of.
    pub tell: Arc<dyn Fn(Tell) + Send + Sync>,
}

/// What a running node tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Something worth a line (a download, a retry).
    Note(String),
    /// How far it is.
    Step(Step),
}

/// How far a node is, in units of its own: objects of a kernel, bytes of a download.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Units done.
    pub done: u64,
    /// About how many there are; `None` where nobody knows.
    pub of: Option<u64>,
    /// What is at work, such as the file that is compiled.
    pub at: String,
}

impl Job {
    /// Tells a line.
    pub fn note(&self, text: &str) {
        (self.tell)(Tell::Note(text.to_owned()));
    }
}

/// A result worth recording: a success, or a failure that would repeat itself.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Succeeded or failed.
    pub verdict: Verdict,
    /// Blobs and trees in the store, by output name.
    pub outputs: BTreeMap<String, Digest>,
    /// Small JSON kept inline in the record.
    pub facts: String,
    /// One line: what failed; on success what is worth knowing, mostly nothing.
    pub message: String,
}

/// A node's result, later.
pub type Waiting = Pin<Box<dyn Future<Output = Result<Finished, Broken>> + Send>>;

/// Realises nodes.
pub trait Execute: Send + Sync {
    /// What a node takes of the machine while it runs.
    fn takes(&self, spec: &Spec) -> Takes;

    /// Runs one node to its end, on a thread of its own. `Err` is never recorded.
    fn execute(&self, job: &Job) -> Result<Finished, Broken>;

    /// Runs a node that only waits for another machine ([`Takes::waits`]). It must not block: many wait on one thread.
    fn wait(&self, job: Job) -> Waiting {
        let kind = job.spec.kind();
        Box::pin(async move {
            Err(Broken::Infrastructure(format!(
                "no {kind} node waits for another machine"
            )))
        })
    }
}

impl Finished {
    /// A success.
    pub fn success(outputs: BTreeMap<String, Digest>, facts: String) -> Self {
        Self {
            verdict: Verdict::Succeeded,
            outputs,
            facts,
            message: String::new(),
        }
    }

    /// The same with a word on what is worth knowing; empty for nothing.
    pub(super) fn with_message(self, message: String) -> Self {
        Self { message, ..self }
    }

    /// A deterministic failure.
    pub fn failure(message: String, outputs: BTreeMap<String, Digest>, facts: String) -> Self {
        Self {
            verdict: Verdict::Failed,
            outputs,
            facts,
            message,
        }
    }
}
