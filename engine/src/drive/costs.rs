//! What nodes cost, by what history says.

use std::collections::BTreeMap;

use serde::Deserialize;
use store::Records;
use store::Store;

use super::DriveError;
use crate::graph::Node;
use crate::realise::Estimate;
use crate::spec::Kind;

/// What nodes took when they last ran, in milliseconds.
#[derive(Default)]
pub(super) struct Costs {
    by_name: BTreeMap<String, u64>,
    /// Objects of kernels.
    units: BTreeMap<String, u64>,
    /// Sorted.
    by_kind: BTreeMap<String, Vec<u64>>,
}

impl Costs {
    /// Reads the history of a store.
    pub(super) fn read(store: &Store, records: &Records) -> Result<Self, DriveError> {
        let mut costs = Self::default();
        for outcome in store.currents()? {
            let record = outcome.key.and_then(|key| records.get(&key));
            if let Some(record) = record {
                costs
                    .by_kind
                    .entry(outcome.kind)
                    .or_default()
                    .push(record.duration_ms());
                if let Some(units) = objects(record.facts()) {
                    costs.units.insert(outcome.name.clone(), units);
                }
                costs.by_name.insert(outcome.name, record.duration_ms());
            }
        }
        costs
            .by_kind
            .values_mut()
            .for_each(|durations| durations.sort_unstable());
        Ok(costs)
    }

    /// What it took last.
    pub(super) fn own(&self, history_name: &str) -> Option<u64> {
        self.by_name.get(history_name).copied()
    }

    /// The least and the most that nodes of a kind took.
    pub(super) fn range(&self, kind: Kind) -> Option<(u64, u64)> {
        let durations = self.by_kind.get(kind.word())?;
        Some((*durations.first()?, *durations.last()?))
    }

    /// The same with a guess where nothing like it ran.
    pub(super) fn estimate(&self, node: &Node, history_name: &str) -> Estimate {
        let ms = self.own(history_name).or_else(|| {
            let durations = self.by_kind.get(node.kind().word())?;
            durations.get(durations.len() / 2).copied()
        });
        Estimate {
            ms: ms.unwrap_or_else(|| guess(node.kind())),
            known: ms.is_some(),
            units: self.units.get(history_name).copied(),
        }
    }
}

/// What a kernel's facts say.
#[derive(Deserialize)]
struct Facts {
    objects: u64,
}

fn objects(facts: &str) -> Option<u64> {
    // Most nodes have no such facts, and are not parsed for it.
    let facts = facts.starts_with("{\"objects\"").then_some(facts)?;
    let facts: Facts = serde_json::from_str(facts).ok()?;
    Some(facts.objects)
}

/// Milliseconds of a node of a kind of which none ran yet: the order matters more than the numbers.
fn guess(kind: Kind) -> u64 {
    let seconds = match kind {
        Kind::Fetch | Kind::Source => 15,
        Kind::Base | Kind::Image => 60,
        Kind::Kconfig => 10,
        Kind::Config => 1,
        Kind::Kernel => 240,
        Kind::Match => 0,
        Kind::Rootfs => 5,
        Kind::Probe | Kind::Boot => 20,
    };
    seconds * 1000
}
