//! Which commit a name stands for now, and how it moved since.

use std::cmp::Ordering;

use super::error::short;
use super::repository::Repository;
use super::repository::fetched;
use super::request::URLS;
use super::request::wanted;
use crate::lock::PinnedCommit;
use crate::lock::Request;
use crate::model::GitWant;
use crate::origins::Answer;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::text::did_you_mean;

/// Asks the places of a request for the commit it wants. Network.
pub(in crate::origins) fn resolve(
    request: &Request,
    means: &Means<'_>,
) -> Result<Answer, OriginError> {
    let repository = Repository::open(means)?;
    let urls = request.words(URLS).unwrap_or_default();
    let Some(want) = wanted(request) else {
        return Err(OriginError::Content(
            "the request names no commit".to_owned(),
        ));
    };
    let mut last = None;
    for url in &urls {
        match repository.resolved(url, &want) {
            Ok(commit) => {
                return Ok(Answer {
                    commit: Some(commit),
                    ..Answer::default()
                });
            }
            Err(OriginError::Cancelled) => return Err(OriginError::Cancelled),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| OriginError::Content("the request names no place".to_owned())))
}

/// How a pin moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// By so many commits.
    Forward(u64),
    /// By that many and some more, which a shallow history does not show.
    AtLeast(u64),
    /// The old commit is none of the new one's history, as far as that was fetched.
    Elsewhere,
}

/// How far it is from one pinned commit to another, as far as the places of the request tell. Network.
pub fn moved(
    request: &Request,
    old: &PinnedCommit,
    new: &PinnedCommit,
    means: &Means<'_>,
) -> Option<Moved> {
    let repository = Repository::open(means).ok()?;
    repository.tree(&old.id).ok()??;
    let since = format!("--shallow-since={}", old.date);
    let urls = request.words(URLS)?;
    let mut fetched = urls
        .iter()
        .map(|url| repository.fetch(url, &new.id, &[&since]));
    fetched.find(Result::is_ok)?.ok()?;
    repository.between(&old.id, &new.id).ok()
}

impl Repository<'_> {
    fn resolved(&self, url: &str, want: &GitWant) -> Result<PinnedCommit, OriginError> {
        let commit = match want {
            GitWant::Commit(id) => id.clone(),
            GitWant::Branch(name) => self.tip(url, "branch", "refs/heads/", name)?,
            GitWant::Tag(name) => self.tip(url, "tag", "refs/tags/", name)?,
        };
        if self.tree(&commit)?.is_none() {
            self.fetch(url, &commit, &["--depth=1"])?;
        }
        let pinned = self.described(&commit)?;
        if let Some(path) = self.submodule(&pinned.tree)? {
            return Err(OriginError::Submodule {
                commit: short(&commit).to_owned(),
                url: url.to_owned(),
                path,
            });
        }
        Ok(pinned)
    }

    /// The commit to which a branch or a tag leads; of a pattern, the newest tag that is like it.
    fn tip(
        &self,
        url: &str,
        what: &'static str,
        below: &str,
        name: &str,
    ) -> Result<String, OriginError> {
        let names = self.references(url, &format!("{below}{name}"))?;
        let like: Vec<(&str, &str)> = names
            .iter()
            .filter_map(|(id, name)| Some((&**id, name.strip_prefix(below)?)))
            .filter(|(_, found)| name.contains('*') || found.trim_end_matches("^{}") == name)
            .collect();
        let newest = like
            .iter()
            .map(|(_, name)| name.trim_end_matches("^{}"))
            .max_by(|a, b| by_version(a, b));
        let Some(newest) = newest else {
            let all = self.references(url, &format!("{below}*"))?;
            let all = all.iter().filter_map(|(_, name)| name.strip_prefix(below));
            return Err(OriginError::NoReference {
                what,
                name: name.to_owned(),
                url: url.to_owned(),
                similar: did_you_mean(name, all).map(str::to_owned),
            });
        };
        // A tag with a message is an object of its own; behind `^{}` stands the commit.
        let peeled = format!("{newest}^{{}}");
        let of = |wanted: &str| like.iter().find(|(_, name)| *name == wanted);
        let found = of(&peeled).or_else(|| of(newest));
        Ok(found.map_or("", |(id, _)| id).to_owned())
    }

    /// References of a server that match a pattern, with the objects they lead to.
    fn references(&self, url: &str, pattern: &str) -> Result<Vec<(String, String)>, OriginError> {
        let mut command = self.asking(url);
        command.args(["ls-remote", "--", url, pattern]);
        if !pattern.contains('*') {
            command.arg(format!("{pattern}^{{}}"));
        }
        let said = self.answer(command, url, None)?;
        let lines = said.out.lines().filter_map(|line| line.split_once('\t'));
        let owned = lines.map(|(id, name)| (id.to_owned(), name.to_owned()));
        Ok(owned.collect())
    }

    fn described(&self, commit: &str) -> Result<PinnedCommit, OriginError> {
        let mut command = self.git(false);
        command.args([
            "log",
            "-1",
            "--no-show-signature",
            "--format=%H%n%T%n%cI%n%s",
            "--end-of-options",
            commit,
        ]);
        let text = self.said(command, "git log")?;
        let lines: Vec<&str> = text.lines().collect();
        let [id, tree, date, subject @ ..] = &lines[..] else {
            return Err(OriginError::Content(format!("`{commit}` is no commit")));
        };
        let subject = subject.first().copied().unwrap_or_default();
        PinnedCommit::new(id, tree, date, subject).map_err(OriginError::Content)
    }

    fn submodule(&self, tree: &str) -> Result<Option<String>, OriginError> {
        let text = self.listing(tree)?;
        let entries = text.split('\0').filter_map(|entry| entry.split_once('\t'));
        let mut links = entries.filter(|(facts, _)| facts.starts_with("160000 "));
        Ok(links.next().map(|(_, path)| path.to_owned()))
    }

    fn between(&self, old: &str, new: &str) -> Result<Moved, OriginError> {
        let (old, new) = (fetched(old), fetched(new));
        let mut command = self.git(false);
        command.args([
            "merge-base",
            "--is-ancestor",
            "--end-of-options",
            &old,
            &new,
        ]);
        if !self.run(command)?.is_ok_and(|said| said.status.success()) {
            return Ok(Moved::Elsewhere);
        }
        let range = format!("{old}..{new}");
        let mut command = self.git(false);
        command.args(["log", "--format=%H", "--end-of-options", &range]);
        let text = self.said(command, "git log")?;
        let count = text.lines().count() as u64;
        let shallow = self.shallow();
        let cut = text.lines().any(|commit| shallow.contains(commit));
        Ok(if cut {
            Moved::AtLeast(count)
        } else {
            Moved::Forward(count)
        })
    }
}

/// Versions in names, the older first: `v6.12-rc1` is older than `v6.12`, `v6.9` than `v6.12`.
fn by_version(a: &str, b: &str) -> Ordering {
    let parts = |name: &str| -> Vec<(u8, u64, String)> {
        let mut parts = Vec::new();
        let name = name.replace("-rc", "~");
        let mut rest = &*name;
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest.find(|c: char| {
                c.is_ascii_digit() != digits || c == '~' && rest.starts_with(|f| f != '~')
            });
            let (part, more) = rest.split_at(end.unwrap_or(rest.len()));
            rest = more;
            let number = part.parse().unwrap_or(0);
            let rank = if part.starts_with('~') { 0 } else { 2 };
            parts.push((
                rank,
                number,
                if digits {
                    String::new()
                } else {
                    part.to_owned()
                },
            ));
        }
        // The end is after a candidate, and before more.
        parts.push((1, 0, String::new()));
        parts
    };
    parts(a).cmp(&parts(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_ordered_by_version() {
        let mut tags = [
            "v6.12",
            "v6.9",
            "v6.12-rc1",
            "v6.12.1",
            "v6.12-rc10",
            "v6.12-rc2",
            "next-20261120",
            "next-20261119",
        ];
        tags.sort_by(|a, b| by_version(a, b));
        insta::assert_snapshot!(tags.join(" "), @"next-20261119 next-20261120 v6.9 v6.12-rc1 v6.12-rc2 v6.12-rc10 v6.12 v6.12.1");
    }
}
