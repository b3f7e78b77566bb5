//! Neighbour builds on real input: the same bytes as clean ones, from mutants of a small kernel.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, tells what it measured, and takes a name from the clock"
)]

#[path = "world/real.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod real;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use engine::drive::Session;
use engine::graph::Slot;
use engine::kconfig::Config;
use engine::kconfig::Value;
use engine::labs::QemuLab;
use engine::model::ConfigRecipe;
use engine::model::Strength;
use engine::origins::Network;
use engine::plan::Selection;
use engine::recipe::Execute as _;
use engine::recipe::Finished;
use engine::recipe::Job;
use engine::recipe::Neighbours;
use engine::recipe::OBJECTS;
use engine::recipe::ObjectList;
use engine::recipe::Tell;
use engine::recipe::Tools;
use engine::sandbox::Cancel;
use engine::sandbox::Sandbox;
use engine::spec::ConfigSpec;
use engine::spec::KernelSpec;
use engine::spec::Kind;
use engine::spec::Spec;
use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;
use nix::sys::time::TimeValLike as _;
use real::Real;
use store::Digest;
use store::Store;
use store::Verdict;

const BUILD: &str = "linux-6.1/x86_64/objects/gcc";
const CONFIGS: &str = r#"
import "std/kconfig" as kconfig;
fn declare(arch) {
    let small = kconfig::enable(["64BIT", "PRINTK", "BUG", "MODULES"]);
    defconfig(arch, "objects", #{ recipe: tiny(), fixups: [small, must(#{ CRC16: "m", CRC_ITU_T: "m" }), must(#{ KERNEL_XZ: "y", MODULE_COMPRESS_NONE: "y" })] });
}
"#;

/// Symbols on which so many percent of the objects depend stay as they are.
const SPARE: u32 = 10;

type Inputs = BTreeMap<Slot, Digest>;

/// One small kernel, what made its .config, and recipes that build neighbours of it, or clean.
struct Bed {
    store: Arc<Store>,
    sandbox: Sandbox,
    config: ConfigSpec,
    kernel: KernelSpec,
    /// Of the kernel.
    inputs: Inputs,
    /// Of its .config.
    config_inputs: Inputs,
    _demo: Real,
}

struct Ran {
    finished: Finished,
    notes: Vec<String>,
    cost: Cost,
}

/// What a build took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    seconds: f64,
    /// Of all processors together: other work on the machine does not change them.
    cpu_seconds: f64,
    objects: u64,
}

fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    let micros = times.map(|time| u64::try_from(time.num_microseconds()).unwrap());
    Duration::from_micros(micros.iter().sum()).as_secs_f64()
}

impl Bed {
    fn new() -> Self {
        let demo = Real::demo();
        fs::write(demo.path().join("configs.rhai"), CONFIGS).unwrap();
        let configured = demo.realize(&["--until", "config", &format!("config:{BUILD}")]);
        assert_eq!(configured.code, 0, "{}", configured.stderr);
        let store = Arc::new(Store::open(&demo.store).unwrap());
        let session = Session::open(demo.path(), Arc::clone(&store)).unwrap();
        let progress = session
            .progress(Selection::all(Some(Kind::Kernel)), false)
            .unwrap();
        let node = |kind| progress.graph().find(kind, BUILD).unwrap();
        let spec = |kind| progress.graph().node(node(kind)).spec().clone();
        let (Spec::Config(config), Spec::Kernel(mut kernel)) =
            (spec(Kind::Config), spec(Kind::Kernel))
        else {
            panic!("a config and a kernel");
        };
        // Trees of another run of this test are of another class.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        kernel
            .make
            .insert("TEST_RUN".to_owned(), now.as_nanos().to_string());
        let inputs = |kind| {
            progress
                .key_inputs(node(kind))
                .unwrap()
                .into_iter()
                .collect()
        };
        Self {
            inputs: inputs(Kind::Kernel),
            config_inputs: inputs(Kind::Config),
            sandbox: Sandbox::new(env!("CARGO_BIN_EXE_engine").into()).unwrap(),
            store,
            config,
            kernel,
            _demo: demo,
        }
    }

    fn run(&self, spec: Spec, inputs: &Inputs, neighbours: Option<Neighbours>) -> Ran {
        let tools = Tools {
            store: Arc::clone(&self.store),
            lab: Box::new(QemuLab::new(self.sandbox.clone())),
            sandbox: self.sandbox.clone(),
            lava: None,
            jobserver: None,
            neighbours,
            network: Network {
                patience: Duration::ZERO,
                offline: true,
            },
            make_jobs: 2,
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let notes = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&notes);
        let job = Job {
            name: BUILD.to_owned(),
            spec: spec.into(),
            inputs: inputs.clone(),
            log: Arc::new(
                File::options()
                    .read(true)
                    .append(true)
                    .create_new(true)
                    .open(&path)
                    .unwrap(),
            ),
            cancel: Cancel::new(),
            tell: Arc::new(move |tell| {
                if let Tell::Note(note) = tell {
                    told.lock().unwrap().push(note);
                }
            }),
        };
        let (begin, cpu) = (Instant::now(), cpu_seconds());
        let finished = tools.execute(&job).unwrap_or_else(|broken| {
            panic!(
                "{}\n{}",
                broken.message(),
                fs::read_to_string(&path).unwrap_or_default()
            )
        });
        let notes = notes.lock().unwrap().clone();
        let facts: serde_json::Value = serde_json::from_str(&finished.facts).unwrap();
        let cost = Cost {
            seconds: begin.elapsed().as_secs_f64(),
            cpu_seconds: cpu_seconds() - cpu,
            objects: facts["objects"].as_u64().unwrap_or_default(),
        };
        Ran {
            finished,
            notes,
            cost,
        }
    }

    fn kernel(&self, config: Digest, neighbours: bool) -> Ran {
        let mut inputs = self.inputs.clone();
        inputs.insert(Slot::Config, config);
        let neighbours = neighbours.then(Neighbours::default);
        self.run(Spec::Kernel(self.kernel.clone()), &inputs, neighbours)
    }

    /// The kernel of the bed itself, which is kept.
    fn parent(&self) -> (ObjectList, Digest) {
        let parent = self.kernel(self.inputs[&Slot::Config], true);
        assert_eq!(
            parent.finished.verdict,
            Verdict::Succeeded,
            "{}",
            parent.finished.message
        );
        assert_eq!(parent.finished.message, "");
        assert!(parent.notes.is_empty(), "{:?}", parent.notes);
        let objects = parent.finished.outputs[OBJECTS];
        println!("parent {:?}", parent.cost);
        let json = self.store.read(&objects).unwrap();
        (ObjectList::parse(&json).unwrap(), objects)
    }

    /// The .config of a mutant of the bed's, with more fixups.
    fn mutant(&self, seed: u32, share: u32, objects: Digest, fixups: &[(&str, Value)]) -> Digest {
        let mut spec = self.config.clone();
        spec.recipe = ConfigRecipe::Mutant {
            seed,
            share,
            spare: SPARE,
        };
        let fixups = fixups.iter();
        spec.fixups.extend(
            fixups.map(|(symbol, value)| ((*symbol).to_owned(), (Strength::Must, value.clone()))),
        );
        let mut inputs = self.config_inputs.clone();
        inputs.insert(Slot::Parent, self.inputs[&Slot::Config]);
        inputs.insert(Slot::Objects, objects);
        let ran = self.run(Spec::Config(spec), &inputs, None);
        assert_eq!(
            ran.finished.verdict,
            Verdict::Succeeded,
            "{}",
            ran.finished.message
        );
        ran.finished.outputs["config"]
    }

    /// How many switches differ between two .configs, and how many the bed's has.
    fn differing(&self, config: Digest) -> (usize, usize) {
        let (parent, child) = (self.parsed(self.inputs[&Slot::Config]), self.parsed(config));
        let switches = |config: &Config| -> BTreeMap<String, Value> {
            let switch = |value: &Value| matches!(value, Value::Yes | Value::Module | Value::No);
            let switches = config.iter().filter(|(_, value)| switch(value));
            let owned = switches.map(|(symbol, value)| (symbol.to_owned(), value.clone()));
            owned.collect()
        };
        let (parent, child) = (switches(&parent), switches(&child));
        let symbols: BTreeSet<_> = parent.keys().chain(child.keys()).collect();
        // What is not spoken of is off.
        let of = |config: &BTreeMap<_, _>, symbol| config.get(symbol).cloned().unwrap_or(Value::No);
        let differ = symbols
            .iter()
            .filter(|symbol| of(&parent, **symbol) != of(&child, **symbol));
        (differ.count(), parent.len())
    }

    fn parsed(&self, config: Digest) -> Config {
        let text = self.store.read(&config).unwrap();
        Config::parse(&String::from_utf8(text).unwrap()).unwrap()
    }

    /// Builds a kernel clean and from a neighbour, which must give the same; gives what both took.
    fn pair(&self, config: Digest) -> (Cost, Cost, Verdict) {
        let clean = self.kernel(config, false);
        let near = self.kernel(config, true);
        println!("{}", near.notes.join("\n"));
        assert_eq!(
            (clean.finished.verdict, &clean.finished.message),
            (near.finished.verdict, &near.finished.message)
        );
        let differ: Vec<_> = clean
            .finished
            .outputs
            .iter()
            .filter(|(name, digest)| near.finished.outputs.get(*name) != Some(digest))
            .collect();
        assert!(
            differ.is_empty(),
            "{differ:?} of {:?}",
            near.finished.outputs
        );
        assert_eq!(clean.finished.outputs.len(), near.finished.outputs.len());
        if clean.finished.verdict == Verdict::Succeeded {
            for name in ["vmlinux", "image", "modules.tar", OBJECTS] {
                assert!(clean.finished.outputs.contains_key(name), "{name}");
            }
        }
        (clean.cost, near.cost, clean.finished.verdict)
    }
}

#[test]
fn a_neighbour_build_is_a_clean_one() {
    let bed = Bed::new();
    let (objects, list) = bed.parent();
    for object in [
        "init/main.o",
        "lib/argv_split.o",
        "lib/crc16.o",
        "kernel/fork.o",
    ] {
        assert!(objects.objects.contains(object), "{object}");
    }
    assert!(
        !objects
            .objects
            .iter()
            .any(|object| object.starts_with("scripts/"))
    );
    assert_eq!(
        objects.dependents("CC_OPTIMIZE_FOR_SIZE"),
        objects.objects.len()
    );
    assert!(objects.dependents("MODULES") > 100);
    let mutant = |fixups| bed.mutant(1, 300, list, fixups);
    // A module of the parent's is none of the child's.
    let config = mutant(&[("CRC16", Value::No)]);
    let (clean, near, verdict) = bed.pair(config);
    assert_eq!(verdict, Verdict::Succeeded);
    assert!(near.objects > 0, "{near:?}");
    assert!(near.objects < clean.objects / 2, "{near:?} of {clean:?}");

    // What fails is built clean before it counts.
    let config = mutant(&[
        ("BLK_DEV_INITRD", Value::Yes),
        ("INITRAMFS_SOURCE", Value::Text("/nowhere".to_owned())),
    ]);
    let failed = bed.kernel(config, true);
    assert_eq!(failed.finished.verdict, Verdict::Failed);
    let lines = failed.notes;
    assert!(
        lines[0].starts_with(&format!("starts from {BUILD}, ")),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("is built again, clean, as only that counts: "),
        "{lines:?}"
    );
    let facts: serde_json::Value = serde_json::from_str(&failed.finished.facts).unwrap();
    assert_eq!(facts["start"]["failed"], failed.finished.message);
}

/// `make test-explore-all` prints the lines.
#[test]
#[ignore = "builds more than twenty kernels"]
fn ten_mutants_are_the_same_bytes() {
    let bed = Bed::new();
    let (objects, list) = bed.parent();
    println!("objects={}", objects.objects.len());
    let mut ratios = Vec::new();
    for seed in 1..=10 {
        let share = if seed <= 2 { 300 } else { 6000 };
        let config = bed.mutant(seed, share, list, &[]);
        let (differ, all) = bed.differing(config);
        let (clean, near, verdict) = bed.pair(config);
        let ratio = near.cpu_seconds / clean.cpu_seconds;
        println!(
            "pair seed={seed} share={share} differ={differ} of={all} objects={}/{} cpu_s={:.0}/{:.0} s={:.0}/{:.0} ratio={ratio:.2} {verdict:?} equal=yes",
            near.objects,
            clean.objects,
            near.cpu_seconds,
            clean.cpu_seconds,
            near.seconds,
            clean.seconds
        );
        // What fails was built clean too.
        ratios.extend((verdict == Verdict::Succeeded).then_some(ratio));
    }
    let count = u32::try_from(ratios.len()).unwrap();
    let mean = ratios.iter().sum::<f64>() / f64::from(count);
    let best = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    println!("pairs={count} best={best:.2} mean={mean:.2}");
}
