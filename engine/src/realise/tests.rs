//! The scheduler against recipes that only pretend: early cutoff, sharing, skips, reruns.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use store::Algorithm;
use store::Checksum;
use store::Store;
use store::Verdict;

use super::*;
use crate::graph::Declared;
use crate::graph::Matched;
use crate::graph::Place;
use crate::graph::Slot;
use crate::graph::Worker;
use crate::graph::World;
use crate::kconfig::Predicate;
use crate::kconfig::Value;
use crate::kconfig::Version;
use crate::kconfig::Versions;
use crate::lock::Lock;
use crate::lock::Pin;
use crate::lock::PinnedFile;
use crate::model::*;
use crate::origins::requests;
use crate::plan::Matching;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::recipe::Broken;
use crate::recipe::Execute;
use crate::recipe::Finished;
use crate::recipe::Job;
use crate::recipe::Takes;
use crate::spec::Kind;
use crate::spec::Spec;

/// Gives outputs that depend on inputs and name, as told by `rules`. Recipes do not know their node's name; of one node
/// at a time the observer does.
struct Pretend {
    store: Arc<Store>,
    started: Arc<Started>,
    /// Full node name to what it does instead of succeeding with its own name as content.
    rules: BTreeMap<String, Rule>,
}

/// The names of the nodes that were started.
#[derive(Default)]
struct Started(Mutex<Vec<String>>);

impl Observer for Started {
    fn event(&self, event: Event<'_>) {
        if let Event::NodeStarted { kind, name, .. } = event {
            self.0.lock().unwrap().push(format!("{kind}:{name}"));
        }
    }
}

#[derive(Clone)]
enum Rule {
    Gives(&'static str),
    Fails,
    Breaks,
}

impl Execute for Pretend {
    fn takes(&self, _: &Spec) -> Takes {
        Takes {
            cpus: 1,
            ..Takes::default()
        }
    }

    fn execute(&self, job: &Job) -> Result<Finished, Broken> {
        let full = self.started.0.lock().unwrap().last().unwrap().clone();
        let kind = job.spec.kind();
        assert!(full.starts_with(kind.word()));
        let content = match self.rules.get(&full) {
            Some(Rule::Fails) => {
                return Ok(Finished::failure(
                    "it failed".into(),
                    BTreeMap::new(),
                    String::new(),
                ));
            }
            Some(Rule::Breaks) => return Err(Broken::Infrastructure("no disk".into())),
            Some(Rule::Gives(content)) => (*content).to_owned(),
            None => full,
        };
        let output = match kind {
            Kind::Fetch => "files",
            Kind::Source | Kind::Base | Kind::Image | Kind::Kconfig => "tar",
            Kind::Config => "config",
            Kind::Kernel => "image",
            Kind::Rootfs => "initrd",
            Kind::Probe | Kind::Match | Kind::Boot => "answer",
        };
        let facts = serde_json::json!(Matched {
            boards: vec!["board".into()]
        })
        .to_string();
        assert!(kind != Kind::Kernel || job.inputs.contains_key(&Slot::Config));
        let digest = self.store.put_bytes(content.as_bytes()).unwrap();
        Ok(Finished::success(
            BTreeMap::from([(output.to_owned(), digest)]),
            facts,
        ))
    }
}

fn text(text: &str) -> ProjectFile {
    ProjectFile {
        path: "x.c".into(),
        text: text.into(),
        latin1: false,
    }
}

#[expect(clippy::too_many_lines, reason = "one of every noun")]
fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let name = |name: &str| name.to_owned();
    let origin = SourceOrigin::Debian {
        package: name("linux"),
        suite: name("bookworm"),
    };
    let source = Source {
        name: name("linux"),
        origin,
        version: None,
        patches: vec![],
    };
    catalog.sources.insert(name("linux"), source);
    let origin = BaseOrigin::Debian {
        suite: name("bookworm"),
        arch: name("amd64"),
        packages: vec![],
    };
    catalog.bases.insert(
        name("base"),
        Base {
            name: name("base"),
            origin,
        },
    );
    let image = Image {
        name: name("image"),
        base: name("base"),
        packages: vec![],
    };
    catalog.images.insert(name("image"), image);
    let toolchain = Toolchain {
        name: name("gcc"),
        kind: ToolchainKind::Gcc,
        image: name("image"),
        make: BTreeMap::new(),
        manual: false,
        accelerate: None,
    };
    catalog.toolchains.insert(name("gcc"), toolchain);
    let arch = Arch {
        name: name("x86"),
        kernel_arch: name("x86"),
        kernel_image: name("bzImage").into(),
        signing_key: None,
        make_targets: vec![name("bzImage")].into(),
        toolchains: vec![name("gcc")],
        sources: vec![],
        not_bootable: None,
    };
    catalog.arches.insert(name("x86"), arch);
    for defconfig in ["one", "two"] {
        let defconfig = Defconfig {
            packages: BTreeMap::new(),
            arch: name("x86"),
            name: name(defconfig),
            recipe: ConfigRecipe::Defconfig {
                target: name(defconfig),
            }
            .into(),
            fixups: vec![],
            toolchains: vec![],
            manual: false,
        };
        catalog
            .defconfigs
            .insert((name("x86"), defconfig.name.clone()), defconfig);
    }
    let machine = QemuMachine {
        binary: name("qemu"),
        machine: vec![name("pc")],
        cpu: String::new(),
        memory_mb: 64,
        console: name("ttyS0"),
        dtb: String::new(),
        disk: None,
        nic: String::new(),
        args: vec![],
        cmdline: String::new(),
    };
    let board = Board {
        name: name("board"),
        requires: Predicate::All(vec![]),
        rootfs: name("rootfs"),
        suites: vec![name("general"), name("panic")],
        qemu: Some(machine),
        qemu_image: None,
        accel: Accel::Tcg,
        lava: None,
    };
    catalog.boards.insert(name("board"), board);
    let rootfs = Rootfs {
        name: name("rootfs"),
        toolchain: name("gcc"),
        abi: Abi::X86_64,
        init: text("init"),
        libc: None,
        format: RootfsFormat::Initramfs,
        shell: None,
    };
    catalog.rootfses.insert(name("rootfs"), rootfs);
    for (suite, manual) in [("general", false), ("panic", true)] {
        let program = text(suite);
        let suite = Suite {
            name: name(suite),
            program: Some(program),
            definitions: Vec::new(),
            manual,
            silence_secs: 60,
            total_secs: 150,
            judging: crate::model::Judging::default(),
        };
        catalog.suites.insert(suite.name.clone(), suite);
    }
    catalog
}

fn lock(catalog: &Catalog) -> Lock {
    let pins = requests(catalog).into_iter().map(|(name, request)| {
        let file = PinnedFile {
            package: "p".into(),
            version: "1".into(),
            size: 1,
            checksums: vec![Checksum::new(Algorithm::Sha256, &"0".repeat(64)).unwrap()],
            url: format!("http://mirror/{name}.deb"),
        };
        (
            name.clone(),
            Pin {
                name,
                request,
                signer: None,
                keys: None,
                commit: None,
                files: vec![file],
            },
        )
    });
    Lock {
        pins: pins.collect(),
    }
}

fn declared(catalog: &Catalog) -> Declared {
    let lock = lock(catalog);
    let worker = Worker {
        uid: 1000,
        gid: 1000,
        ..Worker::default()
    };
    let world = World {
        catalog,
        lock: &lock,
        worker: &worker,
    };
    Declared::new(&world).unwrap()
}

/// Realises and gives `verdict node` lines for what was wanted, and what ran.
fn run(dir: &Path, catalog: &Catalog, rules: &[(&str, Rule)], change: &dyn Fn(&mut Call)) -> Ran {
    let mut call = Call {
        patterns: vec![],
        keep_going: true,
        retry_failed: false,
        rebuild: false,
    };
    change(&mut call);
    let store = Arc::new(Store::open(dir).unwrap());
    let declared = declared(catalog);
    let records = store.load_records().unwrap();
    let selection = Selection::of(&call.patterns, None).unwrap();
    let matching = Matching {
        boots: &declared.boots,
        selection: selection.clone(),
        catalog,
        place: Place::Usual,
    };
    let mut progress = Progress::new(
        declared.graph.clone(),
        &|node| selection.wants(node, catalog),
        Box::new(matching),
        &records,
        call.retry_failed,
    )
    .unwrap();
    if call.rebuild {
        let named: Vec<_> = progress
            .wanted()
            .filter(|id| selection.wants(progress.graph().node(*id), catalog))
            .collect();
        progress.force(named);
    }
    let started = Arc::new(Started::default());
    let recipes: Arc<dyn Execute> = Arc::new(Pretend {
        store: Arc::clone(&store),
        started: Arc::clone(&started),
        rules: rules
            .iter()
            .map(|(name, rule)| ((*name).to_owned(), rule.clone()))
            .collect(),
    });
    let options = Options {
        jobs: 1,
        memory_mib: u64::MAX,
        keep_going: call.keep_going,
        jobserver: None,
        estimate: &|_| Estimate::default(),
    };
    let report = realise(&mut progress, &store, &recipes, &options, &*started, None).unwrap();
    let mut ran = started.0.lock().unwrap().clone();
    ran.sort();
    let line = |node: &NodeReport| {
        let reason = if node.reason.is_empty() {
            String::new()
        } else {
            format!(" ({})", node.reason)
        };
        format!(
            "{:?}{} {}:{}{reason}",
            node.verdict,
            if node.cached { "*" } else { "" },
            node.kind,
            node.name
        )
    };
    Ran {
        ran,
        lines: report.nodes.iter().map(line).collect(),
    }
}

struct Call {
    patterns: Vec<String>,
    keep_going: bool,
    retry_failed: bool,
    rebuild: bool,
}

struct Ran {
    ran: Vec<String>,
    lines: Vec<String>,
}

const SAME: [(&str, Rule); 2] = [
    ("config:linux/x86/one/gcc", Rule::Gives("config")),
    ("config:linux/x86/two/gcc", Rule::Gives("config")),
];

#[test]
fn equal_configs_share_kernel_match_and_boot() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &catalog(), &SAME, &|_| ());
    let count = |prefix: &str| {
        ran.ran
            .iter()
            .filter(|name| name.starts_with(prefix))
            .count()
    };
    assert_eq!(
        (
            count("config:"),
            count("kernel:"),
            count("match:"),
            count("boot:")
        ),
        (2, 1, 1, 1)
    );
    assert!(
        ran.lines.iter().all(|line| line.starts_with("Succeeded")),
        "{:#?}",
        ran.lines
    );
    assert!(
        ran.lines
            .iter()
            .any(|line| line.ends_with("boot:linux/x86/two/gcc/board/general"))
    );
    assert!(
        !ran.lines.iter().any(|line| line.ends_with("/panic")),
        "manual suites stay out"
    );
}

#[test]
fn a_second_run_does_nothing_and_an_edit_runs_only_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalog = catalog();
    let toolchain = Toolchain {
        image: "a-later-image".into(),
        ..catalog.toolchains["gcc"].clone()
    };
    catalog.rootfses.get_mut("rootfs").unwrap().toolchain = "rootfs-gcc".into();
    catalog.toolchains.insert("rootfs-gcc".into(), toolchain);
    let image = Image {
        name: "a-later-image".into(),
        ..catalog.images["image"].clone()
    };
    catalog.images.insert(image.name.clone(), image);
    let first = run(dir.path(), &catalog, &[], &|_| ());
    let again = run(dir.path(), &catalog, &[], &|_| ());
    assert_eq!(again.ran, Vec::<String>::new());
    assert_eq!(again.lines.len(), first.lines.len());
    assert!(
        again
            .lines
            .iter()
            .all(|line| line.starts_with("Succeeded*")),
        "{:#?}",
        again.lines
    );
    let key = ("x86".to_owned(), "one".to_owned());
    catalog.defconfigs.get_mut(&key).unwrap().recipe = ConfigRecipe::Tiny.into();
    // The same bytes come out: early cutoff after the config.
    assert_eq!(
        run(dir.path(), &catalog, &[], &|_| ()).ran,
        ["config:linux/x86/one/gcc"]
    );
    catalog.defconfigs.get_mut(&key).unwrap().recipe = ConfigRecipe::Randconfig {
        seed: 1,
        probability: String::new(),
    }
    .into();
    let rules = [
        ("config:linux/x86/one/gcc", Rule::Gives("other")),
        ("kernel:linux/x86/one/gcc", Rule::Gives("other image")),
    ];
    insta::assert_debug_snapshot!(run(dir.path(), &catalog, &rules, &|_| ()).ran, @r#"
    [
        "boot:linux/x86/one/gcc/board/general",
        "config:linux/x86/one/gcc",
        "kernel:linux/x86/one/gcc",
        "match:linux/x86/one/gcc",
    ]
    "#);
}

#[test]
fn a_board_edit_matches_again_and_builds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalog = catalog();
    run(dir.path(), &catalog, &SAME, &|_| ());
    let board = catalog.boards.get_mut("board").unwrap();
    board.requires = Predicate::BuiltIn("PCI".into());
    assert_eq!(
        run(dir.path(), &catalog, &SAME, &|_| ()).ran,
        ["match:linux/x86/one/gcc"]
    );
}

/// The boot is asked for all the same, and says itself what it misses.
#[test]
fn a_build_without_device_trees_is_booted() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalog = catalog();
    let board = catalog.boards.get_mut("board").unwrap();
    board.qemu.as_mut().unwrap().dtb = "a.dtb".into();
    let ran = run(dir.path(), &catalog, &SAME, &|_| ()).ran;
    assert!(ran.iter().any(|name| name.starts_with("boot:")), "{ran:?}");
}

#[test]
fn an_image_with_the_same_bytes_rebuilds_no_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalog = catalog();
    let rules = [("image:image", Rule::Gives("the same image"))];
    run(dir.path(), &catalog, &rules, &|_| ());
    catalog.images.get_mut("image").unwrap().packages = vec!["bc".into()];
    assert_eq!(
        run(dir.path(), &catalog, &rules, &|_| ()).ran,
        ["image:image"]
    );
}

#[test]
fn failures_are_recorded_and_breakage_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let rules = [
        ("kernel:linux/x86/one/gcc", Rule::Fails),
        ("kernel:linux/x86/two/gcc", Rule::Breaks),
    ];
    let first = run(dir.path(), &catalog(), &rules, &|_| ());
    let mut told: Vec<&String> = first
        .lines
        .iter()
        .filter(|line| line.contains("kernel:") || line.contains("boot:"))
        .collect();
    told.sort();
    insta::assert_debug_snapshot!(told, @r#"
    [
        "Broken kernel:linux/x86/two/gcc (no disk)",
        "Failed kernel:linux/x86/one/gcc (it failed)",
        "Skipped boot:linux/x86/one/gcc/board/general (`kernel:linux/x86/one/gcc` failed)",
        "Skipped boot:linux/x86/two/gcc/board/general (`kernel:linux/x86/two/gcc` is broken)",
    ]
    "#);
    let kernels = |ran: Ran| {
        ran.ran
            .into_iter()
            .filter(|n| n.starts_with("kernel"))
            .collect::<Vec<_>>()
    };
    let again = run(dir.path(), &catalog(), &[], &|_| ());
    assert_eq!(kernels(again), ["kernel:linux/x86/two/gcc"]);
    let retried = run(dir.path(), &catalog(), &[], &|call| {
        call.retry_failed = true;
    });
    assert_eq!(kernels(retried), ["kernel:linux/x86/one/gcc"]);
}

#[test]
fn a_rebuild_compares_bytes_and_keeps_the_record() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &catalog(), &[], &|_| ());
    let rebuild = |rules: &[(&str, Rule)]| {
        run(dir.path(), &catalog(), rules, &|call| {
            call.rebuild = true;
            call.patterns = vec!["kernel:linux/x86/one/gcc".into()];
        })
    };
    let same = rebuild(&[]);
    assert_eq!(same.ran, ["kernel:linux/x86/one/gcc"]);
    assert_eq!(
        same.lines.last().unwrap(),
        "Succeeded kernel:linux/x86/one/gcc"
    );
    let other = rebuild(&[("kernel:linux/x86/one/gcc", Rule::Gives("other"))]);
    insta::assert_snapshot!(
        other.lines.last().unwrap(),
        @"Failed kernel:linux/x86/one/gcc (built again, it gives other bytes: image)"
    );
    assert_eq!(
        run(dir.path(), &catalog(), &[], &|_| ()).ran,
        Vec::<String>::new()
    );
}

#[test]
fn the_specs_of_config_and_kernel_stay_as_they_are() {
    let mut catalog = catalog();
    let key = ("x86".to_owned(), "one".to_owned());
    catalog.defconfigs.get_mut(&key).unwrap().fixups = vec![smp(Versions::default())];
    let graph = declared(&catalog).graph;
    // Kernels in stores everywhere are found by these very bytes.
    let of = |kind| {
        let id = graph.find(kind, "linux/x86/one/gcc").unwrap();
        graph.node(id).spec().canonical().to_string()
    };
    insta::assert_snapshot!(of(Kind::Config), @r#"{"accelerate":null,"fixups":{"SMP":["must","y"]},"kernel_arch":"x86","make":{},"recipe":{"Defconfig":{"target":"one"}}}"#);
    insta::assert_snapshot!(of(Kind::Kernel), @r#"{"accelerate":null,"image":"bzImage","kernel_arch":"x86","make":{},"signing_key":null,"targets":["bzImage"]}"#);
}

fn smp(versions: Versions) -> Fixup {
    Fixup {
        strength: Strength::Must,
        versions,
        symbols: BTreeMap::from([("SMP".to_owned(), Value::Yes)]),
    }
}

#[test]
fn what_is_for_another_kernel_version_changes_no_key() {
    let version = |text: &str| text.parse::<Version>().unwrap();
    let mut catalog = catalog();
    catalog.sources.get_mut("linux").unwrap().version = Some(version("6.1"));
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &catalog, &SAME, &|_| ());
    let cases = [("0", "bzImage"), ("6.5", "vmlinuz.efi")];
    let cases = cases.map(|(since, image)| (version(since), image.to_owned()));
    let arch = catalog.arches.get_mut("x86").unwrap();
    arch.kernel_image = ByVersion::new(cases.into()).unwrap();
    let key = ("x86".to_owned(), "one".to_owned());
    for (since, ran) in [("6.4", &[][..]), ("6.0", &["config:linux/x86/one/gcc"])] {
        let fixup = smp(Versions {
            since: Some(version(since)),
            before: Some(version("6.8")),
        });
        catalog.defconfigs.get_mut(&key).unwrap().fixups = vec![fixup];
        assert_eq!(run(dir.path(), &catalog, &SAME, &|_| ()).ran, ran);
    }
}

#[test]
fn a_manual_build_runs_when_it_is_named() {
    let mut catalog = catalog();
    let key = ("x86".to_owned(), "two".to_owned());
    catalog.defconfigs.get_mut(&key).unwrap().manual = true;
    let ran = |pattern: Option<&str>| {
        let dir = tempfile::tempdir().unwrap();
        let patterns: Vec<String> = pattern.into_iter().map(str::to_owned).collect();
        let ran = run(dir.path(), &catalog, &[], &|call| {
            call.patterns.clone_from(&patterns);
        });
        ran.ran.iter().filter(|name| name.contains("/two/")).count()
    };
    assert_eq!(ran(None), 0);
    assert_eq!(ran(Some("linux/x86")), 0);
    assert_eq!(ran(Some("linux/*/t*/gcc")), 0);
    assert_eq!(ran(Some("kernel:**")), 0);
    assert_eq!(ran(Some("**/general")), 0);
    assert!(ran(Some("linux/*/two")) > 0);
    assert!(ran(Some("**/two/**/general")) > 0);
}

#[test]
fn a_manual_suite_runs_when_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &catalog(), &SAME, &|call| {
        call.patterns = vec!["linux/*/one/gcc/board/panic".into()];
    });
    let boots: Vec<&String> = ran
        .ran
        .iter()
        .filter(|name| name.starts_with("boot"))
        .collect();
    assert_eq!(boots, ["boot:linux/x86/one/gcc/board/panic"]);
    assert!(!ran.ran.iter().any(|name| name.contains("/two/")));
}

#[test]
fn a_failure_stops_the_rest_unless_told_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let rules = [
        ("fetch:source/linux", Rule::Fails),
        ("fetch:base/base", Rule::Fails),
    ];
    let ran = run(dir.path(), &catalog(), &rules, &|call| {
        call.keep_going = false;
    });
    assert!(!ran.ran.contains(&"image:image".to_owned()));
    assert!(
        ran.lines
            .iter()
            .any(|line| line.contains("Skipped") && line.contains("--keep-going")),
        "{:#?}",
        ran.lines
    );
    let record = Store::open(dir.path()).unwrap().load_records().unwrap();
    assert!(
        record
            .iter()
            .any(|record| record.verdict() == Verdict::Failed)
    );
}
