//! The engine killed with SIGKILL in the middle of a kernel build, ten times: nothing is left
//! running, nothing half-made is believed, and the next run completes.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, tells its seed, and takes it from the clock"
)]

#[expect(dead_code, reason = "this test needs few of the world's verbs")]
#[path = "world/real.rs"]
mod real;

use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use real::Real;

const BUILD: &str = "linux-6.1/x86_64/crash/gcc";
const KILLS: u32 = 10;
/// What a person who asks it to end waits for, at most.
const ENDS_WITHIN: Duration = Duration::from_secs(1);
/// A tree of killed processes takes this long to go, at most.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// The demo's definitions with one small configuration, whose kernel no other test has built.
fn declare(demo: &Real, name: &str) {
    let text = format!(
        "fn declare(arch) {{\n    defconfig(arch, \"crash\", #{{ recipe: tiny(), \
         fixups: [must(#{{ LOCALVERSION: \"-{name}\" }})] }});\n}}\n"
    );
    fs::write(demo.path().join("configs.rhai"), text).unwrap();
}

#[test]
fn ten_kills_in_a_kernel_build_leave_a_sound_store() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = Random(u64::try_from(now.as_nanos()).unwrap_or(1) | 1);
    println!("seed: {}", random.0);
    let demo = Real::demo();
    let mut name = format!("crash-{}", random.0);
    declare(&demo, &name);
    let first = demo.realize(&["--until", "config", &format!("config:{BUILD}")]);
    assert_eq!(first.code, 0, "{}", first.stderr);

    let mut killed = 0;
    let mut longest = Duration::from_secs(8);
    while killed < KILLS {
        let moment = longest.mul_f64(random.fraction());
        if kill_after(&demo, moment) {
            killed += 1;
            println!("kill {killed}: {} ms into the build", moment.as_millis());
        } else {
            // A fast machine: another kernel, and less time for it.
            longest /= 2;
            name.push('x');
            declare(&demo, &name);
            println!("the build was done before {} ms", moment.as_millis());
        }
    }

    let last = demo.realize(&["--until", "kernel", BUILD]);
    assert_eq!(last.code, 0, "{}", last.stderr);
    assert!(
        last.ran.contains(&format!("kernel:{BUILD}")),
        "{:?}",
        last.ran
    );
    let verified = demo.stdout(&["verify"]);
    assert!(verified.contains("all is well"), "{verified}");
    assert_eq!(
        demo.realize(&["--until", "kernel", BUILD]).ran,
        Vec::<String>::new()
    );
}

#[test]
fn a_signal_ends_a_kernel_build_within_a_second_and_leaves_nothing() {
    let demo = Real::demo();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    declare(&demo, &format!("signal-{}", now.as_nanos()));
    for signals in [&["-INT"][..], &["-TERM"], &["-HUP"], &["-INT", "-INT"]] {
        let mut engine = begin_kernel(&demo);
        std::thread::sleep(Duration::from_secs(2));
        let pid = engine.id();
        for signal in signals {
            let mut kill = Command::new("kill");
            // The second finds the engine there, or gone already.
            kill.args([signal, &*pid.to_string()]).status().unwrap();
        }
        let begin = Instant::now();
        let signal = signals.join(" ");
        assert_eq!(engine.wait().unwrap().code(), Some(3), "{signal}");
        assert!(
            begin.elapsed() < ENDS_WITHIN,
            "{signal} took {:?}",
            begin.elapsed()
        );
        let deadline = Instant::now() + GONE_WITHIN;
        while !left_over(pid).is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(left_over(pid), Vec::<String>::new(), "{signal}");
    }
    let verified = demo.stdout(&["verify"]);
    assert!(verified.contains("all is well"), "{verified}");
}

/// Starts the build and waits until the kernel's make is about to run.
fn begin_kernel(demo: &Real) -> Child {
    let path = demo.path().join("events.jsonl");
    let mut engine = demo
        .command()
        .args(["realize", "--json", "--until", "kernel", BUILD])
        .stdout(File::create(&path).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = r#""event":"node_started","kind":"kernel""#;
    while !fs::read_to_string(&path).unwrap().contains(started) {
        assert!(
            engine.try_wait().unwrap().is_none(),
            "the engine never began the kernel"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    engine
}

/// Starts the build and kills the engine that long into it; `false` if the build ended first.
fn kill_after(demo: &Real, moment: Duration) -> bool {
    let mut engine = begin_kernel(demo);
    let pid = engine.id();
    std::thread::sleep(moment);
    let running = engine.try_wait().unwrap().is_none();
    engine.kill().unwrap();
    engine.wait().unwrap();
    let deadline = Instant::now() + GONE_WITHIN;
    loop {
        let left = left_over(pid);
        if left.is_empty() {
            return running;
        }
        assert!(
            Instant::now() < deadline,
            "still there after the kill: {left:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes of an engine that is gone: its helpers, and all that see its kernel's build directory.
fn left_over(engine: u32) -> Vec<String> {
    let build_dir = format!("/kernel-{engine}-");
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_engine")).unwrap();
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let proc = entry.path();
        let is_helper = fs::read_link(proc.join("exe")).is_ok_and(|exe| exe == program);
        let sees_it = fs::read_to_string(proc.join("mountinfo"))
            .is_ok_and(|mounts| mounts.contains(&build_dir));
        if is_helper || sees_it {
            left.push(describe(&proc));
        }
    }
    left
}

fn describe(proc: &Path) -> String {
    let command = fs::read(proc.join("cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    format!("{} {}", proc.display(), command.trim_end())
}

/// Marsaglia's xorshift: moments need no better.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }
}
