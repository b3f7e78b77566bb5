//! A fault at every change of a standard scenario: the store is correct afterwards.

#![expect(clippy::unwrap_used, reason = "a test may stop anywhere")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use store::Digest;
use store::Fault;
use store::Fs;
use store::GcOptions;
use store::Outcome;
use store::OutcomeVerdict;
use store::Record;
use store::Store;
use store::StoreError;
use store::Verdict;
use store::VerifyOptions;
use store::remove_own_tree;

/// Far beyond the last change of the scenario: no fault.
const NEVER: u64 = u64::MAX;

fn scratch() -> tempfile::TempDir {
    // Syncs cost nothing in memory, and there are thousands of them.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    dir.unwrap()
}

fn key(name: &str) -> Digest {
    Digest::derive("crash test", [name.as_bytes()])
}

/// One run, by a handle of its own, that gives `name` a record with a blob and a tree.
fn run(root: &Path, fs: &Fs, name: &str) -> Result<(), StoreError> {
    let store = Store::open_with(root, fs.clone())?;
    let id = store.begin_run("realise", 1)?;
    let key = key(name);
    let claim = store.claim(&key)?;
    let work = store.work_dir(name)?;
    let io = |source| StoreError::Io {
        path: work.path().to_owned(),
        op: "fill",
        source,
    };
    fs::create_dir(work.path().join("lib")).map_err(io)?;
    fs::write(
        work.path().join("lib/module.ko"),
        format!("module of {name}"),
    )
    .map_err(io)?;
    fs::write(work.path().join("shared"), "the same in every run").map_err(io)?;
    let taken = work.path().with_file_name("taken");
    let tree = store.put_tree(work.path())?;
    fs::write(&taken, format!("image of {name}")).map_err(io)?;
    let outputs = BTreeMap::from([
        ("image".to_owned(), store.take_file(taken)?),
        ("tree".to_owned(), tree),
        ("config".to_owned(), store.put_bytes(b"CONFIG_X=y\n")?),
    ]);
    store.commit(&Record {
        version: Record::VERSION,
        key,
        kind: "kernel".to_owned(),
        name: "linux".to_owned(),
        verdict: Verdict::Succeeded,
        outputs,
        facts: format!("{{\"name\":\"{name}\"}}"),
        manifest: store.put_bytes(format!("{{\"inputs\":\"{name}\"}}").as_bytes())?,
        log: Some(store.put_bytes(format!("log of {name}").as_bytes())?),
        message: String::new(),
        started_ms: 1,
        duration_ms: 2,
    })?;
    drop(claim);
    let outcome = Outcome {
        name: "linux".to_owned(),
        kind: "kernel".to_owned(),
        key: Some(key),
        verdict: OutcomeVerdict::Succeeded,
        reason: String::new(),
        cached: false,
    };
    store.finish_run(id, 2, &[outcome])?;
    store.cache_put("graph", &key, name.as_bytes())?;
    store.pin("last", &key)
}

/// Two runs, of which the second replaces the result of the first; an unpacked tree; a collection.
fn scenario(root: &Path, fs: &Fs) -> Result<(), StoreError> {
    run(root, fs, "old")?;
    run(root, fs, "new")?;
    let store = Store::open_with(root, fs.clone())?;
    let record = store
        .record(&key("new"))?
        .ok_or(StoreError::MissingBlob(key("new")))?;
    let tree = record.outputs["tree"];
    drop(store.unpacked::<StoreError>(&tree, "unpack", |dir| {
        store.materialise(&tree, &dir.join("root")).map(drop)
    })?);
    drop(store);
    let store = Store::open_with(root, fs.clone())?;
    store.gc(
        GcOptions {
            keep_runs: 1,
            dry_run: false,
        },
        &remove_own_tree,
    )?;
    Ok(())
}

/// What must hold after the whole scenario.
fn check_done(root: &Path) {
    let store = Store::open(root).unwrap();
    assert!(store.verify(VerifyOptions::default()).unwrap().is_clean());
    let record = store
        .record(&key("new"))
        .unwrap()
        .expect("the last record is there");
    assert_eq!(
        store.read(&record.outputs["image"]).unwrap(),
        b"image of new"
    );
    assert_eq!(
        store.read(&record.outputs["config"]).unwrap(),
        b"CONFIG_X=y\n"
    );
    assert_eq!(store.read(&record.log.unwrap()).unwrap(), b"log of new");
    let tree = record.outputs["tree"];
    let unpacked = store.unpacked::<StoreError>(&tree, "unpack", |dir| {
        store.materialise(&tree, &dir.join("root")).map(drop)
    });
    let file = unpacked.unwrap().path().join("root/lib/module.ko");
    assert_eq!(fs::read(file).unwrap(), b"module of new");
    assert_eq!(
        store.cache_get("graph", &key("new")).as_deref(),
        Some(&b"new"[..])
    );
    assert_eq!(store.pins().unwrap(), [("last".to_owned(), key("new"))]);
    assert_eq!(
        store.current("linux").unwrap().unwrap().key,
        Some(key("new"))
    );
    assert_eq!(
        store.load_records().unwrap().len(),
        1,
        "the old record was collected"
    );
    drop(store);
    for empty in ["work", "trash", "locks/claims", "locks/leases"] {
        assert_eq!(
            fs::read_dir(root.join(empty)).unwrap().count(),
            0,
            "{empty}"
        );
    }
}

/// What must hold at once after a fault: every row is backed by what it names.
fn check_at_once(root: &Path, fault: Fault, context: &str) {
    let store = Store::open(root).unwrap();
    let report = store.verify(VerifyOptions::default()).unwrap();
    if fault == Fault::PowerCut {
        // Files that were not synced lost their content, but no row names one.
        assert_eq!(
            (report.broken, report.unwritten),
            (vec![], vec![]),
            "{context}"
        );
        store.verify(VerifyOptions { repair: true }).unwrap();
        assert!(
            store.verify(VerifyOptions::default()).unwrap().is_clean(),
            "{context}"
        );
    } else {
        assert!(report.is_clean(), "{context}: {report:?}");
    }
    for brief in store.load_records().unwrap().iter() {
        let record = store.record(&brief.key()).unwrap().expect(context);
        for (output, digest) in &record.outputs {
            assert!(
                !store.read(digest).unwrap().is_empty(),
                "{context}: {output}"
            );
        }
    }
    // The record files alone tell the same.
    let rows = store.load_records().unwrap().len() as u64;
    let rebuilt = store.rebuild_database().unwrap();
    assert!(rebuilt.records >= rows, "{context}: {rebuilt:?}");
}

fn changes_of_the_scenario() -> u64 {
    let dir = scratch();
    let (fs, plan) = Fs::faulty(NEVER, Fault::Io);
    scenario(dir.path(), &fs).unwrap();
    check_done(dir.path());
    plan.count()
}

fn strike_everywhere(fault: Fault) {
    let changes = changes_of_the_scenario();
    assert!(changes > 100, "{changes}");
    let mut stopped = 0;
    for at in 0..changes {
        let dir = scratch();
        let (fs, plan) = Fs::faulty(at, fault);
        let result = scenario(dir.path(), &fs);
        let struck = plan.struck().expect("every change is met");
        let context = format!("{fault:?} at change {at}, to {struck}, gave {result:?}");
        if let Err(error) = &result {
            stopped += 1;
            assert!(!error.to_string().is_empty());
            assert_eq!(error.is_disk_full(), fault == Fault::DiskFull, "{context}");
        }
        if matches!(fault, Fault::DiskFull | Fault::Io) {
            // The same process goes on, once there is room again.
            scenario(dir.path(), &fs).expect(&context);
        }
        check_at_once(dir.path(), fault, &context);
        scenario(dir.path(), &Fs::default()).expect(&context);
        check_done(dir.path());
    }
    // Some faults are survived on the way: a scratch file that stays, a clone that is not there.
    assert!(stopped > changes / 2, "{stopped} of {changes}");
}

#[test]
fn a_full_disk_leaves_a_correct_store() {
    strike_everywhere(Fault::DiskFull);
}

#[test]
fn an_io_error_leaves_a_correct_store() {
    strike_everywhere(Fault::Io);
}

#[test]
fn a_kill_leaves_a_correct_store() {
    strike_everywhere(Fault::Kill);
}

#[test]
fn a_power_cut_leaves_a_correct_store() {
    strike_everywhere(Fault::PowerCut);
}

/// Aborts for real: run by the test below, in a process of its own.
#[test]
#[ignore = "only the test below runs this"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent says by the environment what to do"
)]
fn child_that_aborts() {
    let Ok(task) = std::env::var("STORE_CRASH_CHILD") else {
        return;
    };
    let (at, root) = task.split_once(' ').unwrap();
    let (fs, _) = Fs::faulty(at.parse().unwrap(), Fault::Abort);
    scenario(Path::new(root), &fs).unwrap();
}

#[test]
fn a_process_that_dies_leaves_a_correct_store() {
    for at in (0..changes_of_the_scenario()).step_by(5) {
        let dir = scratch();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_aborts", "--ignored"])
            .env(
                "STORE_CRASH_CHILD",
                format!("{at} {}", dir.path().display()),
            )
            .output()
            .unwrap();
        assert_eq!(child.status.code(), None, "change {at}: killed by a signal");
        let context = format!("abort at change {at}");
        check_at_once(dir.path(), Fault::Abort, &context);
        scenario(dir.path(), &Fs::default()).expect(&context);
        check_done(dir.path());
    }
}
