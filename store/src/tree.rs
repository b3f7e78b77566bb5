//! Directories as one canonical, sorted manifest blob: names, kinds, digests, the executable bit.
//! No times and no owners, so that the same content is the same tree.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::blob::Failed;
use crate::blob::absent;
use crate::database::Durability;
use crate::digest::Digest;
use crate::digest::for_each_block;
use crate::error::StoreError;
use crate::path::check_relative;
use crate::path::order;
use crate::store::Store;

/// How every manifest begins; the number is the version of the form.
pub(crate) const MAGIC: &[u8] = b"tree 1\n";

/// What a directory holds, at any depth, each directory directly before what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path below the tree: good names between single slashes.
    pub path: PathBuf,
    /// What is there.
    pub node: Node,
}

/// What is at a path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Dir,
    /// A file.
    File {
        /// The blob of its content.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points, as it stands; nothing here follows it.
        target: PathBuf,
    },
}

/// How the files of a materialised tree share their bytes with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Clones: free, and the files may be written to.
    Reflink,
    /// Hard links (executables are copies): free, and nothing in the tree may be written to.
    Hardlink,
    /// Copies, at least one: the files may be written to.
    Copy,
}

#[derive(Serialize, Deserialize)]
struct Packed(Vec<(Vec<u8>, PackedNode)>);

#[derive(Serialize, Deserialize)]
enum PackedNode {
    Dir,
    File {
        digest: Digest,
        size: u64,
        executable: bool,
    },
    Symlink {
        target: Vec<u8>,
    },
}

impl Tree {
    /// The blobs of the files.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> {
        self.entries.iter().filter_map(|entry| match entry.node {
            Node::File { digest, .. } => Some(digest),
            Node::Dir | Node::Symlink { .. } => None,
        })
    }

    /// The manifest.
    fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let pack = |entry: &Entry| {
            let node = match &entry.node {
                Node::Dir => PackedNode::Dir,
                Node::File {
                    digest,
                    size,
                    executable,
                } => PackedNode::File {
                    digest: *digest,
                    size: *size,
                    executable: *executable,
                },
                Node::Symlink { target } => PackedNode::Symlink {
                    target: target.as_os_str().as_bytes().to_vec(),
                },
            };
            (entry.path.as_os_str().as_bytes().to_vec(), node)
        };
        let packed = Packed(self.entries.iter().map(pack).collect());
        postcard::to_extend(&packed, MAGIC.to_vec())
    }

    /// Reads a manifest, and refuses one that this program would not have written.
    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or("it is not the manifest of a tree")?;
        let (Packed(packed), rest) =
            postcard::take_from_bytes(rest).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err("bytes follow the manifest".to_owned());
        }
        let path = |bytes: Vec<u8>| PathBuf::from(OsString::from_vec(bytes));
        let unpack = |(name, node)| {
            let node = match node {
                PackedNode::Dir => Node::Dir,
                PackedNode::File {
                    digest,
                    size,
                    executable,
                } => Node::File {
                    digest,
                    size,
                    executable,
                },
                PackedNode::Symlink { target } => Node::Symlink {
                    target: path(target),
                },
            };
            Entry {
                path: path(name),
                node,
            }
        };
        let tree = Self {
            entries: packed.into_iter().map(unpack).collect(),
        };
        tree.check()?;
        Ok(tree)
    }

    /// Checks the names, their order, and that every parent is a directory of the tree.
    fn check(&self) -> Result<(), String> {
        let mut dirs = BTreeSet::from([Path::new("")]);
        let mut last: Option<&Path> = None;
        for Entry { path, node } in &self.entries {
            check_relative(path).map_err(|error| error.to_string())?;
            if last.is_some_and(|last| order(last, path).is_ge()) {
                return Err(format!("`{}` is out of order", path.display()));
            }
            if !path.parent().is_some_and(|parent| dirs.contains(parent)) {
                return Err(format!("`{}` is in no directory", path.display()));
            }
            if *node == Node::Dir {
                dirs.insert(path);
            }
            last = Some(path);
        }
        Ok(())
    }
}

impl Store {
    /// Stores a directory: the content of every file, and one manifest, whose digest this is.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] for devices, sockets and pipes.
    pub fn put_tree(&self, dir: &Path) -> Result<Digest, StoreError> {
        let mut tree = Tree::default();
        self.put_entries(dir, Path::new(""), &mut tree)?;
        tree.entries.sort_by(|a, b| order(&a.path, &b.path));
        let manifest = tree
            .encode()
            .map_err(|error| corrupt(dir, error.to_string()))?;
        let digest = self.put_bytes(&manifest)?;
        self.change(Durability::Process, |transaction| {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO trees VALUES (?1)")?
                .execute([digest.0])?;
            Ok(digest)
        })
    }

    fn put_entries(&self, dir: &Path, below: &Path, tree: &mut Tree) -> Result<(), StoreError> {
        let failed = |op| StoreError::io(op, dir);
        for entry in fs::read_dir(dir).map_err(failed("list"))? {
            let entry = entry.map_err(failed("list"))?;
            let (from, path) = (entry.path(), below.join(entry.file_name()));
            let metadata = entry.metadata().map_err(StoreError::io("read", &from))?;
            let kind = metadata.file_type();
            let node = if kind.is_dir() {
                self.put_entries(&from, &path, tree)?;
                Node::Dir
            } else if kind.is_symlink() {
                let target = fs::read_link(&from).map_err(StoreError::io("read", &from))?;
                Node::Symlink { target }
            } else if kind.is_file() {
                let hashes = self.put_file_hashes(&from)?;
                let executable = metadata.permissions().mode() & 0o100 != 0;
                Node::File {
                    digest: hashes.digest,
                    size: hashes.size,
                    executable,
                }
            } else {
                let what = "a device, a socket or a pipe";
                return Err(StoreError::Unsupported { path: from, what });
            };
            tree.entries.push(Entry { path, node });
        }
        Ok(())
    }

    /// Reads the manifest of a tree.
    pub fn tree(&self, digest: &Digest) -> Result<Tree, StoreError> {
        let bytes = self.read(digest)?;
        Tree::decode(&bytes).map_err(|what| corrupt(&self.layout.blob(digest), what))
    }

    /// Whether a blob begins as the manifest of a tree does.
    pub(crate) fn looks_like_tree(path: &Path) -> bool {
        let mut head = [0; MAGIC.len()];
        let read = File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut head));
        read.is_ok() && head == MAGIC
    }

    /// Makes the files of a tree below `dest`, which is made, or is there and empty: by clones
    /// where the file system has them, else by hard links, else by copies.
    ///
    /// On an error what was made so far stays, for the caller to remove with `dest`.
    pub fn materialise(&self, digest: &Digest, dest: &Path) -> Result<LinkKind, StoreError> {
        let tree = self.tree(digest)?;
        match self.fs.create_dir(dest) {
            Err(StoreError::Io { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists && is_empty_dir(dest) => {}
            other => other?,
        }
        let mut worst = LinkKind::Reflink;
        for Entry { path, node } in &tree.entries {
            let to = dest.join(path);
            match node {
                Node::Dir => self.fs.create_dir(&to)?,
                Node::Symlink { target } => self.fs.symlink(target, &to)?,
                Node::File {
                    digest, executable, ..
                } => {
                    let kind = self.place_copy(digest, *executable, &to)?;
                    worst = match (worst, kind) {
                        (LinkKind::Hardlink, _) | (_, LinkKind::Hardlink) => LinkKind::Hardlink,
                        (LinkKind::Copy, _) | (_, LinkKind::Copy) => LinkKind::Copy,
                        (LinkKind::Reflink, LinkKind::Reflink) => LinkKind::Reflink,
                    };
                }
            }
        }
        Ok(worst)
    }

    /// Makes one file of a tree. An executable is never a hard link: the mode is the blob's.
    fn place_copy(
        &self,
        digest: &Digest,
        executable: bool,
        to: &Path,
    ) -> Result<LinkKind, StoreError> {
        let blob = self.layout.blob(digest);
        let from = File::open(&blob).map_err(absent(digest, "open", &blob))?;
        let mode = if executable { 0o755 } else { 0o644 };
        let file = self.fs.create_new(to)?;
        if self.fs.reflink(&from, &file, to).is_ok() {
            self.fs.set_mode(to, mode)?;
            return Ok(LinkKind::Reflink);
        }
        if !executable {
            self.fs.remove_file(to)?;
            if self.fs.hard_link(&blob, to).is_ok() {
                return Ok(LinkKind::Hardlink);
            }
        }
        // Another file system, or more links than a file may have.
        let file = if executable {
            file
        } else {
            self.fs.create_new(to)?
        };
        for_each_block(from, |block| {
            self.fs.write(&file, to, block).map_err(Failed::Write)
        })
        .map_err(|failed| failed.reading(&blob))?;
        self.fs.set_mode(to, mode)?;
        Ok(LinkKind::Copy)
    }
}

fn is_empty_dir(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn corrupt(path: &Path, what: String) -> StoreError {
    StoreError::Corrupt {
        path: path.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        (dir, store)
    }

    #[test]
    fn a_tree_comes_back_whatever_its_times() {
        let (dir, store) = store();
        let from = dir.path().join("from");
        fs::create_dir_all(from.join("a/empty")).unwrap();
        fs::write(from.join("a/run"), "#!").unwrap();
        fs::set_permissions(from.join("a/run"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(from.join("a.b"), "sorts between").unwrap();
        symlink("../../etc/passwd", from.join("a/link")).unwrap();
        let digest = store.put_tree(&from).unwrap();
        let names: Vec<_> = store
            .tree(&digest)
            .unwrap()
            .entries
            .into_iter()
            .map(|entry| entry.path)
            .collect();
        let wanted = ["a", "a/empty", "a/link", "a/run", "a.b"];
        assert_eq!(names, wanted.map(PathBuf::from));

        let to = dir.path().join("to");
        store.materialise(&digest, &to).unwrap();
        assert_eq!(store.put_tree(&to).unwrap(), digest);
        assert_eq!(
            fs::read_link(to.join("a/link")).unwrap(),
            Path::new("../../etc/passwd")
        );
        assert!(
            store.materialise(&digest, &to).is_err(),
            "not over what is there"
        );
    }

    #[test]
    fn pipes_are_refused() {
        let (dir, store) = store();
        let from = dir.path().join("from");
        fs::create_dir(&from).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(from.join("s")).unwrap();
        assert!(matches!(
            store.put_tree(&from),
            Err(StoreError::Unsupported { .. })
        ));
    }

    #[test]
    fn manifests_that_would_escape_are_refused() {
        let (dir, store) = store();
        let file = Node::File {
            digest: store.put_bytes(b"x").unwrap(),
            size: 1,
            executable: false,
        };
        let link = Node::Symlink {
            target: "/tmp".into(),
        };
        let entry = |path: &str, node: &Node| Entry {
            path: path.into(),
            node: node.clone(),
        };
        let bad = [
            vec![entry("../x", &file)],
            vec![entry("/x", &file)],
            vec![entry("a", &link), entry("a/x", &file)],
            vec![entry("a/x", &file)],
            vec![entry("b", &file), entry("a", &file)],
            vec![entry("a", &link), entry("a", &Node::Dir)],
        ];
        for entries in bad {
            let digest = store
                .put_bytes(&Tree { entries }.encode().unwrap())
                .unwrap();
            let to = dir.path().join("to");
            assert!(store.materialise(&digest, &to).unwrap_err().is_corruption());
            assert!(!to.exists());
        }
        let no_tree = store.put_bytes(b"x").unwrap();
        assert!(store.tree(&no_tree).unwrap_err().is_corruption());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn trees_round_trip(
            files in prop::collection::btree_map(
                "[a-c.]{1,2}(/[a-c]{1,2}){0,2}", (prop::collection::vec(any::<u8>(), 0..9), any::<bool>()), 0..8),
        ) {
            let (dir, store) = store();
            let from = dir.path().join("from");
            fs::create_dir(&from).unwrap();
            let mut made = BTreeMap::new();
            for (name, (content, executable)) in &files {
                let path = from.join(name);
                if check_relative(Path::new(name)).is_err()
                    || fs::create_dir_all(path.parent().unwrap()).is_err()
                    || fs::write(&path, content).is_err()
                {
                    continue;
                }
                let mode = if *executable { 0o755 } else { 0o600 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                made.insert(name.clone(), content.clone());
            }
            let digest = store.put_tree(&from).unwrap();
            let tree = store.tree(&digest).unwrap();
            prop_assert_eq!(&Tree::decode(&tree.encode().unwrap()).unwrap(), &tree);
            let to = dir.path().join("to");
            store.materialise(&digest, &to).unwrap();
            for (name, content) in &made {
                prop_assert_eq!(&fs::read(to.join(name)).unwrap(), content);
            }
            prop_assert_eq!(store.put_tree(&to).unwrap(), digest);
        }
    }
}
