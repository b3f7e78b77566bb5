//! What a sandbox costs: part of a kernel built in it beside bare make, the time to a first command,
//! and a foreign kernel by its own gcc, emulated and accelerated.
//!
//! Works on the store of the demo (`$ENGINE_STORE`, else the default one), so run `make demo` first.
//! Bare make uses the host's compiler, which must be the image's own for the numbers to mean anything.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "what a benchmark measures is its output"
)]

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::fs::File;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio as ProcessStdio;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use std::time::Instant;

use engine::drive::Session;
use engine::kconfig::Config;
use engine::origins::Network;
use engine::recipe::Tools;
use engine::sandbox::Bind;
use engine::sandbox::Cancel;
use engine::sandbox::Exit;
use engine::sandbox::Limits;
use engine::sandbox::Root;
use engine::sandbox::Spec;
use engine::sandbox::Stdio;
use engine::sandbox::User;
use store::Store;
use store::Unpacked;

type Done<T = ()> = Result<T, Box<dyn Error>>;

const BUILD: &str = "linux-6.1/x86_64/tinyconfig/gcc";
const NETWORK: Network = Network {
    patience: Duration::from_mins(1),
    offline: false,
};
const SUBSET: [&str; 1] = ["kernel/"];
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Builds of each kind, in turns; the first pair fills caches and is not counted.
const ROUNDS: usize = 3;
const STARTS: usize = 21;

fn main() -> ExitCode {
    // The recipes start this program again as the sandbox's helper.
    if env::args()
        .nth(1)
        .is_some_and(|argument| argument == "sandbox-init")
    {
        return engine::sandbox::init_main();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The demo's results that the measurements work on.
struct World {
    tools: Tools,
    image: Unpacked,
    source: Unpacked,
    config: Vec<u8>,
}

fn run() -> Done {
    let store = store().filter(|root| root.join("format").is_file());
    let world = store.as_deref().map(World::open).transpose()?.flatten();
    let (Some(world), Some(store)) = (world, store) else {
        println!("kernel_subset skipped=needs-make-demo");
        println!("image_ready skipped=needs-make-demo");
        println!("foreign_subset skipped=needs-make-demo");
        return Ok(());
    };
    let mut starts: Vec<f64> = Vec::new();
    for _ in 0..STARTS {
        let build = world.tools.store.work_dir("bench")?;
        starts.push(world.inside(build.path(), &["/bin/true"])?.as_secs_f64() * 1000.0);
    }
    starts.sort_by(f64::total_cmp);
    println!(
        "image_ready image_ready_ms={:.1} best_ms={:.1}",
        starts[STARTS / 2],
        starts[0]
    );

    subset(&world)?;
    foreign(&store)
}

/// The store of the demo.
fn store() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache/engine"));
    env::var_os("ENGINE_STORE").map(PathBuf::from).or_else(home)
}

fn subset(world: &World) -> Done {
    let (ours, theirs) = (host_compiler()?, world.compiler()?);
    if ours != theirs {
        println!("kernel_subset skipped=host-compiler-differs host={ours:?} image={theirs:?}");
        return Ok(());
    }
    let (mut boxed, mut bare) = (f64::INFINITY, f64::INFINITY);
    for round in 0..ROUNDS {
        let now = [world.subset(true)?, world.subset(false)?];
        if round > 0 {
            boxed = boxed.min(now[0].as_secs_f64());
            bare = bare.min(now[1].as_secs_f64());
        }
    }
    println!(
        "kernel_subset sandbox_s={boxed:.2} bare_s={bare:.2} ratio={:.3}",
        boxed / bare
    );
    Ok(())
}

/// Two parts of an arm64 kernel, and what each build does before, by arm64's own gcc emulated, by
/// the same accelerated, and by a cross gcc.
const FOREIGN: &str = r#"
import "std/debian" as debian;
const PACKAGES = ["bc", "libelf-dev", "libssl-dev"];
const ARM64 = image("arm64", #{ base: base("bookworm-arm64", debian::kbuild("bookworm", "arm64")), packages: PACKAGES });
const AMD64 = image("amd64", #{
    base: base("bookworm", debian::kbuild("bookworm", "amd64")),
    packages: PACKAGES + ["gcc-aarch64-linux-gnu"],
});
const OWN = toolchain("emulated", #{ kind: "gcc", image: ARM64 });
const CROSS = toolchain("cross", #{ kind: "cross", image: AMD64, prefix: "aarch64-linux-gnu-" });
const FAST = toolchain("accelerated", #{ kind: "gcc", image: ARM64, accelerate: CROSS });
source("linux-6.1", debian::linux("6.1", "bookworm"));
fn declare(name, targets, last, toolchains) {
    let subset = arch(name, #{ kernel_arch: "arm64", kernel_image: last, make_targets: targets, toolchains: toolchains });
    defconfig(subset, "tinyconfig", #{ recipe: tiny() });
}
declare("prepare", ["prepare"], "include/generated/asm-offsets.h", [OWN, CROSS, FAST]);
declare("subset", ["kernel/locking/", "kernel/time/"], "kernel/time/built-in.a", [OWN, CROSS, FAST]);
"#;

/// Builds all of it once more, each kernel alone; packages and images are made where missing.
fn foreign(store: &Path) -> Done {
    let project = tempfile::tempdir()?;
    fs::write(project.path().join("main.rhai"), FOREIGN)?;
    let engine = |arguments: &[&str]| -> Done<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_engine"))
            .arg("--project")
            .arg(project.path())
            .arg("--store")
            .arg(store)
            .args(arguments)
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("engine {arguments:?}: {}: {said}", output.status).into())
    };
    engine(&["update", "--if-gone"])?;
    engine(&["realize"])?;
    let mut took = BTreeMap::new();
    for build in ["prepare", "subset"] {
        for toolchain in ["emulated", "accelerated", "cross"] {
            let name = format!("kernel:linux-6.1/{build}/tinyconfig/{toolchain}");
            let events = engine(&["realize", "--json", "--rebuild", &name])?;
            let events = events
                .lines()
                .map(serde_json::from_str::<serde_json::Value>);
            for event in events {
                let event = event?;
                if event["event"] == "node_finished" && event["kind"] == "kernel" {
                    let milliseconds = event["duration_ms"].as_f64().unwrap_or(f64::NAN);
                    took.insert((build, toolchain), milliseconds / 1000.0);
                }
            }
        }
    }
    let whole = |toolchain| took[&("subset", toolchain)];
    let parts = |toolchain| whole(toolchain) - took[&("prepare", toolchain)];
    for (what, seconds) in [
        ("foreign_build", &whole as &dyn Fn(&'static str) -> f64),
        ("foreign_subset", &parts),
    ] {
        let [emulated, fast, cross] = ["emulated", "accelerated", "cross"].map(seconds);
        println!(
            "{what} emulated_s={emulated:.1} accelerated_s={fast:.1} cross_s={cross:.1} \
             emulated_ratio={:.1} accelerated_ratio={:.2}",
            emulated / cross,
            fast / cross
        );
    }
    Ok(())
}

impl World {
    fn open(store: &Path) -> Done<Option<Self>> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions/demo");
        let session = Session::open(&project, Arc::new(Store::open(store)?))?;
        let output = |node: &str, name: &str| {
            session
                .record(node)
                .ok()
                .and_then(|record| record.outputs.get(name).copied())
        };
        let (Some(image), Some(source), Some(config)) = (
            output("image:kbuild", "tar"),
            output("source:linux-6.1", "tar"),
            output(&format!("config:{BUILD}"), "config"),
        ) else {
            return Ok(None);
        };
        let tools = session.tools(jobs(), NETWORK)?;
        let image = tools.unpacked(&image, false, &Cancel::new(), &|| {})?;
        let source = tools.unpacked(&source, true, &Cancel::new(), &|| {})?;
        let config = session.store.read(&config)?;
        Ok(Some(Self {
            tools,
            image,
            source,
            config,
        }))
    }

    fn compiler(&self) -> Done<String> {
        let config = Config::parse(&String::from_utf8(self.config.clone())?)?;
        Ok(config.cc_version_text().unwrap_or_default().to_owned())
    }

    /// Builds the subset from nothing.
    fn subset(&self, boxed: bool) -> Done<Duration> {
        let work = self.tools.store.work_dir("bench")?;
        let build = work.path();
        fs::write(build.join(".config"), &self.config)?;
        let jobs = format!("-j{}", jobs());
        let place = |inside: &str, outside: &Path| {
            if boxed {
                inside.to_owned()
            } else {
                outside.display().to_string()
            }
        };
        let source = place("/src", self.source.path());
        let output = format!("O={}", place("/build", build));
        let mut argv = vec!["make", "-s", "-C", &source, &output, "ARCH=x86_64", &jobs];
        argv.extend(SUBSET);
        if boxed {
            return self.inside(build, &argv);
        }
        let start = Instant::now();
        let status = Command::new(argv[0])
            .args(&argv[1..])
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C")
            .stdin(ProcessStdio::null())
            .stdout(ProcessStdio::null())
            .status()?;
        if status.success() {
            Ok(start.elapsed())
        } else {
            Err(format!("make: {status}").into())
        }
    }

    /// Runs a command as builds are run, and gives its wall time with that of its sandbox.
    fn inside(&self, build: &Path, argv: &[&str]) -> Done<Duration> {
        let sandbox = &self.tools.sandbox;
        let (uid, gid) = (sandbox.worker_uid(), sandbox.worker_gid());
        chown(build, Some(uid), Some(gid))?;
        let bind = |source: &Path, target: &str, read_only| Bind {
            source: source.to_owned(),
            target: PathBuf::from(target),
            read_only,
        };
        let log = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(build.join("log"))?;
        let spec = Spec {
            root: Root::Image(self.image.path().to_owned()),
            emulator: None,
            binds: vec![
                bind(self.source.path(), "/src", true),
                bind(build, "/build", false),
            ],
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: BTreeMap::from(
                [("PATH", PATH), ("LC_ALL", "C")].map(|(n, v)| (n.into(), v.into())),
            ),
            cwd: PathBuf::from("/build"),
            user: User::Worker,
            devices: Vec::new(),
            limits: Limits::default(),
            hostname: "engine".to_owned(),
            layers: None,
            tmp_size: 8 << 30,
        };
        let start = Instant::now();
        let exit = sandbox.run(&spec, Stdio::Log(log), &Cancel::new())?;
        let took = start.elapsed();
        if exit == Exit::Code(0) {
            return Ok(took);
        }
        let said = fs::read_to_string(build.join("log")).unwrap_or_default();
        Err(format!("{argv:?} ended with {exit:?}: {said}").into())
    }
}

fn jobs() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The first line of `gcc --version`, as the kernel writes it into a .config.
fn host_compiler() -> Done<String> {
    let output = Command::new("gcc").arg("--version").output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
