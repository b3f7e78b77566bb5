//! Two engines on one store: every key is built once, and a collection beside them takes nothing.

#![expect(clippy::unwrap_used, reason = "a test may stop anywhere")]

use std::collections::BTreeMap;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use store::Digest;
use store::GcOptions;
use store::Outcome;
use store::OutcomeVerdict;
use store::Record;
use store::Store;
use store::Verdict;
use store::VerifyOptions;
use store::remove_own_tree;

const KEYS: u32 = 40;

fn key(number: u32) -> Digest {
    Digest::derive("two engines", [&number.to_le_bytes()[..]])
}

/// Builds every key that has no record, in an order of its own, and notes each build in a file.
fn engine(root: &Path, builds: &Path, stride: u32) {
    let store = Store::open(root).unwrap();
    let run = store.begin_run("realise", 1).unwrap();
    let mut outcomes = Vec::new();
    for number in (0..KEYS).map(|n| n * stride % KEYS) {
        let key = key(number);
        let claim = store.claim(&key).unwrap();
        let cached = store.record(&key).unwrap().is_some();
        if !cached {
            let mut log = OpenOptions::new()
                .append(true)
                .create(true)
                .open(builds)
                .unwrap();
            log.write_all(format!("{number}\n").as_bytes()).unwrap();
            let content = format!("output of {number}");
            let output = store.put_reader(content.as_bytes()).unwrap();
            let shared = store.put_bytes(b"the same for all").unwrap();
            let record = Record {
                version: Record::VERSION,
                key,
                kind: "test".to_owned(),
                name: number.to_string(),
                verdict: Verdict::Succeeded,
                outputs: BTreeMap::from([
                    ("out".to_owned(), output),
                    ("shared".to_owned(), shared),
                ]),
                facts: String::new(),
                manifest: store.put_bytes(content.to_uppercase().as_bytes()).unwrap(),
                log: None,
                message: String::new(),
                started_ms: 0,
                duration_ms: 0,
            };
            store.commit(&record).unwrap();
        }
        drop(claim);
        outcomes.push(Outcome {
            name: number.to_string(),
            kind: "test".to_owned(),
            key: Some(key),
            verdict: OutcomeVerdict::Succeeded,
            reason: String::new(),
            cached,
        });
    }
    store.finish_run(run, 2, &outcomes).unwrap();
}

fn check(root: &Path, builds: &Path) {
    let mut built: Vec<u32> = fs::read_to_string(builds)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    built.sort_unstable();
    assert_eq!(built, (0..KEYS).collect::<Vec<_>>(), "each key once");
    let store = Store::open(root).unwrap();
    assert!(store.verify(VerifyOptions::default()).unwrap().is_clean());
    assert_eq!(store.load_records().unwrap().len(), KEYS as usize);
    for number in 0..KEYS {
        let record = store.record(&key(number)).unwrap().unwrap();
        let output = store.read(&record.outputs["out"]).unwrap();
        assert_eq!(output, format!("output of {number}").as_bytes());
    }
    assert_eq!(fs::read_dir(root.join("locks/claims")).unwrap().count(), 0);
}

#[test]
fn threads_build_each_key_once_while_garbage_is_collected() {
    let dir = tempfile::tempdir().unwrap();
    let (root, builds) = (dir.path().join("store"), dir.path().join("builds"));
    std::thread::scope(|scope| {
        let engines = [1, 3, 7].map(|stride| {
            let (root, builds) = (&root, &builds);
            scope.spawn(move || engine(root, builds, stride))
        });
        let store = Store::open(&root).unwrap();
        let options = GcOptions {
            keep_runs: 3,
            dry_run: false,
        };
        while !engines
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            let report = store.gc(options, &remove_own_tree).unwrap();
            assert_eq!((report.records, report.blobs), (0, 0));
        }
    });
    check(&root, &builds);
}

/// One engine: run by the test below, in a process of its own.
#[test]
#[ignore = "only the test below runs this"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent says by the environment what to do"
)]
fn child_engine() {
    let Ok(task) = std::env::var("STORE_ENGINE_CHILD") else {
        return;
    };
    let (stride, dir) = task.split_once(' ').unwrap();
    let dir = Path::new(dir);
    engine(
        &dir.join("store"),
        &dir.join("builds"),
        stride.parse().unwrap(),
    );
}

#[test]
fn processes_build_each_key_once() {
    let dir = tempfile::tempdir().unwrap();
    let spawn = |stride: u32| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_engine", "--ignored"])
            .env(
                "STORE_ENGINE_CHILD",
                format!("{stride} {}", dir.path().display()),
            )
            .spawn()
            .unwrap()
    };
    let children = [spawn(1), spawn(3), spawn(7)];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    check(&dir.path().join("store"), &dir.path().join("builds"));
}
