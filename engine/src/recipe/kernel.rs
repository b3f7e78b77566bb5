//! A compiled kernel: a pure function of source, image, toolchain and the content of its .config.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;

use serde_json::json;
use store::Digest;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tell;
use super::Tools;
use super::config::script;
use super::fixed::Fixed;
use super::fixed::SIGNING_KEY;
use super::fixed::SIGNING_KEY_FILE;
use super::objects::Objects;
use super::step::End;
use super::step::SRC;
use super::step::Step;
use super::step::bind;
use super::step::input;
use super::step::left;
use crate::buildlog::BuildLog;
use crate::graph::Slot;
use crate::kconfig::Config;
use crate::sandbox::User;
use crate::spec::KernelSpec;
use crate::text::counted;

/// The output that lists the warnings of a build.
pub const WARNINGS: &str = "warnings.json";

// `modules.tar` is always there: an empty one says that the config has no modules.
const SCRIPT: &str = r#"
mk $JOBS $TARGETS
mkdir modules
if grep -q '^CONFIG_MODULES=y' .config; then
    mk $JOBS modules
    mk INSTALL_MOD_PATH=/build/modules modules_install
    rm -f modules/lib/modules/*/build modules/lib/modules/*/source
fi
reproducible() { tar --create --file="$1" --directory="$2" --sort=name --format=gnu --owner=0 --group=0 \
    --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" .; }
reproducible modules.tar modules
if grep -q '^CONFIG_OF=y' .config && [ -d /src/arch/$srcarch/boot/dts ]; then
    mk $JOBS dtbs
    mk INSTALL_DTBS_PATH=/build/dtbs dtbs_install
    # A config may want none of the trees.
    [ ! -d dtbs ] || reproducible dtbs.tar dtbs
fi
"#;

impl Tools {
    /// Outputs `image`, `vmlinux`, `System.map`, `modules.tar`, `metadata.json` and, where the arch
    /// has device trees, `dtbs.tar`; `warnings.json` where there were any.
    pub(super) fn kernel(&self, spec: &KernelSpec, job: &Job) -> Result<Finished, Broken> {
        let tools = self;
        let image = tools.image_tree(job)?;
        let source = tools.tree(job, Slot::Source, true)?;
        let work = tools.build_dir("kernel")?;
        let build = work.path();
        let config = tools.store.read(&input(job, Slot::Config)?)?;
        tools.write(&build.join(".config"), &config)?;
        let compiler = self.compiler(
            &spec.make,
            spec.accelerate.as_ref(),
            &job.inputs,
            &job.cancel,
            &|text| job.note(text),
        )?;
        // A jobserver says itself how many.
        let jobs = match self.jobserver {
            Some(_) => String::new(),
            None => format!("-j{}", self.make_jobs),
        };
        let fixed = Fixed::of(&config);
        if fixed.signs {
            tools.signing_key(spec, job, build)?;
        }
        let env = BTreeMap::from([
            ("ARCH".to_owned(), spec.kernel_arch.clone()),
            (
                "MAKE_VARIABLES".to_owned(),
                fixed.variables(&compiler.variables),
            ),
            ("PATH".to_owned(), compiler.path.clone()),
            ("JOBS".to_owned(), jobs),
            ("TARGETS".to_owned(), spec.targets.join(" ")),
        ]);
        let script = script(&spec.kernel_arch, &fixed.script(SCRIPT));
        let mut binds = vec![bind(source.path(), SRC, true)];
        binds.extend(compiler.binds.iter().cloned());
        let step = Step {
            script: &script,
            env,
            user: User::Worker,
            binds,
            parallel: true,
        };
        let run = tools.sandboxed(image.path(), build, &step)?;
        let (exit, told) = watched(job, &config, || tools.exit(job, &run, step.parallel));
        let warnings = tools.warnings(&told)?;
        let facts =
            json!({ "objects": told.objects, "warnings": told.warnings, "error": told.error() });
        if let End::Failure(message) = tools.ended(exit?, build, || &told)? {
            return Ok(Finished::failure(message, warnings, facts.to_string()));
        }
        let now = left(build, ".config").and_then(|path| fs::read(path).ok());
        if now.as_ref() != Some(&config) {
            let message = "the build changed its .config, so the config was not resolved";
            return Ok(Finished::failure(
                message.to_owned(),
                BTreeMap::new(),
                String::new(),
            ));
        }
        let Some(boot_image) = left(build, &spec.image) else {
            let message = format!("the build left no `{}`", spec.image);
            return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
        };
        // `vmlinux` may be the boot image itself, so it is copied, not moved.
        let boot_image = tools.store.put_file(&boot_image)?;
        let files = ["vmlinux", "System.map", "modules.tar", "dtbs.tar"].map(|name| (name, name));
        let mut outputs = tools.take(build, &files)?;
        outputs.insert("image".to_owned(), boot_image);
        let image_bytes = tools.store.size(&boot_image)?;
        let metadata = metadata(spec, &compiler.variables, &config, build, image_bytes);
        let metadata = serde_json::to_vec_pretty(&metadata).unwrap_or_default();
        outputs.insert(
            "metadata.json".to_owned(),
            tools.store.put_bytes(&metadata)?,
        );
        outputs.extend(warnings);
        let facts = json!({ "objects": told.objects, "warnings": told.warnings });
        let message = match told.warnings {
            0 => String::new(),
            warnings => counted(warnings, "warning", "warnings"),
        };
        Ok(Finished::success(outputs, facts.to_string()).with_message(message))
    }
}

impl Tools {
    fn signing_key(&self, spec: &KernelSpec, job: &Job, build: &Path) -> Result<(), Broken> {
        let key = spec.signing_key.as_deref();
        self.write(&build.join(SIGNING_KEY_FILE), key.unwrap_or(SIGNING_KEY))?;
        job.note(match key {
            Some(_) => "signs modules by the key of the definitions",
            None => "signs modules by the engine's own key, which is no secret",
        });
        Ok(())
    }

    /// Output `warnings.json`, where there were any: each with its file and line.
    fn warnings(&self, log: &BuildLog) -> Result<BTreeMap<String, Digest>, Broken> {
        if log.list.is_empty() {
            return Ok(BTreeMap::new());
        }
        let list = serde_json::to_vec_pretty(&log.list).unwrap_or_default();
        let list = self.store.put_bytes(&list)?;
        Ok(BTreeMap::from([(WARNINGS.to_owned(), list)]))
    }
}

/// Runs a build while its log is looked at; gives what it counted too.
fn watched<T>(job: &Job, config: &[u8], build: impl FnOnce() -> T) -> (T, BuildLog) {
    let (end, ended) = channel();
    let tell = |step| (job.tell)(Tell::Step(step));
    thread::scope(|scope| {
        let begin = job.log.metadata().map_or(0, |log| log.len());
        let objects = Objects::new(config, begin);
        let watch = scope.spawn(move || objects.watch(&job.log, &ended, &tell));
        let done = build();
        drop(end);
        (done, watch.join().unwrap_or_default())
    })
}

/// `metadata.json`: what a kernel says of itself and how it was made.
fn metadata(
    spec: &KernelSpec,
    variables: &str,
    config: &[u8],
    build: &Path,
    image_bytes: u64,
) -> serde_json::Value {
    let release = left(build, "include/config/kernel.release");
    let release = release.and_then(|path| fs::read_to_string(path).ok());
    let compiler = Config::parse(&String::from_utf8_lossy(config))
        .ok()
        .and_then(|config| config.cc_version_text().map(str::to_owned));
    let arch_word = format!("ARCH={}", spec.kernel_arch);
    let targets = spec.targets.join(" ");
    let words = ["make", &arch_word, variables, &targets];
    let words = words.into_iter().filter(|word| !word.is_empty());
    json!({
        "version": 1,
        "kernel_release": release.unwrap_or_default().trim(),
        "compiler": compiler,
        "make": words.collect::<Vec<_>>().join(" "),
        "kernel_image": spec.image,
        "image_bytes": image_bytes,
    })
}
