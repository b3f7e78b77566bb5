//! Every change the store makes to its file system: one door, so that tests can make it fail.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::UTIME_NOW;

use crate::error::StoreError;

/// The file system of a store: the real one, or in tests one with a planned fault.
#[derive(Clone, Debug, Default)]
pub struct Fs {
    #[cfg(feature = "fault")]
    pub(crate) plan: Option<std::sync::Arc<crate::fault::Plan>>,
}

type Done<T = ()> = Result<T, StoreError>;

impl Fs {
    /// Passes unless a planned fault strikes here. `torn` is what a write was about to write.
    #[cfg(feature = "fault")]
    fn gate(&self, op: &'static str, path: &Path, torn: Option<(&File, &[u8])>) -> Done {
        match &self.plan {
            Some(plan) => plan.step(op, torn).map_err(StoreError::io(op, path)),
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "fault"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the sound twin of the gate"
    )]
    fn gate(&self, _op: &'static str, _path: &Path, _torn: Option<(&File, &[u8])>) -> Done {
        Ok(())
    }

    fn run<T>(
        &self,
        op: &'static str,
        path: &Path,
        action: impl FnOnce() -> io::Result<T>,
    ) -> Done<T> {
        self.gate(op, path, None)?;
        action().map_err(StoreError::io(op, path))
    }

    /// Passes before a transaction of the database `path` is committed.
    pub(crate) fn before_commit(&self, path: &Path) -> Done {
        self.gate("commit to", path, None)
    }

    pub(crate) fn create_dir_all(&self, path: &Path) -> Done {
        self.run("create", path, || fs::create_dir_all(path))
    }

    pub(crate) fn create_dir(&self, path: &Path) -> Done {
        self.run("create", path, || fs::create_dir(path))
    }

    pub(crate) fn create_new(&self, path: &Path) -> Done<File> {
        let file = self.run("create", path, || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path)
        })?;
        #[cfg(feature = "fault")]
        if let Some(plan) = &self.plan {
            plan.wrote(path);
        }
        Ok(file)
    }

    /// Opens a lock file, creating it (empty, and never written) where it is not.
    pub(crate) fn open_lock(&self, path: &Path) -> Done<File> {
        self.run("open", path, || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
        })
    }

    pub(crate) fn write(&self, mut file: &File, path: &Path, bytes: &[u8]) -> Done {
        self.gate("write", path, Some((file, bytes)))?;
        file.write_all(bytes).map_err(StoreError::io("write", path))
    }

    pub(crate) fn sync_data(&self, file: &File, path: &Path) -> Done {
        self.run("sync", path, || file.sync_data())?;
        #[cfg(feature = "fault")]
        if let Some(plan) = &self.plan {
            plan.synced(path);
        }
        Ok(())
    }

    /// Syncs the whole file system that holds `dir`.
    pub(crate) fn sync_fs(&self, dir: &Path) -> Done {
        self.run("sync", dir, || Ok(rustix::fs::syncfs(File::open(dir)?)?))?;
        #[cfg(feature = "fault")]
        if let Some(plan) = &self.plan {
            plan.synced_all();
        }
        Ok(())
    }

    pub(crate) fn set_mode(&self, path: &Path, mode: u32) -> Done {
        self.run("set the mode of", path, || {
            fs::set_permissions(path, Permissions::from_mode(mode))
        })
    }

    /// Sets the times of `path` to now, by the clock of the kernel.
    pub(crate) fn touch(&self, path: &Path) -> Done {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        };
        let times = Timestamps {
            last_access: now,
            last_modification: now,
        };
        self.run("touch", path, || {
            Ok(rustix::fs::utimensat(
                CWD,
                path,
                &times,
                AtFlags::SYMLINK_NOFOLLOW,
            )?)
        })
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Done {
        self.run("rename to", to, || fs::rename(from, to))?;
        #[cfg(feature = "fault")]
        if let Some(plan) = &self.plan {
            plan.renamed(from, to);
        }
        Ok(())
    }

    pub(crate) fn hard_link(&self, from: &Path, to: &Path) -> Done {
        self.run("link to", to, || fs::hard_link(from, to))
    }

    /// Makes the empty file `to` share the extents of `from`.
    pub(crate) fn reflink(&self, from: &File, to: &File, path: &Path) -> Done {
        self.run("clone to", path, || {
            Ok(rustix::fs::ioctl_ficlone(to, from)?)
        })
    }

    pub(crate) fn symlink(&self, target: &Path, path: &Path) -> Done {
        self.run("link", path, || std::os::unix::fs::symlink(target, path))
    }

    /// Removes a file; one that is not there is removed already.
    pub(crate) fn remove_file(&self, path: &Path) -> Done {
        self.run("remove", path, || absent_is_fine(fs::remove_file(path)))?;
        #[cfg(feature = "fault")]
        if let Some(plan) = &self.plan {
            // Another file may come to this path, a link to a blob say.
            plan.synced(path);
        }
        Ok(())
    }

    /// Removes a directory and all it holds by `remover`; one that is not there is removed already.
    pub(crate) fn remove_tree(&self, path: &Path, remover: Remover<'_>) -> Done {
        self.run("remove", path, || {
            if path
                .symlink_metadata()
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            {
                return Ok(());
            }
            absent_is_fine(remover(path))
        })
    }
}

/// Removes a directory tree. The caller supplies it where trees belong to mapped sub-uids of a
/// user namespace, which this process alone cannot remove.
pub type Remover<'a> = &'a dyn Fn(&Path) -> io::Result<()>;

/// The [`Remover`] for trees this process owns; it opens directories that lost their write bit.
pub fn remove_own_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

fn make_writable(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
