//! The tree of a commit as a tarball, read object by object.

use std::ffi::OsStr;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Child;
use std::process::Stdio;
use std::thread;

use store::Digest;

use super::repository::Repository;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::SourceTar;
use crate::origins::error::file;
use crate::spec::GitTree;

/// Kind of the entries in the store's cache that say which tarball is that of a tree.
const PACKED: &str = "git-tree";

/// One entry of a tree.
struct Entry<'t> {
    mode: &'t str,
    id: &'t str,
    path: &'t str,
}

/// Has the tarball of a commit's tree in the store, fetching what is not there. Network.
pub fn git_tarball(
    wanted: &GitTree,
    scratch: &Path,
    means: &Means<'_>,
) -> Result<Digest, OriginError> {
    let known = Digest::of(wanted.tree.as_bytes());
    let packed = means.store.cache_get(PACKED, &known);
    let packed = packed.and_then(|text| String::from_utf8(text).ok()?.parse::<Digest>().ok());
    if let Some(packed) = packed
        && means.store.has(&packed)
    {
        return Ok(packed);
    }
    let repository = Repository::open(means)?;
    repository.obtain(wanted)?;
    (means.note)("packs the tree");
    let out = scratch.join("source.tar.zst");
    repository.pack(&wanted.tree, &out)?;
    let packed = means.store.take_file(out)?;
    // A cache that cannot be written costs another packing.
    let _ = means
        .store
        .cache_put(PACKED, &known, packed.to_string().as_bytes());
    Ok(packed)
}

impl Repository<'_> {
    fn pack(&self, tree: &str, out: &Path) -> Result<(), OriginError> {
        let listing = self.listing(tree)?;
        if let Some(line) = listing.split('\0').find(|line| line.contains('\u{fffd}')) {
            let path = line.split('\t').next_back().unwrap_or_default();
            return Err(OriginError::Content(format!(
                "the path `{path}` is not UTF-8"
            )));
        }
        let mut entries = Vec::new();
        for line in listing.split_terminator('\0') {
            let entry = line.split_once('\t').and_then(|(facts, path)| {
                let mut facts = facts.split(' ');
                let (mode, id) = (facts.next()?, facts.nth(1)?);
                Some(Entry { mode, id, path })
            });
            entries.push(
                entry
                    .ok_or_else(|| OriginError::Content(format!("a tree of git with `{line}`")))?,
            );
        }
        if let Some(entry) = entries.iter().find(|entry| entry.mode == "160000") {
            return Err(OriginError::Content(format!(
                "it has a submodule, `{}`: submodules are not fetched",
                entry.path
            )));
        }
        entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        let mut command = self.git(false);
        command.args(["cat-file", "--batch", "--buffer"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = Reading(command.spawn().map_err(file("run", Path::new("git")))?);
        let (Some(mut stdin), Some(stdout)) = (child.0.stdin.take(), child.0.stdout.take()) else {
            return Err(OriginError::Content("git has no streams".to_owned()));
        };
        let ids: String = entries.iter().flat_map(|entry| [entry.id, "\n"]).collect();
        // It ends with the program, which ends with `child`.
        thread::spawn(move || stdin.write_all(ids.as_bytes()));
        let mut objects = BufReader::with_capacity(1 << 16, stdout);
        let mut tar = SourceTar::create(out, self.means.cancel).map_err(file("write", out))?;
        for entry in &entries {
            if self.means.cancel.is_cancelled() {
                return Err(OriginError::Cancelled);
            }
            let size = announced(&mut objects, entry)?;
            let path = Path::new(entry.path);
            let added = if entry.mode == "120000" {
                let mut target = Vec::new();
                let read = (&mut objects).take(size).read_to_end(&mut target);
                read.and_then(|_| tar.link(path, Path::new(OsStr::from_bytes(&target))))
            } else {
                tar.file(path, entry.mode == "100755", size, &mut objects)
            };
            added.map_err(file("pack", path))?;
            let mut end = [0];
            objects.read_exact(&mut end).map_err(file("read", path))?;
        }
        tar.finish().map_err(file("write", out))
    }
}

/// The size of the object that git gives next, which must be the entry's.
fn announced(objects: &mut impl BufRead, entry: &Entry<'_>) -> Result<u64, OriginError> {
    let mut line = String::new();
    objects
        .read_line(&mut line)
        .map_err(file("read", Path::new(entry.path)))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [id, "blob", size] if id == entry.id => size.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| {
        OriginError::Content(format!(
            "the store's git repository has not `{}` ({})",
            entry.path, entry.id
        ))
    })
}

/// Git that gives objects; it does not outlive this.
struct Reading(Child);

impl Drop for Reading {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
