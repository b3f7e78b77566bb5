//! Keeping the store small.

use std::path::Path;
use std::path::PathBuf;

use store::GcOptions;
use store::GcReport;
use store::Store;
use store::remove_own_tree;

use super::DriveError;
use super::session::history_project;
use crate::origins::remove_partial;
use crate::realise::now_ms;
use crate::sandbox::Sandbox;

/// Collects garbage. Trees of mapped ids are removed through a sandbox, where there can be one.
pub fn collect(store: &Store, options: GcOptions) -> Result<GcReport, DriveError> {
    let sandbox = if options.dry_run {
        None
    } else {
        Sandbox::new(PathBuf::from("/proc/self/exe")).ok()
    };
    let remover = |dir: &Path| match &sandbox {
        Some(sandbox) => sandbox.remove(dir),
        None => remove_own_tree(dir),
    };
    if !options.dry_run {
        retire_lost_projects(store)?;
        remove_partial(store)?;
    }
    Ok(store.gc(options, &remover)?)
}

/// A project whose directory is gone wants nothing any more.
fn retire_lost_projects(store: &Store) -> Result<(), DriveError> {
    let lives = |name: &str| history_project(name).join("main.rhai").is_file();
    if store.currents()?.iter().all(|outcome| lives(&outcome.name)) {
        return Ok(());
    }
    let run = store.begin_run("gc", now_ms())?;
    store.retire(run, lives)?;
    store.finish_run(run, now_ms(), &[])?;
    Ok(())
}
