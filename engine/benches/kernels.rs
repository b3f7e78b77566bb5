//! Eight small kernels from an empty record, with and without shared CPU tokens; one line.
//!
//! Before, a kernel build took every CPU from its first to its last second, its serial parts included, and nothing ran
//! beside it. Half of the kernels are gcc's, which keep two CPUs busy nearly to the end; the others are clang's with full link-time
//! optimisation, whose link takes one CPU for a good part of the build. Both ways run the same nodes by the same recipes on the demo's store (`$ENGINE_STORE`, else the default one, so run
//! `make demo` first), with configurations that no run has had. `cargo bench --bench kernels -- 4` builds four.
//!
//! Then a kernel after one symbol changed, from the objects of the one before and clean; `-- neighbour` measures only that.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "what a benchmark measures is its output"
)]

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::available_parallelism;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use engine::drive::Session;
use engine::drive::UpdateMode;
use engine::drive::update;
use engine::machine::memory_mib;
use engine::origins::Network;
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
use engine::recipe::Neighbours;
use engine::recipe::Takes;
use engine::recipe::Tools;
use engine::spec::Kind;
use engine::spec::Spec;
use store::OutcomeVerdict;
use store::Store;

type Done<T = ()> = Result<T, Box<dyn Error>>;

const KERNELS: usize = 8;
/// How long the mirror may say nothing.
const PATIENCE: Duration = Duration::from_mins(1);
const NETWORK: Network = Network {
    patience: PATIENCE,
    offline: false,
};

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
            eprintln!("kernels: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Done {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache/engine"));
    let root = env::var_os("ENGINE_STORE").map(PathBuf::from).or_else(home);
    let Some(root) = root.filter(|root| root.join("format").is_file()) else {
        println!("kernels skipped=needs-make-demo");
        return Ok(());
    };
    let asked = env::args().find_map(|argument| argument.parse().ok());
    let kernels = asked.unwrap_or(KERNELS);
    let store = Arc::new(Store::open(&root)?);
    if env::args().any(|argument| argument == "neighbour") {
        return neighbour(&store);
    }
    // Packages and images, and the kernel's source as a directory.
    several(&store, "warm", 2, true)?;
    let shared = several(&store, "shared", kernels, true)?;
    let alone = several(&store, "alone", kernels, false)?;
    println!(
        "kernels count={kernels} cpus={} shared_s={:.1} alone_s={:.1} ratio={:.2} shared_mib={} alone_mib={}",
        jobs(),
        shared.seconds,
        alone.seconds,
        shared.seconds / alone.seconds,
        shared.mib,
        alone.mib
    );
    neighbour(&store)
}

/// One symbol more than in the kernel before.
fn neighbour(store: &Arc<Store>) -> Done {
    const SYMBOL: &str = r#", must(#{ CRC_ITU_T: "y" })"#;
    let now = now()?;
    let kernel = |name: &str, more: &str| {
        format!(
            r#"defconfig(X86_64, "{name}", #{{ recipe: tiny(), toolchains: [GCC], fixups: [must(#{{ LOCALVERSION: text("-{now}") }}){more}] }});"#
        )
    };
    let before = [kernel("before", "")];
    let after = kernel("after", SYMBOL);
    let near = Some(Neighbours::default());
    ran(store, &before, true, near)?;
    let near = ran(store, slice::from_ref(&after), true, near)?;
    // Another key, or it would be there.
    let other = after.replace(&format!("-{now}"), &format!("-x{}", &now[2..]));
    let clean = ran(store, &[other], true, None)?;
    println!(
        "neighbour cpus={} near_s={:.1} clean_s={:.1} ratio={:.2}",
        jobs(),
        near.seconds,
        clean.seconds,
        near.seconds / clean.seconds
    );
    Ok(())
}

fn now() -> Done<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    Ok(now.to_string())
}

fn jobs() -> usize {
    available_parallelism().map_or(1, usize::from)
}

const DEFINITIONS: &str = r#"
import "std/arches" as arches;
import "std/debian" as debian;
const BASE = base("bookworm", debian::kbuild("bookworm", "amd64"));
const KBUILD = image("kbuild", #{ base: BASE, packages: ["bc", "e2fsprogs", "libelf-dev", "libssl-dev"] });
const KBUILD_CLANG = image("kbuild-clang", #{ base: BASE, packages: ["bc", "libelf-dev", "libssl-dev", "clang", "lld", "llvm"] });
const GCC = toolchain("gcc", #{ kind: "gcc", image: KBUILD });
const CLANG = toolchain("clang", #{ kind: "clang", image: KBUILD_CLANG });
source("linux-6.1", debian::linux("6.1", "bookworm"));
const X86_64 = arch("x86_64", arches::x86_64().extend(#{ toolchains: [GCC, CLANG] }));
const LTO = must(#{ "64BIT": "y", LTO_CLANG_FULL: "y" });
"#;

/// Distinct configurations: each has a version of its own, and so have those of each run.
fn several(store: &Arc<Store>, name: &str, kernels: usize, shared: bool) -> Done<Cost> {
    let now = now()?;
    let kernel = |kernel: usize| {
        let (toolchain, more) = if kernel.is_multiple_of(2) {
            ("GCC", "")
        } else {
            ("CLANG", ", LTO")
        };
        format!(
            r#"defconfig(X86_64, "small-{kernel}", #{{ recipe: tiny(), toolchains: [{toolchain}], fixups: [must(#{{ LOCALVERSION: text("-{name}-{kernel}-{now}") }}){more}] }});"#
        )
    };
    let kernels: Vec<String> = (0..kernels).map(kernel).collect();
    ran(store, &kernels, shared, None)
}

struct Cost {
    seconds: f64,
    /// Most memory that was not available any more.
    mib: u64,
}

/// Builds kernels that were never built.
fn ran(
    store: &Arc<Store>,
    kernels: &[String],
    shared: bool,
    neighbours: Option<Neighbours>,
) -> Done<Cost> {
    let project = tempfile::tempdir()?;
    let text = format!("{DEFINITIONS}{}", kernels.join("\n"));
    fs::write(project.path().join("main.rhai"), text)?;
    update(
        project.path(),
        store,
        &[],
        UpdateMode::OnlyGone,
        PATIENCE,
        &|_| {},
    )?;
    let session = Session::open(project.path(), Arc::clone(store))?;
    let mut progress = session.progress(Selection::all(Some(Kind::Kernel)), false)?;
    let mut tools = session.tools(jobs(), NETWORK)?;
    tools.neighbours = neighbours;
    let jobserver = tools.jobserver.take().filter(|_| shared);
    tools.jobserver.clone_from(&jobserver);
    let recipes: Arc<dyn Execute> = if shared {
        Arc::new(tools)
    } else {
        Arc::new(Alone(tools))
    };
    let options = Options {
        jobs: jobs(),
        memory_mib: memory_mib(),
        keep_going: false,
        jobserver,
        estimate: &|_| Estimate::default(),
    };
    let memory = Memory::watch();
    let start = Instant::now();
    let report = realise(&mut progress, store, &recipes, &options, &Silent, None)?;
    let seconds = start.elapsed().as_secs_f64();
    let bad = |node: &&engine::realise::NodeReport| node.verdict != OutcomeVerdict::Succeeded;
    if let Some(node) = report.nodes.iter().find(bad) {
        return Err(format!("{} {}: {}", node.kind, node.name, node.reason).into());
    }
    Ok(Cost {
        seconds,
        mib: memory.most(),
    })
}

/// As kernels were placed before: each took all CPUs, by a `make -j` of its own.
struct Alone(Tools);

impl Execute for Alone {
    fn takes(&self, spec: &Spec) -> Takes {
        let mut takes = self.0.takes(spec);
        if spec.kind() == Kind::Kernel {
            takes.cpus = jobs();
        }
        takes
    }

    fn execute(&self, job: &Job) -> Result<Finished, Broken> {
        self.0.execute(job)
    }
}

struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// Looks at the machine's memory until it is asked for the most that was taken.
struct Memory {
    stop: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
}

impl Memory {
    fn watch() -> Self {
        let (stop, most) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let watch = Self {
            stop: Arc::clone(&stop),
            most: Arc::clone(&most),
        };
        let before = available();
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                most.fetch_max(before.saturating_sub(available()), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(100));
            }
        });
        watch
    }

    fn most(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.most.load(Ordering::Relaxed)
    }
}

/// `MemAvailable` of `proc_meminfo(5)`, in MiB: caches count as available, files in memory do not.
fn available() -> u64 {
    let text = fs::read_to_string(Path::new("/proc/meminfo")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
