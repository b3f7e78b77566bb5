//! Directories seen as one: what is written goes to the upper, and is seen before what lies below.
//!
//! In a sandbox the kernel's overlay file system shows them so (Linux `Documentation/filesystems/overlayfs.rst`); outside of it, where no
//! mount can be made, [`Layers::file`] finds what is seen.

use std::ffi::OsString;
use std::fs;
use std::fs::Metadata;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

/// So many links are followed on the way to one file.
const MOST_LINKS: usize = 40;

/// An upper directory, and what lies below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    upper: PathBuf,
    lowers: Vec<PathBuf>,
}

impl Layers {
    /// The layers of a directory that takes what is written, and of those that are never changed, the topmost first.
    ///
    /// Where there are any of these, an empty directory [`Layers::work`] must lie beside the upper, for the kernel's own use.
    pub fn new(upper: PathBuf, lowers: Vec<PathBuf>) -> Self {
        Self { upper, lowers }
    }

    /// What is written is here.
    pub fn upper(&self) -> &Path {
        &self.upper
    }

    /// What lies below it, the topmost first.
    pub fn lowers(&self) -> &[PathBuf] {
        &self.lowers
    }

    /// The kernel's own directory.
    pub fn work(&self) -> PathBuf {
        self.upper.with_extension("work")
    }

    /// Where a file that is seen at a path lies; nothing where there is none. What a link leads to outside is none: the host would read it
    /// for whoever made the link.
    pub fn file(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let mut links = 0;
        let mut at = PathBuf::new();
        let mut rest = names(path.as_ref())?;
        while let Some(name) = rest.pop() {
            if name == ".." {
                if !at.pop() {
                    return None;
                }
                continue;
            }
            at.push(name);
            let (found, facts) = self.entry(&at)?;
            if facts.is_symlink() {
                links += 1;
                at.pop();
                rest.extend(names(&fs::read_link(found).ok()?)?);
                if links > MOST_LINKS {
                    return None;
                }
            } else if rest.is_empty() {
                return facts.is_file().then_some(found);
            }
        }
        None
    }

    /// What is seen at a path on which there are no links.
    fn entry(&self, path: &Path) -> Option<(PathBuf, Metadata)> {
        for layer in [&self.upper].into_iter().chain(&self.lowers) {
            let mut place = layer.clone();
            let mut hides = false;
            let mut parts = path.components().peekable();
            while let Some(part) = parts.next() {
                place.push(part);
                let Ok(facts) = place.symlink_metadata() else {
                    break;
                };
                if facts.file_type().is_char_device() && facts.rdev() == 0 {
                    return None;
                }
                if parts.peek().is_none() {
                    return Some((place, facts));
                }
                if !facts.is_dir() {
                    return None;
                }
                hides |= is_opaque(&place);
            }
            if hides {
                return None;
            }
        }
        None
    }
}

/// The names of a relative path, the last first.
fn names(path: &Path) -> Option<Vec<OsString>> {
    let parts = path.components().rev();
    let parts = parts.filter(|part| *part != Component::CurDir);
    let name = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        _ => None,
    };
    parts.map(name).collect()
}

/// Whether a directory hides those of the same name below it.
fn is_opaque(dir: &Path) -> bool {
    let mut value = [0; 1];
    let got = rustix::fs::lgetxattr(dir, "user.overlay.opaque", &mut value);
    got.is_ok() && value == *b"y"
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_upper_is_seen_first_and_links_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let path = |path: &str| dir.path().join(path);
        for (file, text) in [
            ("up/a/x", "new"),
            ("low/a/x", "old"),
            ("low/a/y", "y"),
            ("low/b/z", "z"),
            ("out", "secret"),
        ] {
            fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            fs::write(path(file), text).unwrap();
        }
        symlink("../b/./z", path("up/a/inside")).unwrap();
        symlink("../../out", path("up/a/outside")).unwrap();
        symlink(path("out"), path("up/a/absolute")).unwrap();
        symlink("round", path("up/a/round")).unwrap();
        symlink("../b", path("up/a/dir")).unwrap();
        let layers = Layers::new(path("up"), vec![path("low")]);
        let read = |file: &str| fs::read_to_string(layers.file(file)?).ok();
        assert_eq!(read("a/x").as_deref(), Some("new"));
        assert_eq!(read("./a/y").as_deref(), Some("y"));
        assert_eq!(read("a/inside").as_deref(), Some("z"));
        assert_eq!(read("a/dir/z").as_deref(), Some("z"));
        for none in [
            "a/outside",
            "a/absolute",
            "a/round",
            "a",
            "a/x/y",
            "../out",
            "",
            "none",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
        // A file where a directory was hides it.
        fs::write(path("up/b"), "").unwrap();
        assert_eq!(read("b/z"), None);
    }
}
