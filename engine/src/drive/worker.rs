//! What of this machine decides what nodes are.

use crate::graph::Worker;
use crate::model::Catalog;
use crate::sandbox::Mapping;

/// The worker of this machine, as far as a catalog asks.
pub(super) fn worker(_catalog: &Catalog) -> Worker {
    let (uid, gid) = Mapping::detect().worker();
    Worker {
        uid,
        gid,
        ..Worker::default()
    }
}
