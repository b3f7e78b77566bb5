//! Realising what is wanted, and keeping what came of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use store::Digest;
use store::KeyHasher;
use store::Outcome;
use store::OutcomeVerdict;

use super::DriveError;
use super::Session;
use super::session::history_project;
use crate::apt::Apt;
use crate::graph::Kind;
use crate::graph::NodeId;
use crate::labs::QemuLab;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::plan::State;
use crate::realise::Observer;
use crate::realise::Options;
use crate::realise::RunReport;
use crate::realise::now_ms;
use crate::realise::realise;
use crate::recipe::Broken;
use crate::recipe::Execute;
use crate::recipe::Finished;
use crate::recipe::Job;
use crate::recipe::Recipes;
use crate::recipe::Tools;
use crate::results;
use crate::sandbox::Sandbox;

/// How `engine realize` runs.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What is wanted; empty means everything that runs by default.
    pub patterns: Vec<String>,
    /// Stops after this kind.
    pub until: Option<Kind>,
    /// Job slots and `make -j`.
    pub jobs: usize,
    /// Goes on with what does not depend on a failed node.
    pub keep_going: bool,
    /// Runs recorded failures again.
    pub retry_failed: bool,
    /// Runs the named nodes again and compares the bytes.
    pub rebuild: bool,
    /// Where the tree of result links goes.
    pub results: PathBuf,
    /// The command line, for the history.
    pub command: String,
}

impl Session {
    /// Realises what the options want.
    pub fn realise(
        &self,
        options: &RunOptions,
        observer: &dyn Observer,
    ) -> Result<RunReport, DriveError> {
        let selection = Selection::of(&options.patterns, options.until)?;
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
        let records;
        if lease.is_some() {
            records = self.store.load_records()?;
            progress = self.progress_on(&records, selection.clone(), options.retry_failed)?;
        }
        if options.rebuild {
            let named: Vec<NodeId> = progress
                .wanted()
                .filter(|id| names_for_rebuild(&selection, &progress, *id))
                .collect();
            progress.force(named);
        }
        let recipes: Arc<dyn Execute> = if progress.has_ready() {
            Arc::new(self.recipes(options.jobs)?)
        } else {
            Arc::new(Nothing)
        };
        let run = Options {
            jobs: options.jobs.max(1),
            keep_going: options.keep_going,
        };
        let started_ms = now_ms();
        let report = realise(&mut progress, &self.store, &recipes, run, observer)?;
        self.keep(&progress, &report, options, started_ms)?;
        Ok(report)
    }

    /// The recipes of this project, with a sandbox that was tried.
    pub fn recipes(&self, jobs: usize) -> Result<Recipes, DriveError> {
        let sandbox = Sandbox::new(PathBuf::from("/proc/self/exe"))?;
        let remover = |dir: &Path| sandbox.remove(dir);
        self.store.sweep_work(&remover)?;
        Ok(Recipes {
            tools: Tools {
                store: Arc::clone(&self.store),
                sandbox,
                apt: self.apt(),
                lab: Box::new(QemuLab::default()),
            },
            catalog: Arc::clone(&self.catalog),
            lock: Arc::clone(&self.lock),
            make_jobs: jobs.max(1),
        })
    }

    pub(super) fn apt(&self) -> Apt {
        Apt::new(self.store.root().join("apt"))
    }

    /// Writes the history and the tree of links, unless nothing can have changed.
    fn keep(
        &self,
        progress: &Progress<'_>,
        report: &RunReport,
        options: &RunOptions,
        started_ms: u64,
    ) -> Result<(), DriveError> {
        let settled = self.settled(options);
        let quiet = report.nodes.iter().all(|node| node.cached);
        if quiet && options.results.is_dir() && self.store.settled()? == Some(settled) {
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
        let run = self.store.begin_run(&options.command, started_ms)?;
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
                    || is_manual_boot(progress, name)
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

    /// What a run that changed nothing would leave as it is.
    fn settled(&self, options: &RunOptions) -> Digest {
        let mut hasher = KeyHasher::new("engine 2026-11 settled v1")
            .digest(&self.digest())
            .str(&options.results.display().to_string())
            .str(options.until.map_or("", Kind::word));
        for pattern in &options.patterns {
            hasher = hasher.str(pattern);
        }
        hasher.finish()
    }
}

/// Whether a name of the history is a boot that is declared and runs only when it is named: that this
/// run had no outcome for it does not end its last one.
fn is_manual_boot(progress: &Progress<'_>, history_name: &str) -> bool {
    let world = progress.world();
    let address = history_name
        .rsplit_once(" boot:")
        .map(|(_, address)| address);
    address.is_some_and(|address| {
        let declared = world.catalog.build(address).is_some() && world.boot(address).is_some();
        declared && !world.catalog.manual(address).is_empty()
    })
}

/// `--rebuild` runs what the patterns name for itself, not its inputs; a boot is not rebuilt unless
/// it is named, as its console holds times.
fn names_for_rebuild(selection: &Selection, progress: &Progress<'_>, id: NodeId) -> bool {
    let node = progress.graph().node(id);
    let named = match node.kind {
        Kind::Boot | Kind::Match => false,
        _ => selection.wants(node, progress.world().catalog),
    };
    named
        && matches!(
            progress.state(id),
            State::Done { .. } | State::Failed { .. }
        )
}

/// Stands in where nothing is to run.
struct Nothing;

impl Execute for Nothing {
    fn execute(&self, job: &Job<'_>) -> Result<Finished, Broken> {
        Err(Broken::Unresolved(job.name.to_owned()))
    }

    fn weight(&self, _: Kind, _: usize) -> usize {
        1
    }
}
