//! The trait between the scheduler and the recipes.

use std::collections::BTreeMap;
use std::fs::File;

use store::Digest;
use store::Verdict;

use super::Broken;
use crate::graph::Kind;
use crate::graph::Slot;
use crate::sandbox::Cancel;

/// One node to run, with everything it may look at.
pub struct Job<'a> {
    /// Kind of the node.
    pub kind: Kind,
    /// Its name within its kind.
    pub name: &'a str,
    /// The content of each slot.
    pub inputs: BTreeMap<Slot, Digest>,
    /// Where everything the node says is written, as it happens.
    pub log: &'a File,
    /// Ends the node early.
    pub cancel: &'a Cancel,
    /// Takes a line for the user (a download, a retry).
    pub note: &'a (dyn Fn(&str) + Sync),
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
    /// One line: what failed; empty on success.
    pub message: String,
}

/// Realises nodes.
pub trait Execute: Send + Sync {
    /// Runs one node to its end. `Err` is never recorded.
    fn execute(&self, job: &Job<'_>) -> Result<Finished, Broken>;

    /// How many of the run's job slots a node of this kind takes, of `slots` in all.
    fn weight(&self, kind: Kind, slots: usize) -> usize;
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
