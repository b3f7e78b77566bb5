//! The run loop: one thread decides, a thread per running node works.
//!
//! Only the loop touches [`Progress`]. It starts a ready node when its place is free: CPU tokens, memory, a slot of
//! what has few. Of several ready nodes that with the longest remaining path is first. A worker claims the
//! node's key first, so that of two engines on one store one builds and the other takes the record. Nodes of equal key in one run wait for
//! each other the same way, through the `sharers` of the key.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use jobserver::Client;
use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;
use store::Digest;
use store::Store;
use store::StoreError;
use store::Verdict;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Demands;
use super::Estimate;
use super::Event;
use super::NodeReport;
use super::Observer;
use super::RunReport;
use super::demand::Command;
use super::demand::Drivers;
use super::forecast::Forecast;
use super::forecast::Underway;
use super::queue::Queue;
use super::queue::Ready;
use super::queue::Start;
use super::report::node_report;
use super::signals::Signals;
use super::tokens::Held;
use super::tokens::Tokens;
use super::worker::Told;
use super::worker::Work;
use super::worker::now_ms;
use crate::graph::GrowError;
use crate::graph::Node;
use crate::graph::NodeId;
use crate::plan::Progress;
use crate::plan::State;
use crate::recipe::Execute;
use crate::recipe::Takes;
use crate::recipe::Tell;
use crate::sandbox::Cancel;

/// How to run.
#[derive(Clone)]
pub struct Options<'a> {
    /// CPU tokens: what runs at once, in units of one CPU.
    pub jobs: usize,
    /// Memory that all that runs is expected to need at most, in MiB.
    pub memory_mib: u64,
    /// Goes on with what does not depend on a failed node.
    pub keep_going: bool,
    /// Holds the tokens; the recipes' `make` takes from it too. `None` makes one.
    pub jobserver: Option<Client>,
    /// What a node is expected to take.
    pub estimate: &'a dyn Fn(&Node) -> Estimate,
}

/// Why a run could not be carried through.
#[derive(Debug, Error)]
pub enum RealiseError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The graph could not grow.
    #[error(transparent)]
    Grow(#[from] GrowError),
    /// The runtime, the tokens or the signal handlers could not be set up.
    #[error("cannot start the scheduler")]
    Runtime(#[from] io::Error),
}

/// Enough for several thousand nodes that wait.
const MANY_FILES: u64 = 16_384;
/// How often the progress of the whole is told.
const TICK: Duration = Duration::from_secs(1);
/// How long cancelled nodes may take to end. What has not ended then is left behind: what it started dies with the
/// engine, and the next run removes its scratch.
const GRACE: Duration = Duration::from_millis(900);

/// Runs every ready node and what becomes ready, until nothing is left or the run is ended. With `demands` it
/// goes on until the last driver is gone.
pub fn realise(
    progress: &mut Progress<'_>,
    store: &Arc<Store>,
    recipes: &Arc<dyn Execute>,
    options: &Options<'_>,
    observer: &dyn Observer,
    demands: Option<Demands>,
) -> Result<RunReport, RealiseError> {
    let (start, started_ms) = (Instant::now(), now_ms());
    observer.event(Event::RunStarted {
        wanted: progress.wanted().count(),
        fresh: progress
            .wanted()
            .filter(|id| progress.state(*id).is_settled())
            .count(),
    });
    let mut run = Run {
        progress,
        store,
        recipes,
        options,
        observer,
        cancel: Cancel::new(),
        drivers: Drivers::new(demands),
        forecast: Forecast::new(options.estimate),
        queue: Queue::default(),
        running: BTreeMap::new(),
        underway: BTreeMap::new(),
        slots: BTreeMap::new(),
        memory_mib: 0,
        made: BTreeSet::new(),
        again: Vec::new(),
        many_files: false,
        stopped: None,
        logs: BTreeMap::new(),
        reports: BTreeMap::new(),
    };
    // What adders say of results that were there was said when they came.
    run.progress.take_notes();
    run.report_settled();
    if run.progress.has_ready() || run.drivers.live() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(run.drive())?;
        // A node that did not end in time must not keep the engine.
        runtime.shutdown_background();
    }
    run.report_settled();
    let report = RunReport {
        started_ms,
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
    takes: Takes,
    tokens: Held,
}

struct Run<'r, 'p> {
    progress: &'r mut Progress<'p>,
    store: &'r Arc<Store>,
    recipes: &'r Arc<dyn Execute>,
    options: &'r Options<'r>,
    observer: &'r dyn Observer,
    cancel: Cancel,
    drivers: Drivers,
    forecast: Forecast<'r>,
    queue: Queue,
    running: BTreeMap<Digest, Running>,
    underway: BTreeMap<NodeId, Underway>,
    /// Slots taken, by name.
    slots: BTreeMap<String, usize>,
    /// Memory that what runs may need.
    memory_mib: u64,
    /// Keys that this run has recorded, and nodes of them that became ready later.
    made: BTreeSet<Digest>,
    again: Vec<(NodeId, Digest)>,
    /// Whether more files may be open than a process may have by default.
    many_files: bool,
    /// Why nothing more is started.
    stopped: Option<&'static str>,
    /// Logs of nodes that left no record.
    logs: BTreeMap<NodeId, PathBuf>,
    reports: BTreeMap<NodeId, NodeReport>,
}

impl Run<'_, '_> {
    async fn drive(&mut self) -> Result<(), RealiseError> {
        let mut signals = Signals::new()?;
        let (sender, mut told) = mpsc::unbounded_channel();
        let client = match &self.options.jobserver {
            Some(client) => client.clone(),
            None => Client::new(self.options.jobs)?,
        };
        let tokens = sender.clone();
        let mut tokens = Tokens::new(&client, self.options.jobs, move |token| {
            let _ = tokens.send(Told::Token(token));
        })?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.start(&sender, &mut tokens);
            if self.take_again()? {
                continue;
            }
            if self.running.is_empty() && self.idle() {
                break;
            }
            tokio::select! {
                Some(told) = told.recv() => self.take(told, &mut tokens)?,
                request = self.drivers.next() => {
                    let command = self.drivers.serve(request, self.progress, self.stopped);
                    self.report_settled();
                    match command {
                        Some(Command::Note(text)) => self.observer.event(Event::RunNote(&text)),
                        Some(Command::Stop(reason)) => {
                            self.stop(reason);
                            break;
                        }
                        None => {}
                    }
                }
                () = signals.next() => {
                    self.stop("the run was interrupted");
                    break;
                }
                _ = tick.tick() => self.tell_progress(),
            }
        }
        if self.cancel.is_cancelled() {
            self.wind_down(&mut told, &mut tokens).await?;
        }
        let reason = self.stopped.unwrap_or("it never became ready");
        self.progress.abandon(reason);
        Ok(())
    }

    /// Gives nodes whose key was recorded meanwhile their result; says whether there were any.
    fn take_again(&mut self) -> Result<bool, RealiseError> {
        let again = std::mem::take(&mut self.again);
        for (id, key) in &again {
            if let Some(record) = self.store.record(key)? {
                self.progress.finished(*id, &record, true)?;
            } else {
                // A collection beside this run took it: it is made once more.
                self.made.remove(key);
                self.progress.ready_again(*id);
            }
        }
        self.report_settled();
        Ok(!again.is_empty())
    }

    /// Whether nothing runs, nothing can start, and nobody may ask for more.
    fn idle(&self) -> bool {
        self.stopped.is_some() || (self.queue.is_empty() && !self.drivers.live())
    }

    /// Waits for what was cancelled, but not long.
    async fn wind_down(
        &mut self,
        told: &mut mpsc::UnboundedReceiver<Told>,
        tokens: &mut Tokens,
    ) -> Result<(), RealiseError> {
        let end = tokio::time::sleep(GRACE);
        tokio::pin!(end);
        while !self.running.is_empty() {
            tokio::select! {
                Some(told) = told.recv() => self.take(told, tokens)?,
                () = &mut end => break,
            }
        }
        let left: Vec<NodeId> = std::mem::take(&mut self.running)
            .into_values()
            .flat_map(|running| std::iter::once(running.id).chain(running.sharers))
            .collect();
        for id in left {
            self.progress.broken(id, "interrupted")?;
        }
        Ok(())
    }

    /// Stops starting nodes, and ends those that run.
    fn stop(&mut self, reason: &'static str) {
        self.stopped = Some(reason);
        self.cancel.cancel();
    }

    /// Starts what there is room for: the longest remaining path first, so that all ends early; where drivers ask, who go by what has ended, the
    /// shortest one first, so that what was begun does.
    fn start(&mut self, sender: &mpsc::UnboundedSender<Told>, tokens: &mut Tokens) {
        self.forecast.update(self.progress);
        for id in self.progress.take_ready() {
            let takes = self.recipes.takes(self.progress.graph().node(id).spec());
            let path_ms = self.forecast.path(id);
            let rank = if self.drivers.live() {
                u64::MAX - path_ms
            } else {
                path_ms
            };
            self.queue.push(Ready { rank, id, takes });
        }
        let mut waits_for_cpu = false;
        if self.stopped.is_none() {
            let mut queue = std::mem::take(&mut self.queue);
            queue.start(|ready| {
                let started = self.start_one(ready, sender, tokens);
                waits_for_cpu |= matches!(&started, Start::Full(ready) if ready.takes.cpus > 0);
                started
            });
            self.queue = queue;
        }
        if !waits_for_cpu {
            tokens.spare();
        }
    }

    fn start_one(
        &mut self,
        ready: Ready,
        sender: &mpsc::UnboundedSender<Told>,
        tokens: &mut Tokens,
    ) -> Start {
        let State::Stale { key } = *self.progress.state(ready.id) else {
            return Start::Gone;
        };
        if let Some(running) = self.running.get_mut(&key) {
            running.sharers.push(ready.id);
            return Start::Gone;
        }
        if self.made.contains(&key) && !self.progress.is_forced(ready.id) {
            self.again.push((ready.id, key));
            return Start::Gone;
        }
        let slot = ready.takes.slot.as_ref();
        if slot.is_some_and(|(name, most)| self.slots.get(name).is_some_and(|taken| taken >= most))
        {
            return Start::Full(ready);
        }
        if !self.has_memory(&ready.takes) {
            return Start::NoRoom(ready);
        }
        let Some(held) = tokens.take(ready.takes.cpus) else {
            return Start::Full(ready);
        };
        self.launch(ready.id, key, ready.takes, held, sender.clone());
        Start::Gone
    }

    /// Whether there is memory for it. What is too large for the machine runs alone.
    fn has_memory(&self, takes: &Takes) -> bool {
        let fits = self.memory_mib + takes.memory_mib <= self.options.memory_mib;
        takes.memory_mib == 0 || self.memory_mib == 0 || fits
    }

    fn launch(
        &mut self,
        id: NodeId,
        key: Digest,
        takes: Takes,
        tokens: Held,
        sender: mpsc::UnboundedSender<Told>,
    ) {
        let node = self.progress.graph().node(id);
        let why = if self.progress.is_forced(id) {
            "asked to run again"
        } else {
            ""
        };
        self.observer.event(Event::NodeStarted {
            kind: node.kind(),
            name: &node.name,
            why,
        });
        let work = Work {
            id,
            key,
            name: node.name.to_string(),
            spec: node.spec.clone(),
            inputs: self.progress.key_inputs(id).unwrap_or_default(),
            forced: self.progress.is_forced(id) || self.progress.retries_failed(),
            store: Arc::clone(self.store),
            recipes: Arc::clone(self.recipes),
            cancel: self.cancel.clone(),
        };
        self.memory_mib += takes.memory_mib;
        if let Some((slot, _)) = &takes.slot {
            *self.slots.entry(slot.clone()).or_default() += 1;
        }
        if takes.waits {
            if !std::mem::replace(&mut self.many_files, true) {
                open_more_files();
            }
            tokio::spawn(work.wait(sender));
        } else {
            // A thread of its own, not a pool's: the processes it starts die with the thread.
            std::thread::spawn(move || work.run(&sender));
        }
        self.underway.insert(
            id,
            Underway {
                since: Instant::now(),
                step: crate::recipe::Step::default(),
            },
        );
        let running = Running {
            id,
            sharers: Vec::new(),
            takes,
            tokens,
        };
        self.running.insert(key, running);
    }

    /// Takes a key off the running ones, and gives back what it held.
    fn ended(&mut self, key: &Digest, tokens: &mut Tokens) -> Option<(NodeId, Vec<NodeId>)> {
        let running = self.running.remove(key)?;
        self.memory_mib = self.memory_mib.saturating_sub(running.takes.memory_mib);
        if let Some((slot, _)) = &running.takes.slot
            && let Some(taken) = self.slots.get_mut(slot)
        {
            *taken = taken.saturating_sub(1);
        }
        tokens.back(running.tokens, self.running.is_empty());
        self.underway.remove(&running.id);
        self.forecast.ran(running.id);
        Some((running.id, running.sharers))
    }

    fn take(&mut self, told: Told, tokens: &mut Tokens) -> Result<(), RealiseError> {
        match told {
            Told::Token(token) => {
                tokens.came(token?);
                return Ok(());
            }
            Told::Tell { id, tell } => {
                self.tell(id, tell);
                return Ok(());
            }
            Told::Recorded {
                key,
                record,
                cached,
                difference,
            } => {
                let Some((id, sharers)) = self.ended(&key, tokens) else {
                    return Ok(());
                };
                if record.verdict == Verdict::Failed && !self.options.keep_going {
                    self.stopped
                        .get_or_insert("an earlier node failed; `--keep-going` goes on");
                }
                self.made.insert(key);
                self.progress.finished(id, &record, cached)?;
                for id in sharers {
                    self.progress.finished(id, &record, true)?;
                }
                if let Some(text) = difference {
                    self.progress.differs(id, &text);
                }
            }
            Told::Left { key, reason } => {
                if let Some((id, sharers)) = self.ended(&key, tokens) {
                    for id in std::iter::once(id).chain(sharers) {
                        self.progress.leave(id, &reason)?;
                    }
                }
            }
            Told::Broken { key, message, log } => {
                let Some((id, sharers)) = self.ended(&key, tokens) else {
                    return Ok(());
                };
                if !self.options.keep_going {
                    self.stopped
                        .get_or_insert("an earlier node broke; `--keep-going` goes on");
                }
                for id in std::iter::once(id).chain(sharers) {
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

    /// Passes on what a node told.
    fn tell(&mut self, id: NodeId, tell: Tell) {
        let node = self.progress.graph().node(id);
        let (kind, name) = (node.kind(), &*node.name);
        match tell {
            Tell::Note(text) => self.observer.event(Event::NodeNote {
                kind,
                name,
                text: &text,
            }),
            Tell::Step(mut step) => {
                // What it counted before is better than its own guess.
                let units = self.forecast.units(id).map(|units| units.max(step.done));
                step.of = units.or(step.of);
                let step_event = Event::NodeStep {
                    kind,
                    name,
                    step: &step,
                };
                self.observer.event(step_event);
                if let Some(underway) = self.underway.get_mut(&id) {
                    underway.step = step;
                }
            }
        }
    }

    fn tell_progress(&mut self) {
        self.forecast.update(self.progress);
        let told = self
            .forecast
            .progress(self.progress, &self.underway, self.options.jobs);
        self.observer.event(Event::Progress(told));
    }

    fn report_settled(&mut self) {
        for (id, text) in self.progress.take_notes() {
            self.tell(id, Tell::Note(text));
        }
        for id in self.progress.take_settled() {
            let node = self.progress.graph().node(id);
            let log = self.logs.get(&id);
            let report = node_report(node, self.progress.state(id), log, self.store);
            self.observer.event(Event::NodeFinished(&report));
            self.reports.insert(id, report);
            self.drivers.tell(id, self.progress);
        }
    }
}

/// Lets this process have as many open files as nodes that wait need, each a claim and a log, where the system allows it. A node for which
/// there is no room is told as broken.
fn open_more_files() {
    let limit = getrlimit(Resource::RLIMIT_NOFILE);
    if let Ok((soft, hard)) = limit
        && soft < MANY_FILES
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(MANY_FILES), hard);
    }
}
