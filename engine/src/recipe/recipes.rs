//! The table from kinds to recipes, and what all of them work with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jobserver::Client;
use store::Digest;
use store::Store;

use super::Broken;
use super::Execute;
use super::Finished;
use super::Job;
use super::LavaTools;
use super::Neighbours;
use super::Step;
use super::Takes;
use super::Tell;
use super::Waiting;
use super::step::file;
use super::step::left;
use crate::labs::Lab;
use crate::origins::Means;
use crate::origins::Network;
use crate::origins::OriginError;
use crate::sandbox::Sandbox;
use crate::spec::Spec;

/// What recipes work with. Nothing here decides what a node gives.
pub struct Tools {
    /// Where results go.
    pub store: Arc<Store>,
    /// Where steps run.
    pub sandbox: Sandbox,
    /// Where kernels boot.
    pub lab: Box<dyn Lab>,
    /// Where else they do, if labs are declared.
    pub lava: Option<Arc<LavaTools>>,
    /// CPU tokens, which everything that runs shares; without it each `make` has jobs of its own.
    pub jobserver: Option<Client>,
    /// How it is reached what is not in the store.
    pub network: Network,
    /// How the objects of earlier kernels are used; without it every kernel is built clean, and nothing is kept.
    pub neighbours: Option<Neighbours>,
    /// `make -j` where there is no jobserver.
    pub make_jobs: usize,
}

impl Execute for Tools {
    fn takes(&self, spec: &Spec) -> Takes {
        let slots = self.lava.as_ref().map_or(1, |lava| lava.labs.slots());
        Takes::of(spec, slots, self.make_jobs)
    }

    /// What a tool that died of itself could not do is tried once more before it is believed.
    fn execute(&self, job: &Job) -> Result<Finished, Broken> {
        let why = match self.once(job) {
            Err(Broken::Doubtful(why)) => why,
            ended => return ended,
        };
        job.note(&format!(
            "runs once more, as a busy or faulty machine looks the same: {why}"
        ));
        match self.once(job) {
            Err(Broken::Doubtful(why)) => {
                Ok(Finished::failure(why, BTreeMap::new(), String::new()))
            }
            ended => ended,
        }
    }

    fn wait(&self, job: Job) -> Waiting {
        let (store, lava) = (Arc::clone(&self.store), self.lava.clone());
        Box::pin(async move {
            let lava = lava.ok_or(Broken::Unresolved("lab"))?;
            super::lava::boot(store, lava, job).await
        })
    }
}

impl Tools {
    fn once(&self, job: &Job) -> Result<Finished, Broken> {
        match job.spec.spec() {
            Spec::Fetch(spec) => self.fetch(spec, job),
            Spec::Source(spec) => self.source(spec, job),
            Spec::Base(spec) => self.base(spec, job),
            Spec::Image(spec) => self.image(spec, job),
            Spec::Kconfig(spec) => self.kconfig(spec, job),
            Spec::Config(spec) => self.config(spec, job),
            Spec::Kernel(spec) => self.kernel(spec, job),
            Spec::Match(spec) => self.matches(spec, job),
            Spec::Rootfs(spec) => self.rootfs(spec, job),
            Spec::Probe(spec) => self.probe(spec, job),
            Spec::Boot(spec) => self.boot(spec, job),
            Spec::Lava(_) => Err(Broken::Unresolved("thread: it waits")),
        }
    }

    /// Takes files of a finished step into the store, by output name; what is not there is left out.
    pub(super) fn take(
        &self,
        build: &Path,
        files: &[(&str, &str)],
    ) -> Result<BTreeMap<String, Digest>, Broken> {
        let mut outputs = BTreeMap::new();
        for (name, path) in files {
            if let Some(path) = left(build, path) {
                outputs.insert((*name).to_owned(), self.store.take_file(path)?);
            }
        }
        Ok(outputs)
    }

    /// Lends a family what it works with.
    pub(super) fn with_means<T>(
        &self,
        job: &Job,
        work: impl FnOnce(&Means<'_>) -> Result<T, OriginError>,
    ) -> Result<T, Broken> {
        let means = Means {
            store: &self.store,
            log: &job.log,
            cancel: &job.cancel,
            network: self.network,
            note: &|text| job.note(text),
            progress: &|done, of| {
                let at = String::new();
                (job.tell)(Tell::Step(Step { done, of, at }));
            },
        };
        Ok(work(&means)?)
    }

    /// The files of a downloaded set as a directory.
    pub(super) fn materialise(&self, tree: &Digest, dest: &Path) -> Result<(), Broken> {
        fs::create_dir_all(dest).map_err(file("make", dest))?;
        self.store.materialise(tree, dest)?;
        Ok(())
    }
}
