//! What became of fixups, by the Kconfig files of the source.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;
use store::Digest;

use super::Broken;
use super::Tools;
use super::step::left;
use crate::kconfig::Config;
use crate::kconfig::Tree;
use crate::kconfig::Value;
use crate::kconfig::check;
use crate::model::ConfigRecipe;
use crate::model::Strength;
use crate::sandbox::Cancel;
use crate::text::did_you_mean;

/// What became of one fixup, as `fixups.json` and a config node's facts tell it.
#[derive(Serialize)]
pub(super) struct FixupReport {
    pub strength: Strength,
    pub symbol: String,
    pub kept: bool,
    pub outcome: String,
}

/// Symbols that are set because others depend on them: the value, and which.
pub(super) type Followed = BTreeMap<String, (Value, String)>;

/// The Kconfig files of a source, read where something did not stick.
pub(super) struct KconfigFiles<'s> {
    source: &'s Path,
    srcarch: &'s str,
    tree: OnceCell<Tree>,
}

impl<'s> KconfigFiles<'s> {
    /// Those of a source's tree, for an `ARCH=`.
    pub(super) fn new(source: &'s Path, kernel_arch: &'s str) -> Self {
        Self {
            source,
            srcarch: srcarch(kernel_arch),
            tree: OnceCell::new(),
        }
    }

    /// What became of each fixup; and what must be set on top for those that follow their dependencies.
    pub(super) fn outcomes(
        &self,
        wanted: &BTreeMap<String, (Strength, Value)>,
        config: &Config,
        followed: &Followed,
    ) -> (Vec<FixupReport>, Followed) {
        let mut outcomes = check(pairs(wanted), config, None);
        // Reading hundreds of files is worth it only where something did not stick.
        let clean = outcomes.iter().all(|outcome| outcome.kept);
        let tree = (!clean).then(|| self.tree.get_or_init(|| self.read()));
        if tree.is_some() {
            outcomes = check(pairs(wanted), config, tree);
        }
        let mut more = Followed::new();
        let mut reports = Vec::new();
        for outcome in outcomes {
            let strength = wanted
                .get(&outcome.symbol)
                .map_or(Strength::Must, |(strength, _)| *strength);
            if let Some(tree) = tree.filter(|_| strength == Strength::Satisfy && !outcome.kept) {
                let missing = tree.missing(&outcome.symbol, &outcome.wanted, config);
                // What the definitions set otherwise, or was tried, is not set again.
                let free = |symbol: &String| {
                    !wanted.contains_key(symbol) && !followed.contains_key(symbol)
                };
                if missing.keys().all(free) {
                    let by = |value| (value, outcome.symbol.clone());
                    more.extend(
                        missing
                            .into_iter()
                            .map(|(symbol, value)| (symbol, by(value))),
                    );
                }
            }
            let absent = strength == Strength::IfPresent && !outcome.known;
            reports.push(FixupReport {
                strength,
                kept: outcome.kept || absent,
                outcome: outcome.to_string(),
                symbol: outcome.symbol,
            });
        }
        (reports, more)
    }

    fn read(&self) -> Tree {
        kconfig_tree(self.source, self.srcarch)
    }

    /// Why a configuration cannot be begun, if the log of the kernel's make says that there is none of its name.
    pub(super) fn no_target(&self, recipe: &ConfigRecipe, log: &str) -> Option<String> {
        let ConfigRecipe::Defconfig { target } = recipe else {
            return None;
        };
        // `conf` and make, in their own words.
        let says = |line: &str| {
            line.contains(&format!("/{target}\"")) && line.contains("default configuration")
                || line.contains(&format!("No rule to make target '{target}'"))
                // What does not end in `config` is none of kconfig's.
                || line.contains("Configuration file \".config\" not found")
        };
        if !log.lines().any(says) {
            return None;
        }
        let configs = format!("arch/{}/configs", self.srcarch);
        let names = fs::read_dir(self.source.join(&configs)).ok()?.flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name.ends_with("config")).collect();
        names.sort();
        let similar = did_you_mean(target, names.iter().map(String::as_str).chain(TARGETS));
        let help = similar.map_or_else(
            || format!("`{configs}` has {}", names.join(", ")),
            |similar| format!("did you mean `{similar}`?"),
        );
        Some(format!(
            "this source has no `{target}` for the arch; {help}"
        ))
    }
}

/// What the Kconfig files of a source's tree say for a directory below `arch`.
pub(super) fn kconfig_tree(source: &Path, srcarch: &str) -> Tree {
    Tree::read(srcarch, &|path| {
        let bytes = fs::read(left(source, path)?).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    })
}

impl Tools {
    /// What the Kconfig files of a source's tarball say, for an `ARCH=`.
    pub fn kconfig_tree(&self, source: &Digest, kernel_arch: &str) -> Result<Tree, Broken> {
        let tree = self.unpacked(source, true, &Cancel::new(), &|| {})?;
        Ok(kconfig_tree(tree.path(), srcarch(kernel_arch)))
    }
}

/// Targets that every arch has (kernel: scripts/kconfig/Makefile).
const TARGETS: [&str; 7] = [
    "defconfig",
    "allnoconfig",
    "allyesconfig",
    "allmodconfig",
    "alldefconfig",
    "randconfig",
    "tinyconfig",
];

/// The directory below `arch` of an `ARCH=`, as the kernel's top Makefile finds it.
pub(super) fn srcarch(kernel_arch: &str) -> &str {
    match kernel_arch {
        "i386" | "x86_64" => "x86",
        "sparc32" | "sparc64" => "sparc",
        "parisc64" => "parisc",
        arch => arch,
    }
}

pub(super) fn pairs(
    wanted: &BTreeMap<String, (Strength, Value)>,
) -> impl Iterator<Item = (&str, &Value)> {
    let values = wanted.iter();
    values.map(|(symbol, (_, value))| (symbol.as_str(), value))
}
