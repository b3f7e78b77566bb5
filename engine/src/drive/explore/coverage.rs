//! How much of an arch was ever built and booted, by the results of a project in the store: `engine coverage`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use store::Digest;
use store::OutcomeVerdict;
use store::Store;

use super::super::DriveError;
use super::super::Session;
use super::super::session::history_project;
use crate::eval::Coverage;
use crate::kconfig::Config;
use crate::model::Pattern;
use crate::recipe::OBJECTS;
use crate::recipe::ObjectList;

/// What the kernels of one source and arch cover.
#[derive(Clone, Debug)]
pub struct ArchCoverage {
    /// `SOURCE/ARCH`.
    pub arch: String,
    /// After each kernel that was built, in the order in which they were: the last is all.
    pub curve: Vec<Coverage>,
}

/// One kernel that was built.
struct Built {
    started_ms: u64,
    symbols: BTreeSet<String>,
    objects: BTreeSet<String>,
    booted: bool,
}

impl Session {
    /// What the kernels that patterns name cover; all of the project, if there are none.
    pub fn coverage(&self, patterns: &[String]) -> Result<Vec<ArchCoverage>, DriveError> {
        let patterns: Vec<Pattern> = patterns
            .iter()
            .map(|pattern| Pattern::parse(pattern))
            .collect::<Result<_, _>>()?;
        let named = |address: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.covers(address))
        };
        let mut keys: BTreeMap<(String, String), Digest> = BTreeMap::new();
        for outcome in self.store.currents()? {
            let succeeded = outcome.verdict == OutcomeVerdict::Succeeded;
            let of_project = history_project(&outcome.name) == self.project;
            let name = outcome.name.rsplit_once(' ').map(|(_, name)| name);
            let name = name.and_then(|name| name.split_once(':'));
            if let (true, true, Some((kind, address)), Some(key)) =
                (succeeded, of_project, name, outcome.key)
            {
                keys.insert((kind.to_owned(), address.to_owned()), key);
            }
        }
        let booted: BTreeSet<&str> = keys
            .keys()
            .filter(|(kind, _)| kind == "boot")
            .filter_map(|(_, address)| address.rsplitn(3, '/').nth(2))
            .collect();
        let mut arches: BTreeMap<String, Vec<Built>> = BTreeMap::new();
        for ((kind, address), key) in &keys {
            let config = keys.get(&("config".to_owned(), address.clone()));
            let (true, true, Some(config)) = (kind == "kernel", named(address), config) else {
                continue;
            };
            let Some(symbols) = symbols(&self.store, config)? else {
                continue;
            };
            let record = self.store.record(key)?;
            let arch: Vec<&str> = address.split('/').take(2).collect();
            arches.entry(arch.join("/")).or_default().push(Built {
                started_ms: record.map(|record| record.started_ms).unwrap_or_default(),
                symbols,
                objects: objects(&self.store, key),
                booted: booted.contains(address.as_str()),
            });
        }
        Ok(arches
            .into_iter()
            .map(|(arch, built)| ArchCoverage {
                arch,
                curve: curve(built),
            })
            .collect())
    }
}

/// What is covered after each kernel.
fn curve(mut built: Vec<Built>) -> Vec<Coverage> {
    built.sort_by_key(|built| built.started_ms);
    let (mut all, mut booted, mut objects) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let after = |kernel: Built| {
        if kernel.booted {
            booted.extend(kernel.symbols.iter().cloned());
        }
        all.extend(kernel.symbols);
        objects.extend(kernel.objects);
        Coverage {
            built: all.len(),
            booted: booted.len(),
            objects: objects.len(),
        }
    };
    built.into_iter().map(after).collect()
}

/// The symbols that are `y` or `m` in what a config node gave; `None` where it is gone.
fn symbols(store: &Store, config: &Digest) -> Result<Option<BTreeSet<String>>, DriveError> {
    let output = store
        .record(config)?
        .and_then(|record| record.outputs.get("config").copied());
    let text = output.and_then(|digest| store.read(&digest).ok());
    let config = text.and_then(|text| Config::parse(&String::from_utf8_lossy(&text)).ok());
    Ok(config.map(|config| on(&config).map(str::to_owned).collect()))
}

/// The object files that a kernel is made of; none where it does not say.
pub(super) fn objects(store: &Store, kernel: &Digest) -> BTreeSet<String> {
    let record = store.record(kernel).ok().flatten();
    let list = record.and_then(|record| record.outputs.get(OBJECTS).copied());
    let list = list.and_then(|list| store.read(&list).ok());
    let list = list.and_then(|list| ObjectList::parse(&list));
    list.map(|list| list.objects).unwrap_or_default()
}

/// The symbols that are `y` or `m`.
pub(super) fn on(config: &Config) -> impl Iterator<Item = &str> {
    let set = config.iter().filter(|(_, value)| value.is_enabled());
    set.map(|(symbol, _)| symbol)
}
