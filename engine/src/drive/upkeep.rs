//! Keeping the store small.

use std::path::Path;
use std::path::PathBuf;

use store::GcOptions;
use store::GcReport;
use store::Store;
use store::remove_own_tree;

use super::DriveError;
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
    Ok(store.gc(options, &remover)?)
}
