//! A made-up project with a store in which the real scheduler has recorded every node.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use engine::drive::Session;
use engine::eval::evaluate;
use engine::graph::Graph;
use engine::graph::Matched;
use engine::graph::Slot;
use engine::graph::key;
use engine::lock::LOCK_FILE;
use engine::lock::Lock;
use engine::lock::Pin;
use engine::lock::PinnedFile;
use engine::origins::requests;
use engine::plan::Selection;
use engine::realise::Estimate;
use engine::realise::Event;
use engine::realise::Observer;
use engine::realise::Options;
use engine::realise::realise;
use engine::recipe::Broken;
use engine::recipe::Execute;
use engine::recipe::Finished;
use engine::recipe::Job;
use engine::recipe::Takes;
use engine::spec::Kind;
use engine::spec::Spec;
use store::Algorithm;
use store::Checksum;
use store::Digest;
use store::Store;

use super::Done;
use super::measure::Cost;
use super::measure::best;

const ARCHES: usize = 8;
const TOOLCHAINS: usize = 3;
const BOARDS: usize = 37;
/// Boots of each build; with config, kernel and match a build has six nodes.
const BOOTS: usize = 3;

const SOURCE: &str = r#"
import "std/debian" as debian;
source("linux", debian::linux("6.1", "bookworm"));
const BASE = base("bookworm", debian::kbuild("bookworm", "amd64"));
let toolchains = [];
for i in 0..TOOLCHAINS {
    let image = image("image-" + i, #{ base: BASE, packages: ["package-" + i] });
    toolchains.push(toolchain("gcc-" + i, #{ kind: "gcc", image: image }));
}
const ROOTFS = rootfs("initramfs", #{ toolchain: toolchains[0] });
const SUITE = suite("general", #{ program: file("suite.c") });
for i in 0..BOARDS {
    board("board-" + i, #{ requires: cfg("BOARD_" + i), rootfs: ROOTFS, suites: [SUITE],
        qemu: #{ binary: "qemu-system-x86_64", machine: "pc", memory_mb: 512, console: "ttyS0" } });
}
for a in 0..ARCHES {
    let arch = arch("arch-" + a, #{ kernel_arch: "x86_64", kernel_image: "arch/x86/boot/bzImage",
        toolchains: toolchains });
    for d in 0..DEFCONFIGS { defconfig(arch, "config-" + d, #{ recipe: tiny() }); }
}
lab("local", #{ qemu: #{} });
"#;

/// Makes `DIR/project` and `DIR/store` with about `size` nodes; gives their number and the graph.
pub fn make(dir: &Path, size: usize) -> Done<(usize, Graph)> {
    let project = dir.join("project");
    fs::create_dir_all(&project)?;
    let step = ARCHES * TOOLCHAINS * (3 + BOOTS);
    let defconfigs = ((size + step / 2) / step).max(1);
    let mut text = SOURCE.to_owned();
    for (name, number) in [
        ("DEFCONFIGS", defconfigs),
        ("ARCHES", ARCHES),
        ("TOOLCHAINS", TOOLCHAINS),
        ("BOARDS", BOARDS),
    ] {
        text = text.replace(name, &number.to_string());
    }
    fs::write(project.join("main.rhai"), text)?;
    fs::write(project.join("suite.c"), "int main(void) { return 0; }\n")?;
    let evaluated = evaluate(&project).map_err(|found| found[0].to_plain())?;
    let mut lock = Lock::default();
    for (name, request) in requests(&evaluated.catalog) {
        let files = vec![PinnedFile {
            package: name.replace('/', "-"),
            version: "1".to_owned(),
            size: 1,
            checksums: vec![Checksum::new(Algorithm::Sha256, &"0".repeat(64))?],
            url: format!("http://mirror.invalid/{name}.deb"),
        }];
        lock.pins.insert(
            name.clone(),
            Pin {
                name,
                request,
                signer: None,
                keys: None,
                commit: None,
                files,
            },
        );
    }
    fs::write(project.join(LOCK_FILE), lock.to_text())?;

    // Only the engine's own program can ask QEMU for its version; the store keeps the answer.
    let planned = Command::new(env!("CARGO_BIN_EXE_engine"))
        .current_dir(dir)
        .args(["--project", "project", "--store", "store", "plan"])
        .output()?;
    if !planned.status.success() {
        return Err(String::from_utf8_lossy(&planned.stderr).into());
    }
    let store = Arc::new(Store::open(&dir.join("store"))?);
    let session = Session::open(&project, Arc::clone(&store))?;
    let mut progress = session.progress(Selection::all(None), false)?;
    let recipes: Arc<dyn Execute> = Arc::new(Trivial {
        store: Arc::clone(&store),
    });
    let options = Options {
        jobs: 8,
        memory_mib: u64::MAX,
        keep_going: false,
        jobserver: None,
        estimate: &|_| Estimate::default(),
    };
    let report = realise(&mut progress, &store, &recipes, &options, &Silent, None)?;
    if let Some(bad) = report.nodes.iter().find(|node| !node.reason.is_empty()) {
        return Err(format!("{}:{}: {}", bad.kind, bad.name, bad.reason).into());
    }
    Ok((report.nodes.len(), progress.graph().clone()))
}

/// Measures the real program on it, after one run that settles history and links.
pub fn noop(dir: &Path, nodes: usize) -> Done<Cost> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
    command
        .current_dir(dir)
        .args(["--project", "project", "--store", "store", "realize"]);
    for _ in 0..2 {
        let output = command.output()?;
        let said = String::from_utf8(output.stderr)?;
        if !output.status.success() || said.trim() != format!("nothing to do: {nodes} nodes fresh")
        {
            return Err(
                format!("{command:?} ended with {} and said: {said}", output.status).into(),
            );
        }
    }
    command.arg("--quiet");
    best(&command)
}

/// Gives every node outputs of its own at once.
struct Trivial {
    store: Arc<Store>,
}

impl Execute for Trivial {
    fn execute(&self, job: &Job) -> Result<Finished, Broken> {
        let mut inputs: Vec<_> = job.inputs.clone().into_iter().collect();
        let kind = job.spec.kind();
        let own = self.store.put_bytes(&key(&job.spec, &mut inputs).0)?;
        let shared = self.store.put_bytes(b"shared")?;
        let (main, others): (&str, &[&str]) = match kind {
            Kind::Fetch => ("files", &[]),
            Kind::Source | Kind::Base | Kind::Image | Kind::Kconfig => ("tar", &[]),
            Kind::Config => ("config", &["fixups.json"]),
            Kind::Kernel => (
                "image",
                &["vmlinux", "System.map", "modules.tar", "metadata.json"],
            ),
            Kind::Match => ("reasons", &[]),
            Kind::Rootfs => ("initrd", &[]),
            Kind::Probe => ("answer", &[]),
            Kind::Boot => ("console.log", &["results.json"]),
        };
        let mut outputs = BTreeMap::from([(main.to_owned(), own)]);
        outputs.extend(others.iter().map(|name| ((*name).to_owned(), shared)));
        let facts = if kind == Kind::Match {
            matched(&job.inputs[&Slot::Config])?
        } else {
            String::new()
        };
        Ok(Finished::success(outputs, facts))
    }

    fn takes(&self, _: &Spec) -> Takes {
        Takes {
            cpus: 1,
            ..Takes::default()
        }
    }
}

/// Boards that differ from build to build.
fn matched(config: &Digest) -> Result<String, Broken> {
    let first = config.to_string();
    let first = usize::from_str_radix(&first[..4], 16).unwrap_or_default();
    let mut boards: Vec<String> = (0..BOOTS)
        .map(|step| format!("board-{}", (first + step) % BOARDS))
        .collect();
    boards.sort();
    serde_json::to_string(&Matched { boards })
        .map_err(|error| Broken::Infrastructure(error.to_string()))
}

/// Hears nothing.
struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}
