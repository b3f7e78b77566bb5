//! Pinned files, downloaded in the way of their family or origin.

use std::collections::BTreeMap;
use std::fs;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::file;
use crate::origins::OriginError;
use crate::origins::git_tarball;
use crate::origins::obtain;
use crate::spec::FetchBy;
use crate::spec::FetchSpec;

/// What the tarball of a tree of git is called.
const SOURCE: &str = "source.tar.zst";

impl Tools {
    /// Output `files`: a tree with one file per pinned file.
    pub(super) fn fetch(&self, spec: &FetchSpec, job: &Job) -> Result<Finished, Broken> {
        let store = &self.store;
        let work = store.work_dir("fetch")?;
        let files = work.path().join("files");
        fs::create_dir(&files).map_err(file("make", &files))?;
        if let FetchBy::Git(tree) = &spec.by {
            let packed = self.with_means(job, |means| git_tarball(tree, work.path(), means));
            let packed = match packed {
                Err(Broken::Origin(OriginError::Content(message))) => {
                    return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
                }
                packed => packed?,
            };
            let path = files.join(SOURCE);
            fs::hard_link(store.blob_path(&packed), &path).map_err(file("link", &path))?;
        } else {
            self.with_means(job, |means| obtain(&spec.by, &spec.files, means))?;
        }
        for wanted in &spec.files {
            let mut checksums = wanted.checksums.iter();
            let digest = checksums.find_map(|checksum| store.blob_named(checksum));
            let digest = digest.ok_or(Broken::Unresolved("file that was downloaded"))?;
            let path = files.join(&wanted.name);
            fs::hard_link(store.blob_path(&digest), &path).map_err(file("link", &path))?;
        }
        let tree = store.put_tree(&files)?;
        let outputs = BTreeMap::from([("files".to_owned(), tree)]);
        Ok(Finished::success(outputs, String::new()))
    }
}
