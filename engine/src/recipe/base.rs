//! A base root filesystem, made in its family's way.

use std::collections::BTreeMap;
use std::path::Path;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::archived;
use super::step::build_log;
use super::step::file;
use super::step::input;
use crate::buildlog::Evidence;
use crate::graph::Slot;
use crate::origins::OriginError;
use crate::origins::family;
use crate::spec::BaseSpec;

impl Tools {
    /// Output `tar`: the root filesystem. It can be unpacked: that is proved here, where it is the base's own failure.
    pub(super) fn base(&self, spec: &BaseSpec, job: &Job) -> Result<Finished, Broken> {
        let origin = &spec.origin;
        let work = self.store.work_dir("base")?;
        self.materialise(&input(job, Slot::Files)?, &work.path().join("files"))?;
        job.note(&format!("makes the root filesystem for {}", origin.arch()));
        let begin = job.log.metadata().map_or(0, |log| log.len());
        let family = family(origin.family());
        let made = self.with_means(job, |means| {
            let keys = spec.keys.as_deref();
            family.base(origin, keys, work.path(), &self.sandbox, means)
        });
        let tar = made.and_then(|()| Ok(self.store.put_file(&work.path().join("tar"))?));
        let tar = match tar {
            Err(error @ Broken::Origin(_)) => Err(self.why(job, begin, work.path(), error)),
            tar => tar,
        };
        // What it left when it was stopped belongs to ids of the sandbox.
        let emptied = self.sandbox.remove(work.path());
        let failure = |message| Ok(Finished::failure(message, BTreeMap::new(), String::new()));
        let tar = match tar {
            Err(Broken::Origin(OriginError::Content(message))) => return failure(message),
            tar => tar?,
        };
        emptied.map_err(file("remove", work.path()))?;
        let tree = self.unpacked(&tar, false, &job.cancel, &|| {
            job.note("unpacks the root filesystem");
        });
        if let Err(message) = archived("root filesystem", tree)? {
            return failure(message);
        }
        let outputs = BTreeMap::from([("tar".to_owned(), tar)]);
        Ok(Finished::success(outputs, String::new()))
    }

    /// Why a root filesystem could not be made: the machine, where its state or the log's words say so.
    fn why(&self, job: &Job, begin: u64, work: &Path, error: Broken) -> Broken {
        if let Err(full) = self.room(work) {
            return full;
        }
        match build_log(&job.log, begin).evidence() {
            Some(Evidence::Broken(line)) => Broken::told(line, self.store.root()),
            _ => error,
        }
    }
}
