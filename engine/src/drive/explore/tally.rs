//! What an exploration came to: counts, times and clusters of failures.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;
use store::Digest;

use crate::eval::Coverage;
use crate::eval::Culprit;

/// What an exploration came to, for whoever looks at it. Times are in milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exploration {
    /// Path of the script.
    pub script: String,
    /// What ended it before the script's end; empty where that was reached.
    pub ended: String,
    /// Wall time of this run.
    pub wall_ms: u64,
    /// Configurations that were asked for.
    pub tried: usize,
    /// Of these, how many had a result before.
    pub tried_cached: usize,
    /// Of these, how many could not be resolved to what they must be.
    pub unresolved: usize,
    /// Different resolved .configs.
    pub distinct: usize,
    /// Different ones that fit a board.
    pub matched: usize,
    /// Builds that were asked for.
    pub builds: Stage,
    /// Boots that were asked for.
    pub boots: Stage,
    /// Builds that shared the kernel of another, as their .configs are equal.
    pub shared_builds: usize,
    /// Boots that shared that of another, as their images are equal.
    pub shared_boots: usize,
    /// Time that configure steps took, in all.
    pub config_ms: u64,
    /// Configurations decided (resolved, compared with boards) in a minute in which some were, without those that had a result before.
    pub decided_a_minute: f64,
    /// Failures of one signature.
    pub clusters: Vec<Cluster>,
    /// What minimisation found.
    pub culprits: Vec<Culprits>,
    /// How much of each arch its builds and boots cover.
    pub coverage: BTreeMap<String, Coverage>,
}

/// How builds or boots ended.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Stage {
    /// Succeeded.
    pub succeeded: usize,
    /// Failed, and did so again.
    pub failed: usize,
    /// Failed, and did not when they ran again.
    pub flaky: usize,
    /// Could not be run, by fault of the machine.
    pub broken: usize,
    /// Did not run, as something before them failed.
    pub skipped: usize,
    /// Neither, when the run ended.
    pub open: usize,
    /// How many had a result before.
    pub cached: usize,
    /// Time they took in this run, in all.
    pub ms: u64,
}

/// Failures of one signature.
#[derive(Clone, Debug, Serialize)]
pub struct Cluster {
    /// The signature.
    pub signature: String,
    /// `new`, `known` (something that the script did not ask for failed so before), `flaky` or `infrastructure`.
    pub class: &'static str,
    /// What failed, in one line, of the first.
    pub reason: String,
    /// Addresses, in the order in which they were asked for.
    pub addresses: Vec<String>,
    /// How often failures ran, and how often they came again.
    pub runs: usize,
    /// How often it failed in these.
    pub failed: usize,
    /// Arches and toolchains of the addresses.
    pub axes: BTreeSet<String>,
    /// `SYMBOL=value` of what two or more have in their .configs and nothing that succeeded has, where that is little.
    pub symbols: Vec<String>,
}

/// What one minimisation found.
#[derive(Clone, Debug, Serialize)]
pub struct Culprits {
    /// The address that failed.
    pub address: String,
    /// With which signature.
    pub signature: String,
    /// The fragments over the baseline.
    pub fragments: Vec<Culprit>,
}

impl Stage {
    /// How many were asked for.
    pub fn all(&self) -> usize {
        let Self {
            succeeded,
            failed,
            flaky,
            broken,
            skipped,
            open,
            ..
        } = self;
        succeeded + failed + flaky + broken + skipped + open
    }

    pub(super) fn count(&mut self, verdict: &str) {
        match verdict {
            "succeeded" => self.succeeded += 1,
            "failed" => self.failed += 1,
            "flaky" => self.flaky += 1,
            "broken" => self.broken += 1,
            "skipped" => self.skipped += 1,
            _ => self.open += 1,
        }
    }
}

/// How many of some keys there are, and how many there are of each but the first.
pub(super) fn shared(keys: impl Iterator<Item = Digest>) -> usize {
    let mut seen = BTreeSet::new();
    keys.filter(|key| !seen.insert(*key)).count()
}
