//! What is remembered of a job in a lab while it is there, so that no run submits it twice.

use std::fs;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use store::KeyHasher;
use store::Store;

use super::Broken;
use super::Job;
use super::step::file;

/// The store's directory of tickets.
const DIR: &str = "lava";
const SUFFIX: &str = "json";

/// A job that was submitted, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The boot's name, for people.
    pub name: String,
    /// The lab's name in the definitions.
    pub lab: String,
    /// The lab's URL.
    pub url: String,
    /// The job's number; none where it was not learnt.
    pub job: Option<u64>,
    /// Where it was read from.
    #[serde(skip)]
    path: PathBuf,
}

impl Ticket {
    /// A job that is about to be submitted.
    pub(super) fn new(name: &str, lab: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            lab: lab.to_owned(),
            url: url.to_owned(),
            job: None,
            path: PathBuf::new(),
        }
    }

    /// Forgets a ticket that was read from the store.
    pub fn forget(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// The place of a node's ticket.
pub(super) struct Place {
    /// What finds the job in the lab.
    pub id: String,
    path: PathBuf,
}

impl Place {
    /// That of a node, by its spec and inputs.
    pub(super) fn of(store: &Store, job: &Job) -> Self {
        let mut hasher = KeyHasher::new("engine 2026-11 lava ticket v1").digest(&job.spec.digest());
        for (slot, content) in &job.inputs {
            hasher = hasher.str(slot.word()).digest(content);
        }
        let id = format!("engine-{}", hasher.finish());
        let path = store.root().join(DIR).join(&id).with_extension(SUFFIX);
        Self { id, path }
    }

    /// The ticket, if there is one; what cannot be read is none.
    pub(super) fn read(&self) -> Option<Ticket> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    /// Writes it, in one step.
    pub(super) fn write(&self, ticket: &Ticket) -> Result<(), Broken> {
        let dir = self.path.parent().unwrap_or_else(|| Path::new("."));
        let write = || -> io::Result<()> {
            fs::create_dir_all(dir)?;
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            file.write_all(&serde_json::to_vec(ticket)?)?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(file("write", &self.path))
    }

    /// Forgets it: the job is over.
    pub(super) fn remove(&self) {
        // One that stays is found to be over by the next run.
        let _ = fs::remove_file(&self.path);
    }
}

/// All tickets of a store, by name.
pub fn tickets(store: &Store) -> Vec<Ticket> {
    let entries = fs::read_dir(store.root().join(DIR)).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == SUFFIX));
    let read = |path: PathBuf| {
        let ticket: Ticket = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        Some(Ticket { path, ..ticket })
    };
    let mut tickets: Vec<Ticket> = paths.filter_map(read).collect();
    tickets.sort_by(|a, b| a.name.cmp(&b.name));
    tickets
}
