//! Random configurations that are asked for.

use std::collections::BTreeMap;

use super::driver::Inner;
use super::driver::misnamed;
use super::driver::mistake;
use crate::eval::Fits;
use crate::eval::Random;
use crate::eval::Refusal;
use crate::kconfig;
use crate::model::Derived;
use crate::model::Start;
use crate::spec::Kind;

impl Inner {
    /// Source, arch and toolchain of a random configuration; the rest of its address.
    pub(super) fn random(
        &self,
        random: &Random,
    ) -> Result<(String, String, Derived, String), Refusal> {
        let catalog = &self.catalog;
        let arch = catalog.arches.get(&random.arch);
        let arch = arch.ok_or_else(|| misnamed("arch", &random.arch, catalog.arches.keys()))?;
        let mut sources = catalog.sources.keys();
        let sources: Vec<&String> = if arch.sources.is_empty() {
            sources.by_ref().collect()
        } else {
            arch.sources.iter().collect()
        };
        let source = match (&random.source, &sources[..]) {
            (Some(source), _) => source.clone(),
            (None, [only]) => (*only).clone(),
            (None, _) => {
                let all = sources.iter().map(|name| format!("`{name}`"));
                return Err(Refusal::Mistake {
                    message: format!("`{}` has several sources: say which", arch.name),
                    help: Some(format!(
                        "`source:` is one of {}",
                        all.collect::<Vec<_>>().join(", ")
                    )),
                });
            }
        };
        let toolchain = random
            .toolchain
            .clone()
            .or_else(|| arch.toolchains.first().cloned());
        let toolchain =
            toolchain.ok_or_else(|| mistake(format!("`{}` has no toolchain", arch.name)))?;
        let mut symbols = BTreeMap::new();
        let boots = match &random.boots {
            None => None,
            Some(Fits::Board(board)) => Some(board.clone()),
            Some(Fits::Needs(needs)) => {
                let version = catalog
                    .sources
                    .get(&source)
                    .and_then(|source| source.version.as_ref());
                let parts = kconfig::satisfy(needs).map_err(|unmet| {
                    mistake(format!(
                        "no symbols make a .config meet the predicate: {unmet}"
                    ))
                })?;
                for part in parts
                    .into_iter()
                    .filter(|part| part.versions.contains(version))
                {
                    symbols.extend(part.symbols);
                }
                None
            }
        };
        symbols.extend(random.base.clone());
        let derived = Derived {
            start: Start::Random {
                seed: random.seed,
                probability: random.probability.clone(),
            },
            boots,
            symbols,
            mutations: Vec::new(),
        };
        Ok((source, random.arch.clone(), derived, toolchain))
    }

    /// Asks for the random configurations that follow, where the script counts seeds up: the loop that asks for one after the other keeps
    /// more than one CPU busy.
    pub(super) fn look_ahead(&mut self, random: &Random) {
        let follows = self.last.replace(random.clone()).is_some_and(|last| {
            let next = Random {
                seed: last.seed.wrapping_add(1),
                ..last
            };
            format!("{next:?}") == format!("{random:?}")
        });
        if !follows {
            return;
        }
        for step in 1..=u32::try_from(self.ahead).unwrap_or(u32::MAX) {
            let Some(seed) = random.seed.checked_add(step) else {
                return;
            };
            let random = Random {
                seed,
                ..random.clone()
            };
            // What the script will not ask for costs a second of one CPU.
            let Ok((source, arch, derived, toolchain)) = self.random(&random) else {
                return;
            };
            let address = format!("{source}/{arch}/{derived}/{toolchain}");
            let Ok(id) = self.graph.build(Kind::Match, &address) else {
                return;
            };
            if self.graph.ask(id).is_err() {
                return;
            }
        }
    }
}
