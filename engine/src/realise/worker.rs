//! One node's run, in its own thread: claim, look again, execute, record.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde_json::Value;
use store::Digest;
use store::Record;
use store::Store;
use store::StoreError;
use tokio::sync::mpsc::UnboundedSender;

use crate::graph::KeyInput;
use crate::graph::Kind;
use crate::graph::NodeId;
use crate::graph::manifest;
use crate::recipe::Execute;
use crate::recipe::Job;
use crate::sandbox::Cancel;

/// What a worker tells the run loop.
pub(super) enum Told {
    Note {
        id: NodeId,
        text: String,
    },
    Recorded {
        key: Digest,
        record: Box<Record>,
        /// Whether another engine made it meanwhile.
        cached: bool,
        /// For a rebuild: how the new outputs differ from the recorded ones.
        difference: Option<String>,
    },
    Broken {
        key: Digest,
        message: String,
        log: Option<PathBuf>,
    },
}

pub(super) struct Work {
    pub id: NodeId,
    pub key: Digest,
    pub kind: Kind,
    pub name: String,
    pub inputs: Vec<KeyInput>,
    pub params: Value,
    /// Runs although there is a record.
    pub forced: bool,
    pub store: Arc<Store>,
    pub recipes: Arc<dyn Execute>,
    pub cancel: Cancel,
}

impl Work {
    pub(super) fn run(self, sender: &UnboundedSender<Told>) {
        let key = self.key;
        // The loop must hear of every worker's end, also of one that hit a bug.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.work(sender)))
            .unwrap_or_else(|_| {
                Err((
                    StoreOr::Message("the engine failed while running this node".into()),
                    None,
                ))
            })
            .unwrap_or_else(|(error, log)| Told::Broken {
                key,
                message: error.message(),
                log,
            });
        // A closed channel means the loop is gone, and with it anyone who could care.
        let _ = sender.send(told);
    }

    fn work(&self, sender: &UnboundedSender<Told>) -> Result<Told, (StoreOr, Option<PathBuf>)> {
        let note = |text: &str| {
            let _ = sender.send(Told::Note {
                id: self.id,
                text: text.to_owned(),
            });
        };
        let store = &self.store;
        let fail = |error: StoreError| (StoreOr::Store(error), None);
        let _claim = if let Some(claim) = store.try_claim(&self.key).map_err(fail)? {
            claim
        } else {
            note("waits for another engine that builds this node");
            store.claim(&self.key).map_err(fail)?
        };
        let before = store.record(&self.key).map_err(fail)?;
        if let (Some(record), false) = (&before, self.forced) {
            let (key, record) = (self.key, Box::new(record.clone()));
            return Ok(Told::Recorded {
                key,
                record,
                cached: true,
                difference: None,
            });
        }
        let work = store.work_dir("log").map_err(fail)?;
        let log_path = work.path().join("log");
        // A recipe reads it too, to tell a fault of the machine from one of the input.
        let mut options = File::options();
        options.read(true).append(true).create_new(true);
        let log = options.open(&log_path).map_err(|error| {
            (
                StoreOr::Message(format!("cannot write its log: {error}")),
                None,
            )
        })?;
        let (started_ms, start) = (now_ms(), Instant::now());
        let job = Job {
            kind: self.kind,
            name: &self.name,
            inputs: self.inputs.iter().copied().collect::<BTreeMap<_, _>>(),
            log: &log,
            cancel: &self.cancel,
            note: &note,
        };
        let result = self.recipes.execute(&job);
        let log = store.take_file(log_path).map_err(fail)?;
        let finished = result.map_err(|broken| {
            (
                StoreOr::Message(broken.message()),
                Some(store.blob_path(&log)),
            )
        })?;
        let manifest = manifest(self.kind, &self.params, &self.inputs).to_string();
        let record = Record {
            version: Record::VERSION,
            key: self.key,
            kind: self.kind.word().to_owned(),
            name: self.name.clone(),
            verdict: finished.verdict,
            outputs: finished.outputs,
            facts: finished.facts,
            manifest: store.put_bytes(manifest.as_bytes()).map_err(fail)?,
            log: Some(log),
            message: finished.message,
            started_ms,
            duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        // A rebuild that differs is told, and the recorded result stays what it was.
        let difference = before.and_then(|before| difference(&before, &record));
        if difference.is_none() {
            store.commit(&record).map_err(fail)?;
        }
        let (key, record) = (self.key, Box::new(record));
        Ok(Told::Recorded {
            key,
            record,
            cached: false,
            difference,
        })
    }
}

/// Why a worker gave no record.
enum StoreOr {
    Store(StoreError),
    Message(String),
}

impl StoreOr {
    fn message(self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            Self::Message(message) => message,
        }
    }
}

/// How the outputs of two successes differ; `None` where they are bit-identical.
fn difference(before: &Record, after: &Record) -> Option<String> {
    if before.verdict != store::Verdict::Succeeded || before.outputs == after.outputs {
        return None;
    }
    let names: Vec<&str> = before
        .outputs
        .keys()
        .chain(
            after
                .outputs
                .keys()
                .filter(|name| !before.outputs.contains_key(*name)),
        )
        .filter(|name| before.outputs.get(*name) != after.outputs.get(*name))
        .map(String::as_str)
        .collect();
    Some(format!(
        "built again, it gives other bytes: {}",
        names.join(", ")
    ))
}

/// The wall clock, milliseconds since 1970, for the history.
#[expect(
    clippy::disallowed_methods,
    reason = "the time of a run is recorded, never an input"
)]
pub fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
