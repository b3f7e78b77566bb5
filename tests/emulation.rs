//! Toolchains of another architecture on real input: Debian's arm64 gcc, emulated and accelerated.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "world/real.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod real;
#[path = "world/user.rs"]
mod user;

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use engine::drive::Session;
use nix::unistd::User;
use nix::unistd::geteuid;
use real::Real;
use serde_json::Value;
use store::Store;
use user::USER;

/// One large object of a kernel stands for all: most of the time goes into programs of the build.
const DEFINITIONS: &str = r#"//! arm64 on whatever runs the tests.
import "std/debian" as debian;

const PACKAGES = ["bc", "libelf-dev", "libssl-dev"];
const ARM64 = image("arm64", #{
    base: base("bookworm-arm64", debian::kbuild("bookworm", "arm64")),
    packages: PACKAGES,
});
const AMD64 = image("amd64", #{
    base: base("bookworm", debian::kbuild("bookworm", "amd64")),
    packages: PACKAGES + ["gcc-aarch64-linux-gnu"],
});
image("small", #{ base: base("small-arm64", #{ debian: #{ suite: "bookworm", arch: "arm64" } }) });

const OWN = toolchain("own", #{ kind: "gcc", image: ARM64 });
const CROSS = toolchain("cross", #{ kind: "cross", image: AMD64, prefix: "aarch64-linux-gnu-" });
const FAST = toolchain("fast", #{ kind: "gcc", image: ARM64, accelerate: CROSS });

source("linux-6.1", debian::linux("6.1", "bookworm"));
const OBJECT = arch("arm64", #{
    kernel_arch: "arm64",
    kernel_image: "kernel/sched/core.o",
    make_targets: ["kernel/sched/core.o"],
    toolchains: [OWN, CROSS, FAST],
});
defconfig(OBJECT, "tinyconfig", #{ recipe: tiny() });
"#;

fn arm64() -> Real {
    let project = Real::demo();
    fs::write(project.path().join("main.rhai"), DEFINITIONS).unwrap();
    project.update();
    project
}

fn built(project: &Real, toolchain: &str, file: &str) -> Vec<u8> {
    let build = format!("results/linux-6.1/arm64/tinyconfig/{toolchain}");
    fs::read(project.path().join(build).join(file)).unwrap()
}

#[test]
#[ignore = "five minutes of emulation: `make test-arches` runs it"]
fn a_foreign_gcc_builds_what_a_cross_gcc_builds() {
    let project = arm64();
    let registered = || fs::read_dir("/proc/sys/fs/binfmt_misc").map_or(0, Iterator::count);
    let before = registered();
    let first = project.realize(&["linux-6.1/arm64/tinyconfig/*"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(registered(), before);
    // The machine need not be able to do any of it to know that it is done.
    assert_eq!(
        project.realize(&["linux-6.1/arm64/tinyconfig/*"]).ran,
        Vec::<String>::new()
    );

    let own = sections(&built(&project, "own", "image"));
    assert!(
        own.iter()
            .any(|(name, bytes)| name == ".text" && bytes.len() > 10_000)
    );
    for toolchain in ["fast", "cross"] {
        let theirs = sections(&built(&project, toolchain, "image"));
        let differ = std::iter::zip(&own, &theirs).filter(|(a, b)| a != b);
        let differ: Vec<&String> = differ.map(|((name, _), _)| name).collect();
        assert_eq!((differ, theirs.len()), (vec![], own.len()), "{toolchain}");
    }
    let text = |toolchain| String::from_utf8(built(&project, toolchain, "metadata.json")).unwrap();
    let metadata = ["own", "fast"].map(|name| serde_json::from_str::<Value>(&text(name)).unwrap());
    assert_eq!(metadata[0]["make"], "make ARCH=arm64 kernel/sched/core.o");
    assert_eq!(
        metadata[1]["make"],
        "make ARCH=arm64 CROSS_COMPILE=/native/usr/bin/aarch64-linux-gnu- kernel/sched/core.o"
    );

    // The native image is in the key of what it accelerates, and of nothing else.
    for (toolchain, native) in [("own", false), ("cross", false), ("fast", true)] {
        let session = Session::open(project.path(), open(&project.store)).unwrap();
        for kind in ["config", "kernel"] {
            let name = format!("{kind}:linux-6.1/arm64/tinyconfig/{toolchain}");
            let key = session.store.read(&session.record(&name).unwrap().manifest);
            let key: Value = serde_json::from_slice(&key.unwrap()).unwrap();
            let said = [&key["inputs"]["native"], &key["spec"]["accelerate"]];
            assert_eq!(
                said.map(|part| !part.is_null()),
                [native; 2],
                "{name}: {key}"
            );
        }
    }
}

#[test]
fn a_foreign_base_is_the_same_for_root_and_an_ordinary_user() {
    let project = arm64();
    let ours = project.realize(&["base:small-arm64"]);
    assert_eq!(ours.code, 0, "{}", ours.stderr);
    if !geteuid().is_root() {
        // Whoever runs the tests has made it.
        return;
    }
    if let Err(lacks) = user::make() {
        return user::skip(&lacks);
    }
    let uid = User::from_name(USER).unwrap().unwrap().uid.as_raw();
    let theirs = tempfile::tempdir().unwrap();
    let place = theirs.path();
    chown(place, Some(uid), None).unwrap();
    for file in ["main.rhai", "engine.lock"] {
        fs::copy(project.path().join(file), place.join(file)).unwrap();
        chown(place.join(file), Some(uid), None).unwrap();
    }
    let output = Command::new("setpriv")
        .args([
            &format!("--reuid={USER}"),
            &format!("--regid={USER}"),
            "--clear-groups",
            "--",
        ])
        .arg(env!("CARGO_BIN_EXE_engine"))
        .arg("--project")
        .arg(place)
        .arg("--store")
        .arg(place.join("store"))
        .args(["realize", "base:small-arm64"])
        .current_dir("/")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tar = |project: &Path, store: &Path| {
        let session = Session::open(project, open(store)).unwrap();
        session.record("base:small-arm64").unwrap().outputs["tar"]
    };
    assert_eq!(
        tar(project.path(), &project.store),
        tar(place, &place.join("store"))
    );
}

fn open(store: &Path) -> Arc<Store> {
    Arc::new(Store::open(store).unwrap())
}

/// The sections of a 64-bit little-endian object, but for the one with the compiler's name.
fn sections(object: &[u8]) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize, length: usize| {
        let digits = object[at..at + length].iter().rev();
        digits.fold(0_usize, |value, digit| value << 8 | usize::from(*digit))
    };
    let (table, size, count, names) = (number(40, 8), number(58, 2), number(60, 2), number(62, 2));
    let header = |section: usize| table + section * size;
    let names = number(header(names) + 24, 8);
    let mut sections = Vec::new();
    for header in (0..count).map(header) {
        let name = &object[names + number(header, 4)..];
        let name = name.split(|byte| *byte == 0).next().unwrap();
        let name = String::from_utf8(name.to_vec()).unwrap();
        let (kind, start, length) = (
            number(header + 4, 4),
            number(header + 24, 8),
            number(header + 32, 8),
        );
        // One without bytes in the file reads as zeros.
        let bytes = if kind == 8 {
            vec![0; length]
        } else {
            object[start..start + length].to_vec()
        };
        if name != ".comment" {
            sections.push((name, bytes));
        }
    }
    sections
}
