//! A resolved .config, and what became of every fixup.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::kconfig::FixupReport;
use super::kconfig::Followed;
use super::kconfig::Kconfig;
use super::kconfig::pairs;
use super::kconfig::srcarch;
use super::step::End;
use super::step::SRC;
use super::step::Step;
use super::step::bind;
use super::step::input;
use super::step::left;
use super::step::read_log;
use crate::graph::Slot;
use crate::kconfig::Config;
use crate::kconfig::Value;
use crate::kconfig::fragment;
use crate::kconfig::mutate;
use crate::model::ConfigRecipe;
use crate::model::Strength;
use crate::sandbox::User;
use crate::spec::ConfigSpec;

/// Common beginning, after `srcarch`: `mk` is the kernel's make with the arch and toolchain.
const MAKE: &str = r#"
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
            // What comes behind it begins a line of its own, whether its last has an end or not.
            tools.write(
                &build.join("start.config"),
                [&*file.bytes(), b"\n"].concat(),
            )?;
        }
        if let ConfigRecipe::Mutant {
            seed,
            share,
            sparing,
        } = &spec.recipe
        {
            let parent = tools.store.read(&input(job, Slot::Parent)?)?;
            let parent = match Config::parse(&String::from_utf8_lossy(&parent)) {
                Ok(parent) => parent,
                Err(error) => {
                    let message = format!("the parent's .config is not readable: {error}");
                    return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
                }
            };
            let keep = |symbol: &str| sparing.contains(symbol) || spec.fixups.contains_key(symbol);
            let text = mutate(&parent, *seed, *share, &keep);
            tools.write(&build.join("start.config"), text)?;
        }
        let script = script(&spec.kernel_arch, resolve(&spec.recipe, &mut env));
        let mut binds = vec![bind(source.path(), SRC, true)];
        binds.extend(compiler.binds.iter().cloned());
        let step = Step {
            script: &script,
            env,
            user: User::Worker,
            binds,
            parallel: true,
        };
        let kconfig = Kconfig::new(source.path(), &spec.kernel_arch);
        let reports = match tools.resolved(spec, job, &kconfig, image.path(), build, &step)? {
            Ok(reports) => reports,
            Err(message) => {
                return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
            }
        };
        let lost = |strength| {
            reports
                .iter()
                .filter(move |r| !r.kept && r.strength == strength)
        };
        let failed = lost(Strength::Must).chain(lost(Strength::Satisfy));
        let failed = failed.map(|report| report.outcome.as_str());
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

    /// Runs the script until nothing more follows; gives what became of every fixup, or the message of a failure.
    fn resolved(
        &self,
        spec: &ConfigSpec,
        job: &Job,
        kconfig: &Kconfig<'_>,
        image: &Path,
        build: &Path,
        step: &Step<'_>,
    ) -> Result<Result<Vec<FixupReport>, String>, Broken> {
        let mut followed = Followed::new();
        loop {
            let values = followed.iter();
            let values = values.map(|(symbol, (value, _))| (symbol.as_str(), value));
            let fixups = fragment(pairs(&spec.fixups).chain(values));
            self.write(&build.join("fixups.config"), fixups)?;
            if let End::Failure(message) = self.step(job, image, build, step)? {
                let log = read_log(&job.log);
                return Ok(Err(kconfig
                    .no_target(&spec.recipe, &log)
                    .unwrap_or(message)));
            }
            let text = left(build, ".config").and_then(|path| fs::read(path).ok());
            let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
            let config = match Config::parse(&text) {
                Ok(config) => config,
                Err(error) => {
                    return Ok(Err(format!(
                        "the resolved .config is not readable: {error}"
                    )));
                }
            };
            let (mut reports, more) = kconfig.outcomes(&spec.fixups, &config, &followed);
            if more.is_empty() {
                reports.extend(
                    followed
                        .into_iter()
                        .map(|(symbol, (value, by))| FixupReport {
                            strength: Strength::Satisfy,
                            kept: config.get(&symbol).unwrap_or(&Value::No) == &value,
                            outcome: format!("`{symbol}`: `{value}`, as `{by}` depends on it"),
                            symbol,
                        }),
                );
                return Ok(Ok(reports));
            }
            for (symbol, (value, by)) in &more {
                job.note(&format!(
                    "sets `{symbol}` to `{value}`, as `{by}` depends on it"
                ));
            }
            followed.extend(more);
        }
    }
}

/// A script on a kernel's source, for an `ARCH=`.
pub(super) fn script(kernel_arch: &str, script: &str) -> String {
    format!("srcarch={}{MAKE}{script}", srcarch(kernel_arch))
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
        ConfigRecipe::File { .. } | ConfigRecipe::Mutant { .. } => FILE,
    }
}

/// `NAME=value` words for a make line; evaluation has refused values with blanks.
pub(super) fn make_words(variables: &BTreeMap<String, String>) -> String {
    let words = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    words.collect::<Vec<_>>().join(" ")
}
