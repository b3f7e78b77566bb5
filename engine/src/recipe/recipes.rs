//! The table from kinds to recipes, and what all of them share.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use store::Digest;
use store::Store;

use super::Broken;
use super::Execute;
use super::Finished;
use super::Job;
use super::step::file;
use crate::apt::Apt;
use crate::graph::Kind;
use crate::graph::World;
use crate::labs::Lab;
use crate::lock::Lock;
use crate::model::Catalog;
use crate::sandbox::Sandbox;

/// What recipes work with.
pub struct Tools {
    /// Where results go.
    pub store: Arc<Store>,
    /// Where steps run.
    pub sandbox: Sandbox,
    /// How packages are fetched.
    pub apt: Apt,
    /// Where kernels boot.
    pub lab: Box<dyn Lab>,
}

/// The recipes of one catalog.
pub struct Recipes {
    /// What they work with.
    pub tools: Tools,
    /// The declarations.
    pub catalog: Arc<Catalog>,
    /// What names stand for.
    pub lock: Arc<Lock>,
    /// `make -j` of a kernel build.
    pub make_jobs: usize,
}

impl Recipes {
    pub(super) fn world(&self) -> World<'_> {
        let worker_uid = self.tools.sandbox.worker_uid();
        World {
            catalog: &self.catalog,
            lock: &self.lock,
            worker_uid,
        }
    }
}

impl Execute for Recipes {
    fn execute(&self, job: &Job<'_>) -> Result<Finished, Broken> {
        match job.kind {
            Kind::Fetch => self.fetch(job),
            Kind::Source => self.source(job),
            Kind::Base => self.base(job),
            Kind::Image => self.image(job),
            Kind::Config => self.config(job),
            Kind::Kernel => self.kernel(job),
            Kind::Match => self.matches(job),
            Kind::Rootfs => self.rootfs(job),
            Kind::Boot => self.boot(job),
        }
    }

    fn weight(&self, kind: Kind, slots: usize) -> usize {
        match kind {
            Kind::Kernel => slots,
            _ => 1,
        }
    }
}

impl Tools {
    /// Takes files of a finished step into the store, by output name; what is not there is left out.
    pub(super) fn take(
        &self,
        build: &Path,
        files: &[(&str, &str)],
    ) -> Result<BTreeMap<String, Digest>, Broken> {
        let mut outputs = BTreeMap::new();
        for (name, path) in files {
            let path = build.join(path);
            if path.is_file() {
                outputs.insert((*name).to_owned(), self.store.take_file(path)?);
            }
        }
        Ok(outputs)
    }

    /// The files of a downloaded set as a directory.
    pub(super) fn materialise(&self, tree: &Digest, dest: &Path) -> Result<(), Broken> {
        fs::create_dir_all(dest).map_err(file("make", dest))?;
        self.store.materialise(tree, dest)?;
        Ok(())
    }
}
