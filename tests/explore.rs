//! An exploration that finds faults planted in a real kernel, and says of each which symbols make it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "world/real.rs"]
mod real;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use real::Real;
use serde_json::Value;

/// A copy of a project of these tests, on the shared store.
fn planted() -> Real {
    let planted = Real::demo();
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/explore/planted");
    for old in fs::read_dir(planted.path()).unwrap() {
        let old = old.unwrap().path();
        // Its pins of Debian serve here too.
        if old.extension().is_some_and(|extension| extension == "rhai") {
            fs::remove_file(old).unwrap();
        }
    }
    for file in fs::read_dir(project).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, planted.path().join(file.file_name().unwrap())).unwrap();
    }
    planted.update();
    planted
}

/// Runs a script; gives its exit code and its report.
fn explore(project: &Real, script: &str, options: &[&str]) -> (i32, Value) {
    let script = project.path().join(script);
    let mut command = project.command();
    let output = command
        .arg("explore")
        .arg(script)
        .arg("--json")
        .args(options)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    (
        output.status.code().unwrap(),
        report.unwrap_or_else(|error| panic!("{error}\n{told}")),
    )
}

/// The symbols of each fragment that was found, by signature.
fn culprits(report: &Value) -> BTreeSet<(String, Vec<String>)> {
    let mut found = BTreeSet::new();
    for culprits in report["culprits"].as_array().unwrap() {
        let signature = culprits["signature"].as_str().unwrap();
        for fragment in culprits["fragments"].as_array().unwrap() {
            assert_eq!(fragment["verified"], true, "{fragment}");
            let symbols = fragment["symbols"].as_object().unwrap();
            assert!(symbols.values().all(|value| value == "y"), "{fragment}");
            found.insert((signature.to_owned(), symbols.keys().cloned().collect()));
        }
    }
    found
}

/// Fragments as a test names them.
fn named(expected: &[(&str, &[&str])]) -> BTreeSet<(String, Vec<String>)> {
    let named = expected.iter().map(|(signature, symbols)| {
        let symbols = symbols.iter().map(|symbol| (*symbol).to_owned());
        ((*signature).to_owned(), symbols.collect())
    });
    named.collect()
}

/// The exit code that a report asks for: a failure that is new. In a store that has seen an earlier version of this test they are known.
fn told(report: &Value) -> i32 {
    let classes = report["clusters"].as_array().unwrap().iter();
    let classes: Vec<&str> = classes
        .map(|cluster| cluster["class"].as_str().unwrap())
        .collect();
    assert!(
        classes.iter().all(|class| ["new", "known"].contains(class)),
        "{report:#}"
    );
    i32::from(classes.contains(&"new"))
}

const PAIR: (&str, &[&str]) = (
    "kernel/bounds.c: #error planted: two that do not go together",
    &["CROSS_MEMORY_ATTACH", "SGETMASK_SYSCALL"],
);

/// Two symbols that do not go together: exactly these are found. The same script again makes nothing, and what it found is an address.
#[test]
fn a_planted_pair_is_minimised_to_its_symbols() {
    let planted = planted();
    let one = ["--set", "first=25", "--set", "rounds=1"];
    let (code, report) = explore(&planted, "planted.rhai", &one);
    assert_eq!(culprits(&report), named(&[PAIR]), "{report:#}");
    assert_eq!(code, told(&report), "{report:#}");

    let (code, again) = explore(&planted, "planted.rhai", &one);
    assert_eq!(culprits(&again), named(&[PAIR]), "{again:#}");
    assert_eq!(code, told(&again), "{again:#}");
    assert_eq!(again["coverage"], report["coverage"]);
    assert!(
        again["coverage"]["x86_64"]["built"].as_u64().unwrap() > 100,
        "{again:#}"
    );
    assert_eq!(again["builds"]["ms"], 0, "{again:#}");
    assert_eq!(again["tried"], again["tried_cached"], "{again:#}");

    let fragment = &report["culprits"][0]["fragments"][0]["address"];
    let realized = planted.realize(&[fragment.as_str().unwrap()]);
    assert_eq!(realized.code, 1, "{}", realized.stderr);
    let built = realized.ran.iter().any(|node| node.starts_with("kernel:"));
    assert!(!built, "{:?}", realized.ran);
}

/// That pair, a symbol that panics, and two of which each is enough: exactly these are found.
#[test]
#[ignore = "builds some fifty kernels: `make test-explore` runs it"]
fn planted_faults_are_minimised_to_their_symbols() {
    let planted = planted();
    let (code, report) = explore(&planted, "planted.rhai", &[]);
    let either = "kernel/bounds.c: #error planted: either of two";
    let expected = named(&[
        PAIR,
        (either, &["DEVMEM"]),
        (either, &["SYSFS_SYSCALL"]),
        ("kernel panic: planted", &["BINFMT_SCRIPT"]),
    ]);
    assert_eq!(culprits(&report), expected, "{report:#}");
    assert_eq!(code, told(&report), "{report:#}");
    let clusters = report["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 3, "{report:#}");
    for cluster in clusters {
        assert_eq!(cluster["runs"], cluster["failed"], "{cluster}");
    }
}

/// A budget of builds ends the asking, and what was begun ends.
#[test]
fn a_budget_of_no_builds_only_configures() {
    let planted = planted();
    let (code, report) = explore(
        &planted,
        "planted.rhai",
        &["--budget", "0 builds", "--set", "first=3"],
    );
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["ended"], "the builds of the budget are used up");
    assert_eq!(report["builds"]["succeeded"], 0, "{report:#}");
    assert_eq!(report["tried"], 1, "{report:#}");
}
