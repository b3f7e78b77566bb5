//! Random configurations decided per minute (resolved and matched), beside a shell loop of `make randconfig`; one line.
//!
//! All ways take the same seeds in the same image. The engine is run as a user runs it, on configurations that no run has had; the loops
//! have kconfig's host program built before the clock starts, and decide nothing. Works on the demo's store
//! (`$ENGINE_STORE`, else the default one), so run `make demo` first. `cargo bench --bench kconfig -- 100` takes so many.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "what a benchmark measures is its output"
)]

#[path = "../../tests/world/plain.rs"]
mod plain;

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use plain::Plain;

const SEEDS: u32 = 40;

fn main() -> ExitCode {
    // The sandbox starts this program again as its helper.
    if env::args()
        .nth(1)
        .is_some_and(|argument| argument == "sandbox-init")
    {
        return engine::sandbox::init_main();
    }
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache/engine"));
    let store = env::var_os("ENGINE_STORE").map(PathBuf::from).or_else(home);
    let Some(store) = store.filter(|store| store.join("format").is_file()) else {
        println!("kconfig skipped=needs-make-demo");
        return ExitCode::SUCCESS;
    };
    let asked = env::args().find_map(|argument| argument.parse().ok());
    measure(&store, asked.unwrap_or(SEEDS));
    ExitCode::SUCCESS
}

fn measure(store: &Path, seeds: u32) {
    let cpus = available_parallelism().map_or(1, usize::from);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = u32::try_from(now.as_secs() % 1_000_000_000).unwrap();
    let project = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions/demo");
    for file in fs::read_dir(demo).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), project.path().join(file.file_name())).unwrap();
    }
    let end = first + seeds;
    let main = project.path().join("main.rhai");
    let text = fs::read_to_string(&main).unwrap();
    let random = format!(
        "for seed in range({first}, {end} + 1) {{ defconfig(X86_64, \"random-\" + seed, #{{ \
         recipe: randconfig(#{{ seed: seed }}), toolchains: [toolchains::gcc] }}); }}\n"
    );
    fs::write(&main, format!("{text}{random}")).unwrap();
    let engine = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
        command.arg("--project").arg(project.path());
        command.arg("--store").arg(store).args(arguments);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    };
    let decided = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        60.0 * f64::from(seeds) / start.elapsed().as_secs_f64()
    };
    engine(&["update", "--if-gone"]);
    // The last seed makes everything that the others share.
    engine(&[
        "realize",
        &format!("match:linux-6.1/x86_64/random-{end}/gcc"),
    ]);
    let ours = decided(&|| engine(&["realize", "match:linux-6.1/x86_64/random-*/gcc"]));

    let helper = PathBuf::from("/proc/self/exe");
    let plain = Plain::new(project.path(), store, "kbuild", helper);
    let all: Vec<String> = (first..end).map(|seed| seed.to_string()).collect();
    fs::write(plain.build.path().join("seeds"), all.join("\n")).unwrap();
    let make = "make -s -C /src ARCH=x86_64 O=/build/";
    for slot in 0..cpus {
        plain.run(&format!("mkdir -p {slot}; {make}{slot} randconfig"));
    }
    let script =
        format!("for seed in $(cat seeds); do KCONFIG_SEED=$seed {make}0 randconfig; done");
    let alone = decided(&|| plain.run(&script));
    let script = format!(
        "xargs --arg-file=seeds -n 1 -P {cpus} --process-slot-var=SLOT \
         sh -c 'KCONFIG_SEED=$1 {make}$SLOT randconfig' sh"
    );
    let beside = decided(&|| plain.run(&script));
    println!(
        "kconfig seeds={seeds} cpus={cpus} engine_per_min={ours:.0} loop_per_min={alone:.0} ratio={:.1} \
         xargs_per_min={beside:.0} xargs_ratio={:.1}",
        ours / alone,
        ours / beside
    );
}
