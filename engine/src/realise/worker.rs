//! One node's run: claim, look again, execute, record.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use jobserver::Acquired;
use store::Claim;
use store::Digest;
use store::Record;
use store::Store;
use store::StoreError;
use store::WorkDir;
use tokio::sync::mpsc::UnboundedSender;

use crate::graph::KeyInput;
use crate::graph::NodeId;
use crate::graph::manifest;
use crate::recipe::Broken;
use crate::recipe::Execute;
use crate::recipe::Finished;
use crate::recipe::Job;
use crate::recipe::OBJECTS;
use crate::recipe::Tell;
use crate::sandbox::Cancel;
use crate::spec::Closed;
use crate::text::with_causes;

/// What a worker tells the run loop.
pub(super) enum Told {
    /// A CPU token that the loop asked for.
    Token(io::Result<Acquired>),
    Tell {
        id: NodeId,
        tell: Tell,
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
    /// It is left to a later run.
    Left {
        key: Digest,
        reason: String,
    },
}

pub(super) struct Work {
    pub id: NodeId,
    pub key: Digest,
    pub name: String,
    pub spec: Closed,
    pub inputs: Vec<KeyInput>,
    /// Runs although there is a record.
    pub forced: bool,
    pub store: Arc<Store>,
    pub recipes: Arc<dyn Execute>,
    pub cancel: Cancel,
}

/// How often a claim that another engine holds is tried again.
const CLAIM_TICK: Duration = Duration::from_millis(100);

/// The right to build a node, with its log.
struct Begun {
    before: Option<Record>,
    _claim: Claim,
    work: WorkDir,
    log: Arc<File>,
    started_ms: u64,
    start: Instant,
}

/// How a node begins.
enum Begin {
    /// Another engine is at it.
    Claimed,
    /// It has its result already.
    There(Box<Record>),
    Begun(Box<Begun>),
}

type Failed = (StoreOr, Option<PathBuf>);

impl Work {
    /// Runs the node on the calling thread.
    pub(super) fn run(self, sender: &UnboundedSender<Told>) {
        // The loop must hear of every worker's end, also of one that hit a bug.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.work(sender)));
        self.end(told.unwrap_or_else(|_| Err(bug())), sender);
    }

    /// Runs a node that waits for another machine, on no thread of its own.
    pub(super) async fn wait(self, sender: UnboundedSender<Told>) {
        let work = Arc::new(self);
        let (inner, hears) = (Arc::clone(&work), sender.clone());
        // A task of its own, so that the end of one that hit a bug is heard of too.
        let told = tokio::spawn(async move { inner.work_waiting(&hears).await }).await;
        work.end(told.unwrap_or_else(|_| Err(bug())), &sender);
    }

    fn end(&self, told: Result<Told, Failed>, sender: &UnboundedSender<Told>) {
        let key = self.key;
        let told = told.unwrap_or_else(|(error, log)| match error {
            StoreOr::Left(reason) => Told::Left { key, reason },
            error => Told::Broken {
                key,
                message: error.message(),
                log,
            },
        });
        // A closed channel means the loop is gone, and with it anyone who could care.
        let _ = sender.send(told);
    }

    fn work(&self, sender: &UnboundedSender<Told>) -> Result<Told, Failed> {
        let mut waited = false;
        let begun = loop {
            match self.begin().map_err(fail)? {
                Begin::There(record) => return Ok(self.cached(record)),
                Begin::Begun(begun) => break begun,
                Begin::Claimed => {
                    self.waits(&mut waited, sender)?;
                    std::thread::sleep(CLAIM_TICK);
                }
            }
        };
        let result = self.recipes.execute(&self.job(&begun, sender));
        self.finish(&begun, result)
    }

    async fn work_waiting(&self, sender: &UnboundedSender<Told>) -> Result<Told, Failed> {
        let mut waited = false;
        let begun = loop {
            match self.begin().map_err(fail)? {
                Begin::There(record) => return Ok(self.cached(record)),
                Begin::Begun(begun) => break begun,
                Begin::Claimed => {
                    self.waits(&mut waited, sender)?;
                    tokio::time::sleep(CLAIM_TICK).await;
                }
            }
        };
        let result = self.recipes.wait(self.job(&begun, sender)).await;
        self.finish(&begun, result)
    }

    /// Tells once that another engine is waited for; fails once the run is cancelled.
    fn waits(&self, waited: &mut bool, sender: &UnboundedSender<Told>) -> Result<(), Failed> {
        if self.cancel.is_cancelled() {
            return Err((StoreOr::Message(Broken::Cancelled.message()), None));
        }
        if !std::mem::replace(waited, true) {
            let tell = Tell::Note("waits for another engine that builds this node".to_owned());
            let _ = sender.send(Told::Tell { id: self.id, tell });
        }
        Ok(())
    }

    fn cached(&self, record: Box<Record>) -> Told {
        Told::Recorded {
            key: self.key,
            record,
            cached: true,
            difference: None,
        }
    }

    fn begin(&self) -> Result<Begin, StoreError> {
        let store = &self.store;
        let Some(claim) = store.try_claim(&self.key)? else {
            return Ok(Begin::Claimed);
        };
        // Another engine may have made it meanwhile.
        let before = store.record(&self.key)?;
        let before = match before {
            Some(record) if !self.forced => return Ok(Begin::There(Box::new(record))),
            before => before,
        };
        let work = store.work_dir("log")?;
        let path = work.path().join("log");
        // A recipe reads it too, to tell a fault of the machine from one of the input.
        let mut options = File::options();
        options.read(true).append(true).create_new(true);
        let log = options
            .open(&path)
            .map_err(StoreError::io("write", &path))?;
        // For whoever wants to follow it.
        claim.note(&path.to_string_lossy())?;
        Ok(Begin::Begun(Box::new(Begun {
            before,
            _claim: claim,
            work,
            log: Arc::new(log),
            started_ms: now_ms(),
            start: Instant::now(),
        })))
    }

    fn job(&self, begun: &Begun, sender: &UnboundedSender<Told>) -> Job {
        let (id, sender) = (self.id, sender.clone());
        Job {
            name: self.name.clone(),
            spec: self.spec.clone(),
            inputs: self.inputs.iter().copied().collect::<BTreeMap<_, _>>(),
            log: Arc::clone(&begun.log),
            cancel: self.cancel.clone(),
            tell: Arc::new(move |tell| {
                let _ = sender.send(Told::Tell { id, tell });
            }),
        }
    }

    /// Records a result.
    fn finish(&self, begun: &Begun, result: Result<Finished, Broken>) -> Result<Told, Failed> {
        let store = &self.store;
        if let (true, Err(broken)) = (self.cancel.is_cancelled(), &result) {
            // Nobody reads its log, and hundreds that wait end at once.
            return Err((StoreOr::Message(broken.message()), None));
        }
        let log = store
            .take_file(begun.work.path().join("log"))
            .map_err(fail)?;
        let finished = result.map_err(|broken| {
            let message = match &broken {
                Broken::Submitted { .. } => StoreOr::Left(broken.message()),
                _ => StoreOr::Message(broken.message()),
            };
            (message, Some(store.blob_path(&log)))
        })?;
        let manifest = manifest(&self.spec, &self.inputs).to_string();
        let record = Record {
            version: Record::VERSION,
            key: self.key,
            kind: self.spec.kind().word().to_owned(),
            name: self.name.clone(),
            verdict: finished.verdict,
            outputs: finished.outputs,
            facts: finished.facts,
            manifest: store.put_bytes(manifest.as_bytes()).map_err(fail)?,
            log: Some(log),
            message: finished.message,
            started_ms: begun.started_ms,
            duration_ms: u64::try_from(begun.start.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        // A rebuild that differs is told, and the recorded result stays what it was.
        let difference = begun
            .before
            .as_ref()
            .and_then(|before| difference(before, &record));
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

fn fail(error: StoreError) -> Failed {
    (StoreOr::Store(error), None)
}

fn bug() -> Failed {
    let message = "the engine failed while running this node";
    (StoreOr::Message(message.to_owned()), None)
}

/// Why a worker gave no record.
enum StoreOr {
    Store(StoreError),
    Message(String),
    /// Nothing is wrong: a later run takes what comes of it.
    Left(String),
}

impl StoreOr {
    fn message(self) -> String {
        match self {
            Self::Store(error) => with_causes(&error),
            Self::Message(message) | Self::Left(message) => message,
        }
    }
}

/// How the outputs of two successes differ; `None` where they are bit-identical.
fn difference(before: &Record, after: &Record) -> Option<String> {
    let mut outputs = after.outputs.clone();
    if !before.outputs.contains_key(OBJECTS) {
        // An engine that knew no such output made the record, which is made whole.
        outputs.remove(OBJECTS);
    }
    if before.verdict != store::Verdict::Succeeded || before.outputs == outputs {
        return None;
    }
    let names: Vec<&str> = before
        .outputs
        .keys()
        .chain(
            outputs
                .keys()
                .filter(|name| !before.outputs.contains_key(*name)),
        )
        .filter(|name| before.outputs.get(*name) != outputs.get(*name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_older_records_lack_is_no_difference() {
        let record = |outputs: &[(&str, &str)]| Record {
            version: Record::VERSION,
            key: Digest::of(b"key"),
            kind: "kernel".to_owned(),
            name: "name".to_owned(),
            verdict: store::Verdict::Succeeded,
            outputs: outputs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), Digest::of(text.as_bytes())))
                .collect(),
            facts: String::new(),
            manifest: Digest::of(b""),
            log: None,
            message: String::new(),
            started_ms: 0,
            duration_ms: 0,
        };
        let told = |before: &[(&str, &str)], after: &[(&str, &str)]| {
            difference(&record(before), &record(after)).unwrap_or_default()
        };
        let (old, new) = (&[("image", "i")], &[("image", "i"), (OBJECTS, "o")]);
        assert_eq!(told(old, new), "");
        assert!(told(new, old).ends_with(": objects.json"));
        assert!(told(old, &[("image", "other"), (OBJECTS, "o")]).ends_with(": image"));
    }
}
