//! A failing file system for crash tests: a fault planned for the n-th change.

use std::collections::BTreeSet;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::fs::Fs;

/// What strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The change fails with `ENOSPC`; a write leaves half its bytes. Later changes work.
    DiskFull,
    /// The change fails with `EIO`; a write leaves half its bytes. Later changes work.
    Io,
    /// The process is dead from here on: every later change fails; a write leaves half its bytes.
    Kill,
    /// As `Kill`, and every file that was not synced loses its content, as after a power cut.
    PowerCut,
    /// The process aborts for real.
    Abort,
}

/// A fault planned for one change, and the count of changes so far.
#[derive(Debug)]
pub struct Plan {
    at: u64,
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    dead: bool,
    struck: Option<&'static str>,
    /// Files whose content is not on the disk yet.
    unsynced: BTreeSet<PathBuf>,
}

impl Fs {
    /// A file system whose change number `at`, counted from 0, meets `fault`.
    pub fn faulty(at: u64, fault: Fault) -> (Self, Arc<Plan>) {
        let plan = Arc::new(Plan {
            at,
            fault,
            state: Mutex::default(),
        });
        (
            Self {
                plan: Some(Arc::clone(&plan)),
            },
            plan,
        )
    }
}

impl Plan {
    /// How many changes were tried so far.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// The change that was struck, if the plan came to it.
    pub fn struck(&self) -> Option<&'static str> {
        self.lock().struck
    }

    pub(crate) fn step(&self, op: &'static str, torn: Option<(&File, &[u8])>) -> io::Result<()> {
        let mut state = self.lock();
        let dead = || io::Error::other("the process is dead (planned)");
        if state.dead {
            return Err(dead());
        }
        let now = state.count == self.at;
        state.count += 1;
        if !now {
            return Ok(());
        }
        state.struck = Some(op);
        if let Some((mut file, bytes)) = torn {
            file.write_all(&bytes[..bytes.len() / 2])?;
        }
        match self.fault {
            Fault::DiskFull => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Fault::Io => Err(rustix::io::Errno::IO.into()),
            Fault::Kill => {
                state.dead = true;
                Err(dead())
            }
            Fault::PowerCut => {
                state.dead = true;
                for lost in &state.unsynced {
                    empty(lost)?;
                }
                Err(dead())
            }
            Fault::Abort => std::process::abort(),
        }
    }

    pub(crate) fn wrote(&self, path: &Path) {
        self.lock().unsynced.insert(path.to_owned());
    }

    pub(crate) fn synced(&self, path: &Path) {
        self.lock().unsynced.remove(path);
    }

    pub(crate) fn synced_all(&self) {
        self.lock().unsynced.clear();
    }

    pub(crate) fn renamed(&self, from: &Path, to: &Path) {
        let mut state = self.lock();
        let unsynced = state.unsynced.remove(from);
        state.unsynced.remove(to);
        if unsynced {
            state.unsynced.insert(to.to_owned());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn empty(path: &Path) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mode = path.metadata()?.permissions();
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    OpenOptions::new().write(true).truncate(true).open(path)?;
    std::fs::set_permissions(path, mode)
}
