//! How much of an arch was ever built and booted, by what is in the store.

use std::collections::BTreeSet;

use store::Digest;
use store::Store;

/// The object files that a kernel's build compiled.
pub(super) fn objects(_store: &Store, _kernel: &Digest) -> BTreeSet<String> {
    BTreeSet::new()
}
