//! The run loop: one thread decides, a thread per running node works.
//!
//! Only the loop touches [`Progress`]. A worker claims the node's key first, so that of two engines
//! on one store one builds and the other takes the record. Nodes of equal key in one run wait for
//! each other the same way, through the `sharers` of the key.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use store::Digest;
use store::OutcomeVerdict;
use store::Store;
use store::StoreError;
use store::Verdict;
use thiserror::Error;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;

use super::Event;
use super::NodeReport;
use super::Observer;
use super::RunReport;
use super::worker::Told;
use super::worker::Work;
use crate::graph::NodeId;
use crate::graph::params;
use crate::plan::PlanError;
use crate::plan::Progress;
use crate::plan::State;
use crate::recipe::Execute;
use crate::sandbox::Cancel;

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Job slots: what runs at once, in units of one CPU.
    pub jobs: usize,
    /// Goes on with what does not depend on a failed node.
    pub keep_going: bool,
}

/// Why a run could not be carried through.
#[derive(Debug, Error)]
pub enum RealiseError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The plan could not go on.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The runtime or the signal handlers could not be set up.
    #[error("cannot start the scheduler")]
    Runtime(#[from] io::Error),
}

/// Runs every ready node and what becomes ready, until nothing is left or the run is ended.
pub fn realise(
    progress: &mut Progress<'_>,
    store: &Arc<Store>,
    recipes: &Arc<dyn Execute>,
    options: Options,
    observer: &dyn Observer,
) -> Result<RunReport, RealiseError> {
    let start = Instant::now();
    observer.event(Event::RunStarted {
        wanted: progress.wanted().count(),
        fresh: progress
            .wanted()
            .filter(|id| progress.state(*id).is_settled())
            .count(),
    });
    let ready = progress.take_ready();
    let mut run = Run {
        progress,
        store,
        recipes,
        options,
        observer,
        cancel: Cancel::new(),
        ready,
        running: BTreeMap::new(),
        used: 0,
        stopped: None,
        logs: BTreeMap::new(),
        reports: BTreeMap::new(),
    };
    run.report_settled();
    if !run.ready.is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(run.drive())?;
    }
    run.report_settled();
    let report = RunReport {
        interrupted: run.cancel.is_cancelled(),
        nodes: std::mem::take(&mut run.reports).into_values().collect(),
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    observer.event(Event::RunFinished(&report));
    Ok(report)
}

/// A key being realised by this run.
struct Running {
    /// The node whose worker runs.
    id: NodeId,
    /// Nodes of the same key, which take its result.
    sharers: Vec<NodeId>,
    weight: usize,
}

struct Run<'r, 'p> {
    progress: &'r mut Progress<'p>,
    store: &'r Arc<Store>,
    recipes: &'r Arc<dyn Execute>,
    options: Options,
    observer: &'r dyn Observer,
    cancel: Cancel,
    ready: Vec<NodeId>,
    running: BTreeMap<Digest, Running>,
    /// Job slots taken by what runs.
    used: usize,
    /// Why nothing more is started.
    stopped: Option<&'static str>,
    /// Logs of nodes that left no record.
    logs: BTreeMap<NodeId, PathBuf>,
    reports: BTreeMap<NodeId, NodeReport>,
}

impl Run<'_, '_> {
    async fn drive(&mut self) -> Result<(), RealiseError> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, mut told) = mpsc::unbounded_channel();
        loop {
            self.start(&sender);
            if self.running.is_empty() {
                break;
            }
            tokio::select! {
                Some(told) = told.recv() => self.take(told)?,
                () = either(&mut interrupt, &mut terminate) => self.stop("the run was interrupted"),
            }
        }
        self.progress
            .abandon(self.stopped.unwrap_or("it never became ready"));
        Ok(())
    }

    /// Stops starting nodes; an interrupt also ends those that run.
    fn stop(&mut self, reason: &'static str) {
        self.stopped = Some(reason);
        self.cancel.cancel();
    }

    /// Starts what fits into the free slots, the deepest kinds first: they free disk and tell most.
    fn start(&mut self, sender: &mpsc::UnboundedSender<Told>) {
        self.ready.extend(self.progress.take_ready());
        if self.stopped.is_some() {
            return;
        }
        self.ready
            .sort_by_key(|id| (self.progress.graph().node(*id).kind, std::cmp::Reverse(*id)));
        let mut later = Vec::new();
        while let Some(id) = self.ready.pop() {
            let State::Stale { key } = *self.progress.state(id) else {
                continue;
            };
            if let Some(running) = self.running.get_mut(&key) {
                running.sharers.push(id);
                continue;
            }
            let kind = self.progress.graph().node(id).kind;
            let weight = self
                .recipes
                .weight(kind, self.options.jobs)
                .min(self.options.jobs);
            if self.used > 0 && self.used + weight > self.options.jobs {
                later.push(id);
                continue;
            }
            self.used += weight;
            self.running.insert(
                key,
                Running {
                    id,
                    sharers: Vec::new(),
                    weight,
                },
            );
            self.launch(id, key, sender.clone());
        }
        self.ready = later;
    }

    fn launch(&self, id: NodeId, key: Digest, sender: mpsc::UnboundedSender<Told>) {
        let node = self.progress.graph().node(id);
        let why = if self.progress.is_forced(id) {
            "asked to run again"
        } else {
            ""
        };
        self.observer.event(Event::NodeStarted {
            kind: node.kind,
            name: &node.name,
            why,
        });
        let work = Work {
            id,
            key,
            kind: node.kind,
            name: node.name.to_string(),
            inputs: self.progress.key_inputs(id).unwrap_or_default(),
            params: params(self.progress.world(), node.kind, &node.name).unwrap_or_default(),
            forced: self.progress.is_forced(id) || self.progress.retries_failed(),
            store: Arc::clone(self.store),
            recipes: Arc::clone(self.recipes),
            cancel: self.cancel.clone(),
        };
        // A thread of its own, not a pool's: the processes it starts die with the thread.
        std::thread::spawn(move || work.run(&sender));
    }

    fn take(&mut self, told: Told) -> Result<(), RealiseError> {
        match told {
            Told::Note { id, text } => {
                let node = self.progress.graph().node(id);
                let (kind, name) = (node.kind, &*node.name);
                self.observer.event(Event::NodeNote {
                    kind,
                    name,
                    text: &text,
                });
                return Ok(());
            }
            Told::Recorded {
                key,
                record,
                cached,
                difference,
            } => {
                let Some(running) = self.running.remove(&key) else {
                    return Ok(());
                };
                self.used -= running.weight;
                if record.verdict == Verdict::Failed && !self.options.keep_going {
                    self.stopped
                        .get_or_insert("an earlier node failed; `--keep-going` goes on");
                }
                self.progress.finished(running.id, &record, cached)?;
                for id in running.sharers {
                    self.progress.finished(id, &record, true)?;
                }
                if let Some(text) = difference {
                    self.progress.differs(running.id, &text);
                }
            }
            Told::Broken { key, message, log } => {
                let Some(running) = self.running.remove(&key) else {
                    return Ok(());
                };
                self.used -= running.weight;
                if !self.options.keep_going {
                    self.stopped
                        .get_or_insert("an earlier node broke; `--keep-going` goes on");
                }
                for id in std::iter::once(running.id).chain(running.sharers) {
                    // What was interrupted has no log that tells why.
                    if let (Some(log), false) = (&log, self.cancel.is_cancelled()) {
                        self.logs.insert(id, log.clone());
                    }
                    self.progress.broken(id, &message)?;
                }
            }
        }
        self.report_settled();
        Ok(())
    }

    fn report_settled(&mut self) {
        for id in self.progress.take_settled() {
            let report = self.report(id);
            self.observer.event(Event::NodeFinished(&report));
            self.reports.insert(id, report);
        }
    }

    fn report(&self, id: NodeId) -> NodeReport {
        let node = self.progress.graph().node(id);
        let state = self.progress.state(id);
        let (verdict, cached, duration_ms, reason) = match state {
            State::Done {
                cached,
                duration_ms,
                ..
            } => (OutcomeVerdict::Succeeded, *cached, *duration_ms, ""),
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
            let record = key.and_then(|key| self.store.record(&key).ok().flatten());
            record
                .and_then(|record| record.log)
                .map(|log| self.store.blob_path(&log))
        } else {
            self.logs.get(&id).cloned()
        };
        let name = node.name.to_string();
        let reason = reason.to_owned();
        NodeReport {
            kind: node.kind,
            name,
            verdict,
            cached,
            key,
            reason,
            log,
            duration_ms,
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
