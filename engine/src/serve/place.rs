//! From the path of a request to a blob, or to a directory of links.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use store::Digest;

use super::Roots;

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file of the store, and its digest.
    Blob(PathBuf, Digest),
    /// Names in a directory of the tree of links; those of directories end in `/`.
    Directory(Vec<String>),
}

/// Finds what a path names, after its percent signs were decoded.
pub(super) fn find(roots: &Roots, path: &str) -> Option<Place> {
    let mut parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    if parts.last() == Some(&"") {
        parts.pop();
    }
    // Nothing hidden, nothing upwards, no name that a file system reads otherwise.
    let plain =
        |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
    if !parts.iter().all(plain) {
        return None;
    }
    match parts[..] {
        [] => Some(Place::Directory(vec!["results/".to_owned()])),
        ["blobs", digest] | ["blobs", digest, _] => blob(roots, digest.parse().ok()?),
        ["results", ..] => linked(roots, &parts[1..]),
        _ => None,
    }
}

fn blob(roots: &Roots, digest: Digest) -> Option<Place> {
    let path = roots.store.blob_path(&digest);
    path.is_file().then_some(Place::Blob(path, digest))
}

fn linked(roots: &Roots, parts: &[&str]) -> Option<Place> {
    let top = fs::canonicalize(roots.results.as_ref()?).ok()?;
    let asked = parts.iter().fold(top.clone(), |path, part| path.join(part));
    let real = fs::canonicalize(asked).ok()?;
    if real.is_dir() {
        return real
            .starts_with(&top)
            .then(|| Place::Directory(names(&real)));
    }
    // What a link leads to is served only where it is a blob of the store.
    let digest: Digest = real.file_name()?.to_str()?.parse().ok()?;
    let expected = fs::canonicalize(roots.store.blob_path(&digest)).ok()?;
    (expected == real).then_some(Place::Blob(real, digest))
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.to_owned();
            let slash = if entry.file_type().ok()?.is_dir() {
                "/"
            } else {
                ""
            };
            (!name.starts_with('.')).then(|| format!("{name}{slash}"))
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::Arc;

    use proptest::prelude::*;
    use store::Store;

    use super::*;

    fn world() -> (tempfile::TempDir, Roots, Digest) {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let digest = store.put_bytes(b"kernel").unwrap();
        let results = dir.path().join("results");
        fs::create_dir_all(results.join("linux/x86")).unwrap();
        symlink(store.blob_path(&digest), results.join("linux/x86/image")).unwrap();
        symlink("/etc/passwd", results.join("linux/x86/secret")).unwrap();
        symlink("/etc", results.join("linux/etc")).unwrap();
        fs::write(results.join("linux/own"), "not of the store").unwrap();
        fs::write(results.join(".hidden"), "").unwrap();
        let results = Some(results);
        (dir, Roots { store, results }, digest)
    }

    #[test]
    fn blobs_and_links_to_blobs_alone() {
        let (_dir, roots, digest) = world();
        let is_blob = |path: &str| matches!(find(&roots, path), Some(Place::Blob(_, found)) if found == digest);
        assert!(
            is_blob(&format!("/blobs/{digest}")) && is_blob(&format!("/blobs/{digest}/bzImage"))
        );
        assert!(is_blob("/results/linux/x86/image"));
        let names = |names: &[&str]| {
            Some(Place::Directory(
                names.iter().map(ToString::to_string).collect(),
            ))
        };
        assert_eq!(find(&roots, "/"), names(&["results/"]));
        assert_eq!(find(&roots, "/results/"), names(&["linux/"]));
        assert_eq!(
            find(&roots, "/results/linux"),
            names(&["etc", "own", "x86/"])
        );
        for path in [
            "",
            "x",
            "/x",
            "/blobs",
            "/blobs/",
            "/blobs/00",
            "/results/linux/x86/secret",
            "/results/linux/etc",
            "/results/linux/etc/passwd",
            "/results/linux/own",
            "/results/../store/format",
            "/results/./linux",
            "/results//linux",
            "/results/.hidden",
            "/results/linux/x86/image/x",
        ] {
            assert_eq!(find(&roots, path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn nothing_outside_is_reached(parts in prop::collection::vec("(\\.\\.|\\.|linux|x86|etc|passwd|secret|image|store|%2e|\\\\|\0)", 0..7)) {
            let (_dir, roots, _) = world();
            if let Some(Place::Blob(path, _)) = find(&roots, &format!("/results/{}", parts.join("/"))) {
                prop_assert!(path.starts_with(fs::canonicalize(roots.store.root()).unwrap()));
            }
        }
    }
}
