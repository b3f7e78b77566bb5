//! Fetching one commit, with as much of its history as is wanted.

use super::error::short;
use super::repository::Repository;
use super::repository::fetched;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::spec::GitTree;

/// Has a commit in the store's repository. Network.
pub(in crate::origins) fn obtain(wanted: &GitTree, means: &Means<'_>) -> Result<(), OriginError> {
    Repository::open(means)?.obtain(wanted)
}

impl Repository<'_> {
    /// Has a commit with all its files here, from the first place that gives it.
    pub(super) fn obtain(&self, wanted: &GitTree) -> Result<(), OriginError> {
        let GitTree {
            commit,
            tree,
            urls,
            depth,
        } = wanted;
        let known = self.tree(commit)?;
        if known.is_none() {
            if self.means.network.offline {
                let file = format!("commit {}", short(commit));
                return Err(OriginError::Offline { file });
            }
            let mut last = None;
            for url in urls {
                match self.fetch(url, commit, &[&format!("--depth={depth}")]) {
                    Ok(()) => {
                        last = None;
                        break;
                    }
                    Err(OriginError::Cancelled) => return Err(OriginError::Cancelled),
                    Err(error) => last = Some(error),
                }
            }
            if let Some(error) = last {
                return Err(error);
            }
        }
        match self.tree(commit)? {
            Some(found) if found == *tree => Ok(()),
            found => Err(OriginError::Content(format!(
                "commit {commit} has the tree {}, and not {tree} as the lock file says",
                found.unwrap_or_default()
            ))),
        }
    }

    /// Fetches a commit; only when all is there it gets its name here.
    pub(super) fn fetch(
        &self,
        url: &str,
        commit: &str,
        history: &[&str],
    ) -> Result<(), OriginError> {
        (self.means.note)(&format!("fetches {} of {url}", short(commit)));
        let mut command = self.asking(url);
        command.args([
            "fetch",
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--force",
            "--refmap=",
        ]);
        command.args(history);
        command.args(["--", url]);
        command.arg(format!("{commit}:{}", fetched(commit)));
        self.answer(command, url, Some(commit)).map(drop)
    }
}
