//! A resolved .config, and what became of every fixup.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Broken;
use super::Finished;
use super::Job;
use super::ObjectList;
use super::Tools;
use super::fixups::FixupReport;
use super::fixups::Followed;
use super::fixups::KconfigFiles;
use super::fixups::kconfig_tree;
use super::fixups::pairs;
use super::fixups::srcarch;
use super::kconfig::Conf;
use super::kconfig::KCONFIG;
use super::kconfig::LINKED;
use super::native::Compiler;
use super::neighbour::CLEAN;
use super::step::BUILD;
use super::step::End;
use super::step::SRC;
use super::step::Step;
use super::step::bind;
use super::step::file;
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

// None is older than what it is made from, so nothing is made again.
const DEFCONFIG: &str = r#"
cp -r /kconfig/scripts /kconfig/answers.c .
find scripts -type f -exec touch -r scripts {} +
linked "$TARGET"
"#;

/// Whether it is there decides whether `conf` makes one, and thousands of files that tell a build which symbols changed.
const AUTO_CONF: &str = "include/config/auto.conf";

/// What `conf` is told beforehand, where it does not complete a .config.
const ALL_CONFIG: &str = "all.config";

/// How `conf` is run, in a way that fixups at the end of a file have the last word.
struct Begun {
    /// The way, as an option of `conf`.
    mode: &'static str,
    /// The file.
    file: &'static str,
    /// What stands in it before the fixups.
    before: Vec<u8>,
    /// What it is told by the environment beside what make tells it.
    env: Vec<(&'static str, String)>,
}

/// A step that configures, and where.
struct Place<'a> {
    image: &'a Path,
    source: &'a Path,
    build: &'a Path,
    conf: &'a Conf,
    compiler: &'a Compiler,
}

impl Place<'_> {
    fn step<'s>(&self, script: &'s str, env: BTreeMap<String, String>) -> Step<'s> {
        let kconfig = bind(self.conf.tree.path(), KCONFIG, true);
        let binds = [bind(self.source, SRC, true), kconfig].into_iter();
        Step {
            script,
            env,
            user: User::Worker,
            binds: binds.chain(self.compiler.binds.iter().cloned()).collect(),
            parallel: false,
        }
    }
}

impl Tools {
    /// Outputs `config` and `fixups.json`; facts: the fixups that did not stick.
    pub(super) fn config(&self, spec: &ConfigSpec, job: &Job) -> Result<Finished, Broken> {
        let tools = self;
        let image = tools.image_tree(job)?;
        let source = tools.tree(job, Slot::Source, true)?;
        let conf = tools.conf(job)?;
        let work = tools.build_dir("config")?;
        let compiler = self.compiler(
            &spec.make,
            spec.accelerate.as_ref(),
            &job.inputs,
            &job.cancel,
            &|text| job.note(text),
        )?;
        let place = Place {
            image: image.path(),
            source: source.path(),
            build: work.path(),
            conf: &conf,
            compiler: &compiler,
        };
        let reports = match tools.resolved(spec, job, &place)? {
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
        let mut outputs = tools.take(place.build, &[("config", ".config")])?;
        outputs.insert("fixups.json".to_owned(), tools.store.put_bytes(&json)?);
        Ok(if failed.is_empty() {
            Finished::success(outputs, facts)
        } else {
            Finished::failure(format!("must-fixups not met: {failed}"), outputs, facts)
        })
    }

    /// Begins a .config, or gives the message of a failure.
    fn begun(
        &self,
        spec: &ConfigSpec,
        job: &Job,
        place: &Place<'_>,
    ) -> Result<Result<Begun, String>, Broken> {
        let all = || ("KCONFIG_ALLCONFIG", format!("{BUILD}/{ALL_CONFIG}"));
        let old = |before| Begun {
            mode: "--olddefconfig",
            file: ".config",
            before,
            env: Vec::new(),
        };
        Ok(Ok(match &spec.recipe {
            ConfigRecipe::Defconfig { target } => {
                if let Err(message) = self.defconfig(spec, target, job, place)? {
                    return Ok(Err(message));
                }
                let config = left(place.build, ".config").and_then(|path| fs::read(path).ok());
                old(config.unwrap_or_default())
            }
            // What comes behind it begins a line of its own, whether its last has an end or not.
            ConfigRecipe::File { file } => old([&*file.bytes(), b"\n"].concat()),
            ConfigRecipe::Mutant { seed, share, spare } => {
                let parent = self.store.read(&input(job, Slot::Parent)?)?;
                let parent = match Config::parse(&String::from_utf8_lossy(&parent)) {
                    Ok(parent) => parent,
                    Err(error) => {
                        return Ok(Err(format!(
                            "the parent's .config is not readable: {error}"
                        )));
                    }
                };
                let spared = self.spared(job, *spare, place.source, &spec.kernel_arch)?;
                let spared = spared.iter().chain(spec.fixups.keys());
                let spared = spared.map(String::as_str).collect();
                old(mutate(&parent, *seed, *share, &spared).into_bytes())
            }
            ConfigRecipe::Tiny => Begun {
                mode: "--allnoconfig",
                file: ALL_CONFIG,
                before: tiny(place.source, &spec.kernel_arch),
                env: vec![all()],
            },
            ConfigRecipe::Randconfig { seed, probability } => {
                let mut env = vec![("KCONFIG_SEED", seed.to_string())];
                if !probability.is_empty() {
                    env.push(("KCONFIG_PROBABILITY", probability.clone()));
                }
                // An empty file is not the same as none: choices are not random then.
                if !spec.fixups.is_empty() {
                    env.push(all());
                }
                Begun {
                    mode: "--randconfig",
                    file: ALL_CONFIG,
                    before: Vec::new(),
                    env,
                }
            }
        }))
    }

    /// Symbols on which so many percent of the objects of a kernel depend, those that have it built clean, and what either follow from; none
    /// where the kernel does not list its objects.
    fn spared(
        &self,
        job: &Job,
        percent: u32,
        source: &Path,
        kernel_arch: &str,
    ) -> Result<BTreeSet<String>, Broken> {
        let Some(list) = job.inputs.get(&Slot::Objects) else {
            return Ok(BTreeSet::new());
        };
        let list = ObjectList::parse(&self.store.read(list)?).unwrap_or_default();
        let clean = CLEAN.iter().map(|(symbol, _)| *symbol);
        let spared = list.costly(percent as usize).chain(clean);
        Ok(kconfig_tree(source, srcarch(kernel_arch)).deciders(spared))
    }

    /// Has the kernel's make begin a .config by one of its targets, which may be more than a defconfig file.
    fn defconfig(
        &self,
        spec: &ConfigSpec,
        target: &str,
        job: &Job,
        place: &Place<'_>,
    ) -> Result<Result<(), String>, Broken> {
        let compiler = place.compiler;
        let env = BTreeMap::from([
            ("ARCH".to_owned(), spec.kernel_arch.clone()),
            ("PATH".to_owned(), compiler.path.clone()),
            ("MAKE_VARIABLES".to_owned(), compiler.variables.clone()),
            ("TARGET".to_owned(), target.to_owned()),
            Conf::replay(),
        ]);
        let script = script(&spec.kernel_arch, &[LINKED, DEFCONFIG].concat());
        let step = place.step(&script, env);
        let End::Failure(message) = self.step(job, place.image, place.build, &step)? else {
            return Ok(Ok(()));
        };
        let files = KconfigFiles::new(place.source, &spec.kernel_arch);
        let log = read_log(&job.log);
        Ok(Err(files.no_target(&spec.recipe, &log).unwrap_or(message)))
    }

    /// Resolves until nothing more follows; gives what became of every fixup, or the message of a failure.
    fn resolved(
        &self,
        spec: &ConfigSpec,
        job: &Job,
        place: &Place<'_>,
    ) -> Result<Result<Vec<FixupReport>, String>, Broken> {
        let build = place.build;
        for dir in ["include", "include/config"] {
            let dir = build.join(dir);
            fs::create_dir(&dir).map_err(file("make", &dir))?;
            self.give_to_worker(&dir)?;
        }
        self.write(&build.join(AUTO_CONF), "")?;
        let begun = match self.begun(spec, job, place)? {
            Ok(begun) => begun,
            Err(message) => return Ok(Err(message)),
        };
        let mut env = place.conf.env.clone();
        let more = begun.env.iter();
        env.extend(more.map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut run = self.sandboxed(place.image, build, &place.step("", env))?;
        run.argv = place.conf.argv(begun.mode);
        run.cwd.clone_from(&place.conf.cwd);
        let files = KconfigFiles::new(place.source, &spec.kernel_arch);
        let mut followed = Followed::new();
        loop {
            let values = followed.iter();
            let values = values.map(|(symbol, (value, _))| (symbol.as_str(), value));
            let fixups = fragment(pairs(&spec.fixups).chain(values));
            let text = [&*begun.before, fixups.as_bytes()].concat();
            self.write(&build.join(begun.file), text)?;
            if let End::Failure(message) = self.run(job, build, &run, false)? {
                return Ok(Err(message));
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
            let (mut reports, more) = files.outcomes(&spec.fixups, &config, &followed);
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

/// What the kernel's `tinyconfig` puts together; it takes no fragment in newer versions. What nobody asked for stays off.
fn tiny(source: &Path, kernel_arch: &str) -> Vec<u8> {
    let of_arch = format!("arch/{}/configs/tiny.config", srcarch(kernel_arch));
    let files = [
        "kernel/configs/tiny-base.config",
        "kernel/configs/tiny.config",
        &of_arch,
    ];
    let files = files.into_iter().filter_map(|path| left(source, path));
    files
        .flat_map(|path| fs::read(path).unwrap_or_default())
        .collect()
}

/// `NAME=value` words for a make line; evaluation has refused values with blanks.
pub(super) fn make_words(variables: &BTreeMap<String, String>) -> String {
    let words = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    words.collect::<Vec<_>>().join(" ")
}
