//! A resolved .config, and what became of every fixup.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::End;
use super::step::SRC;
use super::step::Step;
use super::step::bind;
use super::step::file;
use super::step::left;
use crate::graph::Slot;
use crate::kconfig::Config;
use crate::kconfig::FixupOutcome;
use crate::kconfig::Value;
use crate::kconfig::check;
use crate::kconfig::fragment;
use crate::kconfig::symbols_defined;
use crate::model::ConfigRecipe;
use crate::model::Strength;
use crate::sandbox::User;
use crate::spec::ConfigSpec;

/// What became of one fixup, as `fixups.json` and a config node's facts tell it.
#[derive(Serialize)]
struct FixupReport {
    strength: Strength,
    symbol: String,
    kept: bool,
    outcome: String,
}

/// Common beginning: `mk` is the kernel's make with the arch and toolchain.
pub(super) const MAKE: &str = r#"
case $ARCH in i386|x86_64) srcarch=x86 ;; sparc32|sparc64) srcarch=sparc ;; parisc64) srcarch=parisc ;; *) srcarch=$ARCH ;; esac
mk() { make -C /src O=/build ARCH="$ARCH" $MAKE_VARIABLES "$@"; }
"#;

const DEFCONFIG: &str = r#"
mk "$TARGET"
cat fixups.config >> .config
mk olddefconfig
"#;

// The kernel's own tinyconfig takes no fragment in newer versions, so its fragments are put together
// here; what nobody asked for stays off.
const TINY: &str = r"
cat /src/kernel/configs/tiny-base.config /src/kernel/configs/tiny.config \
    /src/arch/$srcarch/configs/tiny.config fixups.config > all.config 2>/dev/null || true
KCONFIG_ALLCONFIG=/build/all.config mk allnoconfig
";

const RANDCONFIG: &str = "
KCONFIG_ALLCONFIG=/build/fixups.config mk randconfig
";

const FILE: &str = "
cat start.config fixups.config > .config
mk olddefconfig
";

impl Tools {
    /// Outputs `config` and `fixups.json`; facts: the fixups that did not stick.
    pub(super) fn config(&self, spec: &ConfigSpec, job: &Job) -> Result<Finished, Broken> {
        let tools = self;
        let image = tools.image_tree(job)?;
        let source = tools.tree(job, Slot::Source, true)?;
        let work = tools.build_dir("config")?;
        let build = work.path();
        let wanted = &spec.fixups;
        let fixups = fragment(
            wanted
                .iter()
                .map(|(symbol, (_, value))| (symbol.as_str(), value)),
        );
        tools.write(&build.join("fixups.config"), fixups)?;
        let compiler = self.compiler(
            &spec.make,
            spec.accelerate.as_ref(),
            &job.inputs,
            &job.cancel,
            &|text| job.note(text),
        )?;
        let mut env = BTreeMap::from([
            ("ARCH".to_owned(), spec.kernel_arch.clone()),
            ("PATH".to_owned(), compiler.path.clone()),
            ("MAKE_VARIABLES".to_owned(), compiler.variables.clone()),
        ]);
        if let ConfigRecipe::File { file } = &spec.recipe {
            tools.write(&build.join("start.config"), &file.text)?;
        }
        let script = format!("{MAKE}{}", resolve(&spec.recipe, &mut env));
        let mut binds = vec![bind(source.path(), SRC, true)];
        binds.extend(compiler.binds.iter().cloned());
        let step = Step {
            script: &script,
            env,
            user: User::Worker,
            binds,
            parallel: true,
        };
        if let End::Failure(message) = tools.step(job, image.path(), build, &step)? {
            return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
        }
        let text = left(build, ".config").and_then(|path| fs::read(path).ok());
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let config = match Config::parse(&text) {
            Ok(config) => config,
            Err(error) => {
                let message = format!("the resolved .config is not readable: {error}");
                return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
            }
        };
        let reports = outcomes(wanted, &config, source.path())?;
        let lost = |strength| {
            reports
                .iter()
                .filter(move |r| !r.kept && r.strength == strength)
        };
        let failed = lost(Strength::Must).map(|report| report.outcome.as_str());
        let failed = failed.collect::<Vec<_>>().join("; ");
        let dropped: Vec<&FixupReport> = reports.iter().filter(|report| !report.kept).collect();
        let facts = serde_json::json!({ "dropped": dropped }).to_string();
        for report in lost(Strength::Want) {
            job.note(&format!("fixup did not stick: {}", report.outcome));
        }
        let json = serde_json::to_vec_pretty(&reports).unwrap_or_default();
        let mut outputs = tools.take(build, &[("config", ".config")])?;
        outputs.insert("fixups.json".to_owned(), tools.store.put_bytes(&json)?);
        Ok(if failed.is_empty() {
            Finished::success(outputs, facts)
        } else {
            Finished::failure(format!("must-fixups not met: {failed}"), outputs, facts)
        })
    }
}

/// The script that resolves a .config, and the environment it reads.
fn resolve(recipe: &ConfigRecipe, env: &mut BTreeMap<String, String>) -> &'static str {
    match recipe {
        ConfigRecipe::Defconfig { target } => {
            env.insert("TARGET".to_owned(), target.clone());
            DEFCONFIG
        }
        ConfigRecipe::Tiny => TINY,
        ConfigRecipe::Randconfig { seed, probability } => {
            env.insert("KCONFIG_SEED".to_owned(), seed.to_string());
            if !probability.is_empty() {
                env.insert("KCONFIG_PROBABILITY".to_owned(), probability.clone());
            }
            RANDCONFIG
        }
        ConfigRecipe::File { .. } => FILE,
    }
}

fn outcomes(
    wanted: &BTreeMap<String, (Strength, Value)>,
    config: &Config,
    source: &Path,
) -> Result<Vec<FixupReport>, Broken> {
    let pairs = || {
        wanted
            .iter()
            .map(|(symbol, (_, value))| (symbol.as_str(), value))
    };
    // Reading 1,700 Kconfig files is worth it only where something did not stick.
    let clean = check(pairs(), config, &|_| true)
        .iter()
        .all(|outcome| outcome.kept);
    let known = if clean {
        BTreeSet::new()
    } else {
        known_symbols(source)?
    };
    let outcomes = check(pairs(), config, &|symbol| clean || known.contains(symbol));
    let report = |outcome: FixupOutcome| {
        let strength = wanted
            .get(outcome.symbol.as_str())
            .map_or(Strength::Must, |w| w.0);
        let absent = strength == Strength::IfPresent && !known.contains(&outcome.symbol);
        let kept = outcome.kept || absent;
        FixupReport {
            strength,
            kept,
            outcome: outcome.to_string(),
            symbol: outcome.symbol,
        }
    };
    Ok(outcomes.into_iter().map(report).collect())
}

/// Every symbol that some Kconfig file of the tree defines.
fn known_symbols(source: &Path) -> Result<BTreeSet<String>, Broken> {
    let mut known = BTreeSet::new();
    let mut dirs = vec![source.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).map_err(file("read", &dir))? {
            let entry = entry.map_err(file("read", &dir))?;
            let kind = entry.file_type().map_err(file("read", &dir))?;
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() && entry.file_name().to_string_lossy().starts_with("Kconfig") {
                let text = fs::read(entry.path()).map_err(file("read", &entry.path()))?;
                let text = String::from_utf8_lossy(&text);
                known.extend(symbols_defined(&text).map(str::to_owned));
            }
        }
    }
    Ok(known)
}

/// `NAME=value` words for a make line; evaluation has refused values with blanks.
pub(super) fn make_words(variables: &BTreeMap<String, String>) -> String {
    let words = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    words.collect::<Vec<_>>().join(" ")
}
