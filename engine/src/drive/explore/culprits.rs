//! From a failure to the smallest fragments over a baseline that fail the same way.

use super::driver::Inner;
use super::driver::content;
use super::driver::mistake;
use super::minimise::Tried;
use super::minimise::minimal_sets;
use super::tally::Culprits;
use crate::eval::Culprit;
use crate::eval::Refusal;
use crate::eval::Thing;
use crate::graph::Output;
use crate::kconfig::Value;
use crate::model::Derived;
use crate::plan::State;
use crate::spec::Kind;

/// What of a build is tried.
enum Stage {
    Config,
    Build,
    /// On a board, with a suite.
    Boot(String, String),
}

/// Tries of one minimisation.
struct Probes {
    stage: Stage,
    signature: String,
    baseline: usize,
    /// Symbols that differ, with their values in what failed.
    changes: Vec<(String, Value)>,
    tried: usize,
    cached: usize,
}

impl Inner {
    /// The smallest fragments over a baseline that fail as `failed` does.
    pub(super) fn minimize(
        &mut self,
        failed: Thing,
        baseline: usize,
    ) -> Result<Vec<Culprit>, Refusal> {
        let outcome = self.outcome(self.node(failed))?;
        let address = self.address(failed).to_owned();
        if outcome.verdict != "failed" {
            let verdict = outcome.verdict;
            return Err(mistake(format!(
                "`{address}` {verdict}: there is no failure to look for"
            )));
        }
        let (stage, config) = match failed {
            Thing::Config(config) => (Stage::Config, config),
            Thing::Build(build) => (Stage::Build, self.builds[build].of),
            Thing::Boot(boot) => {
                let build = self.boots[boot].of;
                let mut words = address.rsplit('/').map(str::to_owned);
                let suite = words.next().unwrap_or_default();
                let board = words.next().unwrap_or_default();
                (Stage::Boot(board, suite), self.builds[build].of)
            }
        };
        let (of, with) = (&self.configs[config], &self.configs[baseline]);
        if (&of.source, &of.arch, &of.toolchain) != (&with.source, &with.arch, &with.toolchain) {
            return Err(mistake(
                "a baseline has the source, arch and toolchain of what failed",
            ));
        }
        if !with.derived.mutations.is_empty() {
            return Err(mistake(
                "a baseline is no mutant: symbols are set on top of it",
            ));
        }
        let changes = self.changes(config, baseline)?;
        let mut probes = Probes {
            stage,
            signature: outcome.signature.clone(),
            baseline,
            changes,
            tried: 0,
            cached: 0,
        };
        let count = probes.changes.len();
        let note = format!("minimises `{}` over {count} symbols", outcome.signature);
        self.graph.note(&note);
        self.probing = true;
        let fragments = self.fragments(&mut probes);
        self.probing = false;
        let fragments = fragments?;
        self.culprits.push(Culprits {
            address,
            signature: outcome.signature,
            fragments: fragments.clone(),
        });
        Ok(fragments)
    }

    fn fragments(&mut self, probes: &mut Probes) -> Result<Vec<Culprit>, Refusal> {
        let count = probes.changes.len();
        let sets = minimal_sets(count, &mut |set| self.probe(probes, set))?;
        let mut fragments = Vec::with_capacity(sets.len());
        for set in sets {
            let derived = self.fragment(probes, &set);
            let thing = self.asked(probes, &derived)?;
            let node = self.node(thing);
            let verified = self.outcome(node)?;
            fragments.push(Culprit {
                symbols: set
                    .iter()
                    .map(|change| probes.changes[*change].clone())
                    .collect(),
                address: self.address(thing).to_owned(),
                verified: verified.verdict == "failed" && verified.signature == probes.signature,
                probes: probes.tried,
                cached: probes.cached,
            });
        }
        Ok(fragments)
    }

    /// The symbols that people may set and that differ, with their values in the configuration that failed.
    fn changes(&mut self, failed: usize, baseline: usize) -> Result<Vec<(String, Value)>, Refusal> {
        let mut resolved = |config| {
            let resolved = self.resolved(config)?;
            resolved.ok_or_else(|| mistake("the .config cannot be resolved"))
        };
        let (with, without) = (resolved(failed)?, resolved(baseline)?);
        let asked = &self.configs[baseline];
        let (source, arch) = (asked.source.clone(), asked.arch.clone());
        let state = match self.graph.find(Kind::Source, &source) {
            None => State::Unwanted,
            Some(source) => self.wait(source)?,
        };
        let arch = self.catalog.arches.get(&arch);
        let tree = content(&state, Output::Tar).zip(arch);
        let tree =
            tree.and_then(|(tar, arch)| self.tools.kconfig_tree(&tar, &arch.kernel_arch).ok());
        // What follows from other symbols is set by these.
        let asked = |symbol: &str| tree.as_ref().is_none_or(|tree| tree.is_asked(symbol));
        let differing = with.differing(&without);
        let of_people = differing.filter(|(symbol, ..)| asked(symbol));
        Ok(of_people
            .map(|(symbol, value, _)| (symbol.to_owned(), value.cloned().unwrap_or(Value::No)))
            .collect())
    }

    fn fragment(&self, probes: &Probes, set: &[usize]) -> Derived {
        let mut derived = self.configs[probes.baseline].derived.clone();
        let changes = set.iter().map(|change| probes.changes[*change].clone());
        derived.symbols.extend(changes);
        derived
    }

    /// Asks for what is tried of a configuration.
    fn asked(&mut self, probes: &Probes, derived: &Derived) -> Result<Thing, Refusal> {
        let asked = &self.configs[probes.baseline];
        let (source, arch, toolchain) = (
            asked.source.clone(),
            asked.arch.clone(),
            asked.toolchain.clone(),
        );
        let config = self.asked_config(&source, &arch, derived, &toolchain)?;
        Ok(match &probes.stage {
            Stage::Config => Thing::Config(config),
            Stage::Build => Thing::Build(self.ask_build(config)?),
            Stage::Boot(board, suite) => {
                if !self.matching(config)?.contains(board) {
                    return Ok(Thing::Config(config));
                }
                let build = self.ask_build(config)?;
                Thing::Boot(self.ask_boot(build, Some(board), Some(suite))?)
            }
        })
    }

    fn probe(&mut self, probes: &mut Probes, set: &[usize]) -> Result<Tried, Refusal> {
        let derived = self.fragment(probes, set);
        let thing = self.asked(probes, &derived)?;
        let meant = match probes.stage {
            Stage::Config => true,
            Stage::Build => matches!(thing, Thing::Build(_)),
            Stage::Boot(..) => matches!(thing, Thing::Boot(_)),
        };
        let state = self.wait(self.node(thing))?;
        probes.tried += 1;
        if let State::Done { cached: true, .. } | State::Failed { cached: true, .. } = state {
            probes.cached += 1;
        }
        let fails = meant
            && matches!(state, State::Failed { .. })
            && self.failure(&state).0 == probes.signature;
        Ok(if fails { Tried::Fails } else { Tried::Other })
    }
}
