//! `engine explore`: a script, the graph that runs beside it, and what they came to.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use store::OutcomeVerdict;

use super::super::DriveError;
use super::super::RunOptions;
use super::super::Session;
use super::super::costs::Costs;
use super::asked::Graph;
use super::driver::Budget;
use super::driver::Driver;
use super::tally::Exploration;
use crate::eval;
use crate::eval::Explorer;
use crate::graph::Whole;
use crate::plan::Progress;
use crate::realise::Demand;
use crate::realise::Event;
use crate::realise::NodeReport;
use crate::realise::Observer;
use crate::realise::Options;
use crate::realise::RunReport;
use crate::realise::realise;
use crate::recipe::Execute;
use crate::spec::Kind;
use crate::text::Diagnostic;

/// How an exploration runs.
#[derive(Clone, Debug)]
pub struct ExploreOptions {
    /// Path of the script below the project.
    pub script: String,
    /// What `setting(…)` gives.
    pub settings: BTreeMap<String, String>,
    /// How much it may take.
    pub budget: Budget,
}

/// An exploration that is over.
#[derive(Debug)]
pub struct Explored {
    /// What it came to.
    pub exploration: Exploration,
    /// What became of every node.
    pub report: RunReport,
    /// What was wrong with the script, if something was.
    pub mistakes: Vec<Diagnostic>,
    /// Settings that the script did not ask for.
    pub unused: Vec<String>,
    /// Whether the history and the tree of links could be written.
    pub kept: Result<(), DriveError>,
}

/// Passes on what happens, without the logs of failures: those are what is looked for, and `engine log` has them; and without which fixups did
/// not stick: of what a minimisation tries most do not, and `engine show` has them.
struct Briefly<'o>(&'o dyn Observer);

impl Observer for Briefly<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::NodeFinished(node) if node.verdict == OutcomeVerdict::Failed => {
                let node = NodeReport {
                    log: None,
                    ..node.clone()
                };
                self.0.event(Event::NodeFinished(&node));
            }
            Event::NodeNote {
                kind: Kind::Config, ..
            } => {}
            event => self.0.event(event),
        }
    }
}

/// Lets the run end when the script has, however that was.
struct Closing<'d>(&'d Driver);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.inner().graph.close();
    }
}

impl Session {
    /// Runs a script that explores.
    pub fn explore(
        &self,
        options: &RunOptions,
        explore: &ExploreOptions,
        observer: &dyn Observer,
    ) -> Result<Explored, DriveError> {
        let records = self.store.load_records()?;
        let graph = self.graph().clone();
        let mut progress = Progress::new(
            graph,
            &|_| false,
            Box::new(Whole),
            &records,
            options.retry_failed,
        )?;
        super::super::run::prepare(options)?;
        let mut tools = self.tools(options.jobs, options.network)?;
        tools.neighbours = options.neighbours;
        tools.lava = self.lava_tools(&options.labs, options.results.clone());
        let jobserver = tools.jobserver.clone();
        let tools = Arc::new(tools);
        let recipes: Arc<dyn Execute> = tools.clone();
        let costs = Costs::read(&self.store, &records)?;
        let run = Options {
            jobs: options.jobs.max(1),
            memory_mib: options.memory_mib,
            keep_going: true,
            jobserver,
            estimate: &|node| costs.estimate(node, &self.history_name(&node.full_name())),
        };
        let _load = super::super::run::load(options, observer);
        let (demand, demands) = Demand::new();
        let asked = Graph::new(self.deriving(), self.boots().clone(), self.place, demand);
        let driver = Driver::new(
            asked,
            Arc::clone(&self.store),
            Arc::clone(&self.catalog),
            tools,
            explore.budget,
        );
        let driver = Arc::new(driver);
        let project: PathBuf = self.project.clone();
        let (script, settings) = (explore.script.clone(), explore.settings.clone());
        let (report, told) = thread::scope(|scope| {
            let explorer = Arc::clone(&driver);
            let script = scope.spawn(move || {
                let closed = Closing(&explorer);
                let asks: Arc<dyn Explorer> = explorer.clone();
                let told = eval::explore(&project, &script, settings, asks);
                let mut inner = closed.0.inner();
                // Whoever ended it does not wait for what was asked for.
                let _ = inner.finish();
                told
            });
            let report = realise(
                &mut progress,
                &self.store,
                &recipes,
                &run,
                &Briefly(observer),
                Some(demands),
            );
            (
                report,
                script.join().unwrap_or_else(|bug| resume_unwind(bug)),
            )
        });
        let report = report?;
        let known = self.store.load_records()?;
        let exploration = driver.inner().report(&explore.script, &known);
        let kept = self.keep(&progress, &report, options);
        let (mistakes, unused) = match told {
            Ok(told) => (Vec::new(), told.unused),
            Err(mistakes) => (mistakes, Vec::new()),
        };
        Ok(Explored {
            exploration,
            report,
            mistakes,
            unused,
            kept,
        })
    }
}
