//! What is asked of a repository.

use std::collections::BTreeMap;

use crate::kconfig::Version;
use crate::lock::Asked;
use crate::lock::PinnedCommit;
use crate::lock::Provider;
use crate::lock::Request;
use crate::machine::Packages;
use crate::model::GitOrigin;
use crate::model::GitWant;
use crate::origins::HostNeed;
use crate::origins::Origin;
use crate::spec::FetchSpec;
use crate::spec::GitTree;
use crate::spec::SourceForm;

/// Places of the repository, in the lock file.
pub(super) const URLS: &str = "urls";

/// What of the host git sources and patches need.
pub const NEEDS: &[HostNeed] = &[HostNeed {
    what: "git",
    wanted_for: "sources from git or with patches",
    packages: Packages {
        debian: "git",
        gentoo: "dev-vcs/git",
        fedora: "git-core",
        arch: "git",
    },
}];

/// A repository, and the commit of it that is wanted.
#[derive(Debug)]
pub(in crate::origins) struct GitSource<'a>(pub &'a GitOrigin);

impl Origin for GitSource<'_> {
    fn request(&self) -> Option<Request> {
        let (what, name) = self.0.want.words();
        let asked = BTreeMap::from([
            (URLS.to_owned(), Asked::Words(self.0.urls.clone())),
            (what.to_owned(), Asked::Word(name.to_owned())),
        ]);
        Some(Request {
            family: Provider::Git,
            asked,
        })
    }

    fn fetch(&self) -> Option<FetchSpec> {
        None
    }

    fn host_needs(&self) -> &'static [HostNeed] {
        NEEDS
    }

    fn form(&self) -> SourceForm {
        SourceForm::Tarball
    }

    fn version(&self) -> Option<Version> {
        None
    }
}

/// What a request wants.
pub(super) fn wanted(request: &Request) -> Option<GitWant> {
    let named =
        |make: fn(String) -> GitWant| Some(make(request.word(make(String::new()).words().0)?));
    named(GitWant::Branch)
        .or_else(|| named(GitWant::Tag))
        .or_else(|| named(GitWant::Commit))
}

/// What is fetched for a pin of such a request.
pub(in crate::origins) fn tree(
    request: &Request,
    commit: Option<&PinnedCommit>,
    depth: u32,
) -> GitTree {
    let id = |part: fn(&PinnedCommit) -> &String| commit.map(part).cloned().unwrap_or_default();
    GitTree {
        commit: id(|commit| &commit.id),
        tree: id(|commit| &commit.tree),
        depth,
        urls: request.words(URLS).unwrap_or_default(),
    }
}
