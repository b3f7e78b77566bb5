//! Realising what is wanted, and keeping what came of it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use jobserver::Client;
use store::Digest;
use store::KeyHasher;
use store::Outcome;
use store::OutcomeVerdict;
use store::Verdict;

use super::DriveError;
use super::LabOptions;
use super::Session;
use super::costs::Costs;
use super::session::history_project;
use crate::buildlog::Diagnostic;
use crate::console::BootResults;
use crate::graph::NodeId;
use crate::labs::QemuLab;
use crate::machine::Load;
use crate::model::Derived;
use crate::model::SourceOrigin;
use crate::origins::Network;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::plan::State;
use crate::realise::Event;
use crate::realise::NodeReport;
use crate::realise::Observer;
use crate::realise::Options;
use crate::realise::RealiseError;
use crate::realise::RunReport;
use crate::realise::now_ms;
use crate::realise::realise;
use crate::recipe::Broken;
use crate::recipe::Execute;
use crate::recipe::Finished;
use crate::recipe::Job;
use crate::recipe::Neighbours;
use crate::recipe::Takes;
use crate::recipe::Tools;
use crate::recipe::WARNINGS;
use crate::results;
use crate::sandbox::Sandbox;
use crate::spec::Kind;
use crate::spec::Spec;
use crate::text::counted;

/// How `engine realize` runs.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What is wanted; empty means everything that runs by default.
    pub patterns: Vec<String>,
    /// Stops after this kind.
    pub until: Option<Kind>,
    /// Job slots and `make -j`.
    pub jobs: usize,
    /// Memory that all that runs is expected to need at most, in MiB.
    pub memory_mib: u64,
    /// Where engines on this machine see each other, if anywhere.
    pub load: Option<PathBuf>,
    /// How the network may be used.
    pub network: Network,
    /// Goes on with what does not depend on a failed node.
    pub keep_going: bool,
    /// Runs recorded failures again.
    pub retry_failed: bool,
    /// Runs the named nodes again and compares the bytes.
    pub rebuild: bool,
    /// How kernels start from the objects of earlier ones, if they do.
    pub neighbours: Option<Neighbours>,
    /// Where the tree of result links goes.
    pub results: PathBuf,
    /// How LAVA labs are used.
    pub labs: LabOptions,
    /// The command line, for the history.
    pub command: String,
}

/// A run that is over.
#[derive(Debug)]
pub struct Realised {
    /// What became of every node.
    pub report: RunReport,
    /// Whether the history and the tree of links could be written.
    pub kept: Result<(), DriveError>,
}

impl Session {
    /// Realises what the options want.
    pub fn realise(
        &self,
        options: &RunOptions,
        observer: &dyn Observer,
    ) -> Result<Realised, DriveError> {
        let selection = self.selection(&options.patterns, options.until)?;
        // Outlives the progress that reads it.
        let records;
        let mut progress = self.progress(selection.clone(), options.retry_failed)?;
        // What is relied on must outlive a collection beside this run; a no-op relies on nothing.
        let lease = if progress.has_ready() || options.rebuild {
            let keys: Vec<Digest> = progress
                .wanted()
                .filter_map(|id| progress.state(id).key())
                .collect();
            Some(self.store.lease(&keys)?)
        } else {
            None
        };
        if lease.is_some() {
            records = self.store.load_records()?;
            progress = self.progress_on(&records, selection.clone(), options.retry_failed)?;
        }
        if options.rebuild {
            let named: Vec<NodeId> = progress
                .wanted()
                .filter(|id| self.names_for_rebuild(&selection, &progress, *id))
                .collect();
            progress.force(named);
        }
        if progress.has_ready() {
            prepare(options)?;
        }
        let mut jobserver = None;
        let recipes: Arc<dyn Execute> = if progress.has_ready() {
            let mut tools = self.tools(options.jobs, options.network)?;
            // What is compared is built clean.
            tools.neighbours = options.neighbours.filter(|_| !options.rebuild);
            tools.lava = self.lava_tools(&options.labs, options.results.clone());
            jobserver.clone_from(&tools.jobserver);
            Arc::new(tools)
        } else {
            Arc::new(Nothing)
        };
        let costs = if progress.has_ready() {
            Costs::read(&self.store, progress.records())?
        } else {
            Costs::default()
        };
        let run = Options {
            jobs: options.jobs.max(1),
            memory_mib: options.memory_mib,
            keep_going: options.keep_going,
            jobserver,
            estimate: &|node| costs.estimate(node, &self.history_name(&node.full_name())),
        };
        // Held while it runs.
        let _load = progress.has_ready().then(|| load(options, observer));
        let mut report = realise(&mut progress, &self.store, &recipes, &run, observer, None)?;
        self.compare_warnings(&mut report);
        self.name_origins(&mut report);
        let kept = self.keep(&progress, &report, options);
        Ok(Realised { report, kept })
    }

    /// Tells which warnings of the kernels that were built are new, compared with the last result of the same address.
    fn compare_warnings(&self, report: &mut RunReport) {
        let built = |node: &&mut NodeReport| {
            node.kind == Kind::Kernel && !node.cached && node.verdict == OutcomeVerdict::Succeeded
        };
        for node in report.nodes.iter_mut().filter(built) {
            let name = self.history_name(&format!("{}:{}", node.kind, node.name));
            let Ok(Some(Outcome {
                key: Some(last), ..
            })) = self.store.current(&name)
            else {
                continue;
            };
            let (Some(key), true) = (node.key, node.key != Some(last)) else {
                continue;
            };
            let (Some(now), Some(before)) = (self.warnings_of(&key), self.warnings_of(&last))
            else {
                continue;
            };
            let known: BTreeSet<&str> = before.iter().map(|warning| &*warning.signature).collect();
            let mut new = now
                .iter()
                .filter(|warning| !known.contains(&*warning.signature));
            if let Some(first) = new.next() {
                let all = 1 + new.count();
                node.reason = format!("{}, {all} new: {}", node.reason, first.told());
            }
        }
    }

    /// Says of each source that failed where it is from.
    fn name_origins(&self, report: &mut RunReport) {
        let failed = |node: &&mut NodeReport| {
            node.kind == Kind::Source && node.verdict == OutcomeVerdict::Failed
        };
        for node in report.nodes.iter_mut().filter(failed) {
            let source = self.catalog.sources.get(&node.name);
            if let Some(SourceOrigin::Tarball { urls, .. }) = source.map(|source| &source.origin) {
                node.reason = format!("{}; it is from {}", node.reason, urls.join(", "));
            }
        }
    }

    /// The warnings of a kernel; `None` where it is not in the store, or failed.
    fn warnings_of(&self, kernel: &Digest) -> Option<Vec<Diagnostic>> {
        let record = self.store.record(kernel).ok()??;
        if record.verdict != Verdict::Succeeded {
            return None;
        }
        match record.outputs.get(WARNINGS) {
            None => Some(Vec::new()),
            Some(list) => serde_json::from_slice(&self.store.read(list).ok()?).ok(),
        }
    }

    /// What the boots of a run gave, by the boot's address.
    pub fn booted_by(&self, report: &RunReport) -> BTreeMap<String, BootResults> {
        let boots = report.nodes.iter().filter(|node| node.kind == Kind::Boot);
        let results = boots.filter_map(|node| {
            let record = self.store.record(&node.key?).ok()??;
            let results = self.store.read(record.outputs.get("results.json")?).ok()?;
            let results: BootResults = serde_json::from_slice(&results).ok()?;
            Some((node.name.clone(), results))
        });
        results.collect()
    }

    /// What recipes work with, with a sandbox that was tried.
    pub fn tools(&self, jobs: usize, network: Network) -> Result<Tools, DriveError> {
        let sandbox = Sandbox::new(PathBuf::from("/proc/self/exe"))?;
        let remover = |dir: &Path| sandbox.remove(dir);
        self.store.sweep_work(&remover)?;
        Ok(Tools {
            store: Arc::clone(&self.store),
            network,
            lab: Box::new(QemuLab::new(sandbox.clone())),
            lava: None,
            neighbours: None,
            sandbox,
            jobserver: Some(Client::new(jobs.max(1)).map_err(RealiseError::Runtime)?),
            make_jobs: jobs.max(1),
        })
    }

    /// Writes the history and the tree of links, unless nothing can have changed.
    pub(super) fn keep(
        &self,
        progress: &Progress<'_>,
        report: &RunReport,
        options: &RunOptions,
    ) -> Result<(), DriveError> {
        let settled = self.settled(options);
        if report.is_cached() && options.results.is_dir() && self.store.settled()? == Some(settled)
        {
            return Ok(());
        }
        let outcomes: Vec<Outcome> = report
            .nodes
            .iter()
            .map(|node| Outcome {
                name: self.history_name(&format!("{}:{}", node.kind, node.name)),
                kind: node.kind.word().to_owned(),
                key: node.key,
                verdict: node.verdict,
                reason: node.reason.clone(),
                cached: node.cached,
            })
            .collect();
        let run = self.store.begin_run(&options.command, report.started_ms)?;
        self.store.finish_run(run, now_ms(), &outcomes)?;
        if options.patterns.is_empty() && options.until.is_none() {
            let names: BTreeSet<&str> = outcomes.iter().map(|outcome| &*outcome.name).collect();
            let declared: BTreeSet<String> = progress
                .graph()
                .ids()
                .map(|id| self.history_name(&progress.graph().node(id).full_name()))
                .collect();
            self.store.retire(run, |name| {
                history_project(name) != self.project
                    || names.contains(name)
                    || declared.contains(name)
                    || self.is_manual_boot(name)
                    || is_derived(name)
            })?;
        }
        results::link(&self.store, progress, &options.results)
            .map_err(super::error::file("write", &options.results))?;
        let complete = report.nodes.iter().all(|node| {
            matches!(
                node.verdict,
                OutcomeVerdict::Succeeded | OutcomeVerdict::Failed
            )
        });
        if complete {
            self.store.set_settled(settled)?;
        }
        Ok(())
    }

    /// Whether a name of the history is a boot that is declared and runs only when it is named: that this
    /// run had no outcome for it does not end its last one.
    fn is_manual_boot(&self, history_name: &str) -> bool {
        let boot = history_name.rsplit_once(" boot:");
        let Some((build, board, suite)) = boot.and_then(|(_, address)| {
            let (rest, suite) = address.rsplit_once('/')?;
            let (build, board) = rest.rsplit_once('/')?;
            Some((build, board, suite))
        }) else {
            return false;
        };
        let catalog = &self.catalog;
        let declared = catalog.build(build).is_ok()
            && catalog.boards.contains_key(board)
            && catalog.suites.contains_key(suite);
        declared
            && !catalog
                .manual(&format!("{build}/{board}/{suite}"))
                .is_empty()
    }

    /// `--rebuild` runs what the patterns name for itself, not its inputs; a boot is not rebuilt unless
    /// it is named, as its console holds times.
    fn names_for_rebuild(
        &self,
        selection: &Selection,
        progress: &Progress<'_>,
        id: NodeId,
    ) -> bool {
        let node = progress.graph().node(id);
        let named = match node.kind() {
            Kind::Boot | Kind::Probe | Kind::Match => false,
            _ => selection.wants(node, &self.catalog),
        };
        named
            && matches!(
                progress.state(id),
                State::Done { .. } | State::Failed { .. }
            )
    }

    /// What a run that changed nothing would leave as it is.
    fn settled(&self, options: &RunOptions) -> Digest {
        let mut hasher = KeyHasher::new("engine 2026-11 settled v1")
            .digest(&self.digest())
            .str(&options.results.display().to_string())
            .str(options.until.map_or("", Kind::word))
            .str(&format!("{:?}", self.place));
        for pattern in &options.patterns {
            hasher = hasher.str(pattern);
        }
        hasher.finish()
    }
}

/// Sees that results can be written: that is better known before an hour of work.
pub(super) fn prepare(options: &RunOptions) -> Result<(), DriveError> {
    results::prepare(&options.results).map_err(super::error::file("write", &options.results))
}

/// Lets other engines see this one; says so where together they take more than there is.
pub(super) fn load(options: &RunOptions, observer: &dyn Observer) -> Option<Load> {
    // A place that cannot be written keeps nobody from working.
    let (load, others) = Load::enter(options.load.as_ref()?, options.jobs).ok()?;
    let cpus = available_parallelism().map_or(1, usize::from);
    let theirs: usize = others.iter().map(|other| other.jobs).sum();
    if theirs > 0 && theirs + options.jobs > cpus {
        let pids: Vec<String> = others.iter().map(|other| other.pid.to_string()).collect();
        let engines = counted(others.len(), "other engine runs", "other engines run");
        observer.event(Event::RunNote(&format!(
            "{engines} on this machine (process {}): with this one up to {} jobs on {cpus} CPUs; `--jobs` gives each a part",
            pids.join(", "),
            theirs + options.jobs,
        )));
    }
    Some(load)
}

/// Whether a name of the history is that of a derived build, or of something below one: no run of what is declared ends its last result.
fn is_derived(history_name: &str) -> bool {
    let name = history_name
        .rsplit_once(' ')
        .map_or(history_name, |(_, name)| name);
    name.split('/').nth(2).is_some_and(Derived::is_meant)
}

/// Stands in where nothing is to run.
struct Nothing;

impl Execute for Nothing {
    fn takes(&self, _: &Spec) -> Takes {
        Takes::default()
    }

    fn execute(&self, _: &Job) -> Result<Finished, Broken> {
        Err(Broken::Unresolved("recipe"))
    }
}
