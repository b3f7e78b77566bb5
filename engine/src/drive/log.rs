//! What a node said: in its latest result, in an earlier run, or while it runs.

use std::path::PathBuf;

use store::Digest;
use store::Record;
use store::RunId;

use super::DriveError;
use super::Session;
use super::explain::describe;

/// A log, and whose it is.
#[derive(Clone, Debug)]
pub struct NodeLog {
    /// Where it is.
    pub path: PathBuf,
    /// What to know of it, unless it is that of the node as it is now.
    pub whose: Option<String>,
    /// The key of the node that writes it now.
    pub running: Option<Digest>,
}

impl Session {
    /// The log of a node as it is now: of its result, else of an engine that is at it, else of its last result.
    pub fn log(&self, name: &str) -> Result<NodeLog, DriveError> {
        let (progress, id) = self.locate(name)?;
        let node = progress.graph().node(id).full_name();
        let state = progress.state(id);
        let key = state.key();
        let running = self.running(key)?;
        if let Some(key) = key
            && let Some(record) = self.store.record(&key)?
        {
            let again =
                || format!("`{node}` is being made again; this is the log of its last result");
            return of_record(self, &record, name, running.is_some().then(again));
        }
        if let Some(running) = running {
            return Ok(running);
        }
        for (run, outcome) in self.store.history(&self.history_name(&node))? {
            let record = match outcome.key {
                Some(key) => self.store.record(&key)?,
                None => None,
            };
            if let Some(record) = record {
                let now = describe(state);
                let whose = format!("`{node}` is {now} now; this is the log of run {run}");
                return of_record(self, &record, name, Some(whose));
            }
        }
        Err(DriveError::NotYet {
            node,
            state: describe(state),
        })
    }

    /// The log of what a node was in a run.
    pub fn log_of_run(&self, name: &str, run: RunId) -> Result<NodeLog, DriveError> {
        let (progress, id) = self.locate(name)?;
        let node = progress.graph().node(id).full_name();
        // Only changes are written, so a run had what the newest one up to it has.
        let history = self.store.history(&self.history_name(&node))?;
        let found = history.into_iter().find(|(since, _)| *since <= run);
        let unknown = |why: String| DriveError::NoLog {
            node: node.clone(),
            why,
        };
        let (since, outcome) =
            found.ok_or_else(|| unknown(format!("run {run} did not know it")))?;
        let record = match outcome.key {
            Some(key) => self.store.record(&key)?,
            None => None,
        };
        let gone = || unknown(format!("run {run} left no result that is still there"));
        let record = record.ok_or_else(gone)?;
        let whose = (since != run).then(|| format!("run {run} found what run {since} had made"));
        of_record(self, &record, name, whose)
    }

    /// The log that an engine writes of a node at this moment.
    pub fn running_log(&self, name: &str) -> Result<Option<NodeLog>, DriveError> {
        let (progress, id) = self.locate(name)?;
        self.running(progress.state(id).key())
    }

    /// Whether an engine is at a node of this key.
    pub fn runs(&self, key: &Digest) -> Result<bool, DriveError> {
        Ok(self.store.claimed(key)?.is_some())
    }

    fn running(&self, key: Option<Digest>) -> Result<Option<NodeLog>, DriveError> {
        let Some(key) = key else { return Ok(None) };
        let path = self.store.claimed(&key)?.filter(|path| !path.is_empty());
        Ok(path.map(|path| NodeLog {
            path: PathBuf::from(path),
            whose: Some("an engine is at it; this is what it said so far".to_owned()),
            running: Some(key),
        }))
    }
}

fn of_record(
    session: &Session,
    record: &Record,
    name: &str,
    whose: Option<String>,
) -> Result<NodeLog, DriveError> {
    let log = record.log.ok_or_else(|| DriveError::NotYet {
        node: name.to_owned(),
        state: "it left no log".to_owned(),
    })?;
    Ok(NodeLog {
        path: session.store.blob_path(&log),
        whose,
        running: None,
    })
}
