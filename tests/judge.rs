//! Consoles judged: the kernel's own data of `KUnit` with the kernel's own reader as the oracle, `engine judge`, and a minute of noise.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "world/real.rs"]
mod real;
#[expect(dead_code, reason = "these tests make nothing up")]
mod world;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use engine::console::Console;
use engine::console::TestOutcome;
use engine::drive::Session;
use engine::kconfig::Config;
use engine::model::Judging;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use real::Real;
use store::Store;
use world::World;

/// Prints one line for each log: its name, whether the kernel's reader is content, and its counts.
const ORACLE: &str = r#"
import contextlib, io, os, sys
sys.path.insert(0, sys.argv[1])
import kunit_parser
data = os.path.join(sys.argv[1], 'test_data')
for name in sorted(os.listdir(data)):
    if not name.endswith('.log'):
        continue
    with open(os.path.join(data, name)) as log, contextlib.redirect_stdout(io.StringIO()):
        result = kunit_parser.parse_run_tests(kunit_parser.extract_tap_lines(log.readlines()))
    counts = result.counts
    print("ORACLE", name, result.status.name, counts.passed, counts.failed, counts.crashed, counts.skipped, counts.errors)
"#;

/// Counts and states of the kernel's own test data are those of the kernel's own reader.
#[test]
fn kunit_data_as_the_kernel_reads_it() {
    let demo = Real::demo();
    let source = demo.realize(&["source:linux-6.1"]);
    assert_eq!(source.code, 0, "{}", source.stderr);
    let store = Arc::new(Store::open(&demo.store).unwrap());
    let session = Session::open(demo.path(), Arc::clone(&store)).unwrap();
    let tar = store.blob_path(&session.record("source:linux-6.1").unwrap().outputs["tar"]);
    let dir = tempfile::tempdir().unwrap();
    let unpacked = Command::new("tar")
        .args(["--extract", "--strip-components=1", "--wildcards", "--file"])
        .arg(tar)
        .arg("--directory")
        .arg(dir.path())
        .arg("*/tools/testing/kunit/*")
        .status();
    assert!(unpacked.unwrap().success());
    let kunit = dir.path().join("tools/testing/kunit");
    let oracle = Command::new("python3")
        .args(["-c", ORACLE])
        .arg(&kunit)
        .output()
        .unwrap();
    assert!(
        oracle.status.success(),
        "{}",
        String::from_utf8_lossy(&oracle.stderr)
    );
    let oracle = String::from_utf8(oracle.stdout).unwrap();
    // The reader itself prints too.
    let lines: Vec<&str> = oracle
        .lines()
        .filter_map(|line| line.strip_prefix("ORACLE "))
        .collect();
    assert!(lines.len() > 15, "{oracle}");
    let mut told = String::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, status, counts @ ..] = &words[..] else {
            panic!("{line}");
        };
        let log = fs::read(kunit.join("test_data").join(name)).unwrap();
        // That is how KUnit's kernels end: they have no root.
        let end = "kernel panic: VFS: Unable to mount root fs*".to_owned();
        let ends = String::from_utf8_lossy(&log).contains("Unable to mount root fs");
        let mut console = Console::new(Judging {
            reports_tests: true,
            expects: if ends { vec![end] } else { Vec::new() },
            ..Judging::default()
        });
        console.push(&log);
        let results = console.captured();
        let count = |outcome| {
            let is = |test: &&engine::console::TestResult| test.result == outcome;
            results.tests.iter().filter(is).count()
        };
        let mut ours = [TestOutcome::Pass, TestOutcome::Fail, TestOutcome::Skip].map(count);
        if name.contains("kselftest") {
            // Its tests tell theirs in comments, which the kernel's reader leaves out.
            let mut groups: Vec<&str> = results
                .tests
                .iter()
                .filter_map(|test| Some(test.name.rsplit_once('/')?.0))
                .collect();
            groups.dedup();
            assert!(ours[0] > groups.len(), "{:?}", results.tests);
            ours[0] = groups.len();
        }
        let _ = writeln!(
            told,
            "{name}: {status} {} | {:?} {ours:?} {}",
            counts.join(" "),
            results.verdict,
            results.reason
        );
        let theirs: Vec<usize> = counts.iter().map(|count| count.parse().unwrap()).collect();
        let good = matches!(*status, "SUCCESS" | "SKIPPED");
        // What did not come is no test that failed here: the plan says that it is missing.
        let same = ours == [theirs[0], theirs[1], theirs[3]];
        let verdict = good == (results.reason.is_empty());
        if !same || !verdict {
            let _ = writeln!(told, "^^^ DIFFERS");
        }
    }
    assert!(!told.contains("DIFFERS"), "{told}");
}

const LOG: &str = "\
[    0.000000] Linux version 6.1.0 (buildbot@engine) #1
[    1.000000] ------------[ cut here ]------------
[    1.000001] WARNING: CPU: 0 PID: 1 at fs/x.c:12 do_thing+0x1/0x2 [xfs]
[    1.000002] CPU: 0 PID: 1 Comm: init Tainted: G        W          6.1.0 #1
[    1.000003] Call Trace:
[    1.000004]  do_caller+0x1/0x2
[    1.000005] ---[ end trace 0000000000000000 ]---
[    2.000000] BUG: KASAN: use-after-free in do_thing+0x1/0x2 fs/x.c:12
[    2.000001] Read of size 8 at addr ffff888003c0a000 by task init/1
TAP version 13
1..2
ok 1 fine
# expected 3 got 4
not ok 2 wrong
";

fn ran(world: &World, arguments: &[&str], input: &str) -> String {
    let mut command = world.command(arguments);
    let file = world.path("input");
    fs::write(&file, input).unwrap();
    command.stdin(fs::File::open(file).unwrap());
    let ended = world.run(&mut command);
    ended.to_string()
}

#[test]
fn logs_are_judged_from_anywhere() {
    let world = World::with("");
    world.write("console.log", LOG);
    world.write("fine.log", "[    1.000000] usb 1-1: new device\n");
    world.write("empty.log", "");
    insta::assert_snapshot!(ran(&world, &["judge", "console.log"], ""), @r"
    exit code: 1
    --- stdout
    console.log: failed: KASAN: use-after-free Read in do_thing
      warning  WARNING in do_thing, in module xfs, fs/x.c:12, line 2
      error    KASAN: use-after-free Read in do_thing, fs/x.c:12, line 8
      tests    1 passed, 1 failed, 0 skipped
      not ok   wrong: expected 3 got 4
    ");
    insta::assert_snapshot!(ran(&world, &["judge", "--fails-on", "warning", "fine.log", "empty.log"], ""), @r"
    exit code: 3
    --- stdout
    fine.log: succeeded
    empty.log: broken: no console output
    ");
    insta::assert_snapshot!(ran(&world, &["judge", "--json", "console.log"], ""), @r#"
    exit code: 1
    --- stdout
    {"file":"console.log","findings":[{"class":"warning","count":1,"first_line":2,"function":"do_thing","lines":["------------[ cut here ]------------","WARNING: CPU: 0 PID: 1 at fs/x.c:12 do_thing+0x1/0x2 [xfs]","CPU: 0 PID: 1 Comm: init Tainted: G        W          6.1.0 #1","Call Trace:"," do_caller+0x1/0x2","---[ end trace 0000000000000000 ]---"],"module":"xfs","place":{"file":"fs/x.c","line":12},"severity":"warning","signature":"WARNING in do_thing","taint":"G        W","title":"WARNING in do_thing"},{"class":"kasan","count":1,"first_line":8,"function":"do_thing","lines":["BUG: KASAN: use-after-free in do_thing+0x1/0x2 fs/x.c:12"],"module":"","place":{"file":"fs/x.c","line":12},"severity":"error","signature":"KASAN: use-after-free Read in do_thing","taint":"","title":"KASAN: use-after-free Read in do_thing"}],"kernel_version":"Linux version 6.1.0 (buildbot@engine) #1","reason":"KASAN: use-after-free Read in do_thing","remark":"","signature":"KASAN: use-after-free Read in do_thing","tests":[{"detail":"","name":"fine","result":"pass"},{"detail":"expected 3 got 4","name":"wrong","result":"fail"}],"verdict":"failed","version":1,"warnings":1}
    "#);
    insta::assert_snapshot!(ran(&world, &["judge", "--expect", "BUG: Bad rss*", "-"], "[    1.000000] BUG: Bad rss-counter state mm:1 idx:0 val:15\n"), @r"
    exit code: 0
    --- stdout
    -: succeeded
      error    BUG: Bad rss-counter state, line 1, expected
    ");
    insta::assert_snapshot!(ran(&world, &["judge", "no.log"], ""), @r"
    exit code: 2
    --- stderr
    error: cannot open `no.log`: No such file or directory (os error 2)
    ");
}

/// A job's log as LAVA gives it.
#[test]
fn the_log_of_a_lava_job_is_read() {
    let world = World::with("");
    let log = "- {\"dt\": \"2026-11-28T17:04:10\", \"lvl\": \"info\", \"msg\": \"BUG: says the dispatcher\"}\n\
               - {\"dt\": \"2026-11-28T17:04:11\", \"lvl\": \"target\", \"msg\": \"[    1.000000] BUG: Bad rss-counter state mm:1 idx:0 val:15\"}\n";
    insta::assert_snapshot!(ran(&world, &["judge", "-"], log), @r"
    exit code: 1
    --- stdout
    -: failed: BUG: Bad rss-counter state
      error    BUG: Bad rss-counter state, line 1
    ");
}

/// How long each kind of noise is tried.
const NOISE: Duration = Duration::from_secs(25);

/// Lines of real consoles, cut and mixed with noise.
fn console() -> impl Strategy<Value = Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let files = [
        "judge/arches.txt",
        "judge/classes.txt",
        "console/torn.log",
        "console/passed.log",
    ];
    let lines: Vec<Vec<u8>> = files
        .iter()
        .flat_map(|file| {
            let text = fs::read(root.join(file)).unwrap();
            text.split_inclusive(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect();
    let line = prop::sample::select(lines);
    let cut = (line.clone(), any::<prop::sample::Index>())
        .prop_map(|(line, at)| line[..at.index(line.len())].to_vec());
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec(prop_oneof![6 => line, 2 => cut, 1 => noise], 0..200)
        .prop_map(|parts| parts.concat())
}

/// A `.config` with what people and merges do to it.
fn config() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => "CONFIG_[A-Z0-9_]{0,9}=[ymn0-9\"\\\\ a-f#x-]{0,9}\n",
        2 => "# CONFIG_[A-Z0-9_]{0,9} is not set\n",
        1 => ".{0,20}\n",
        1 => "[\\PC\\x00-\\x1f]{0,20}",
    ];
    prop::collection::vec(line, 0..40).prop_map(|lines| lines.concat())
}

fn tried<S: Strategy>(strategy: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let end = Instant::now() + NOISE;
    let mut rounds = 0;
    while Instant::now() < end {
        let mut runner = TestRunner::new(proptest::test_runner::Config {
            cases: 200,
            failure_persistence: None,
            ..proptest::test_runner::Config::default()
        });
        if let Err(error) = runner.run(strategy, &law) {
            panic!("{error}");
        }
        rounds += 1;
    }
    assert!(rounds > 0);
}

/// No noise makes the reader panic, or what it says depend on how the bytes were cut.
#[test]
fn noise_on_a_console() {
    tried(&(console(), 1usize..4000), |(bytes, size)| {
        let mut whole = Console::new(Judging::default());
        whole.push(&bytes);
        let mut parts = Console::new(Judging::default());
        for part in bytes.chunks(size) {
            parts.push(part);
        }
        let (whole, parts) = (whole.captured(), parts.captured());
        prop_assert!(
            whole
                .findings
                .iter()
                .all(|finding| finding.title.len() <= 400 && finding.lines.len() <= 1001)
        );
        prop_assert_eq!(whole, parts);
        Ok(())
    });
}

/// What a `.config` says is the same when it is written and read again.
#[test]
fn noise_in_a_config() {
    tried(&config(), |text| {
        if let Ok(read) = Config::parse(&text) {
            let again = Config::parse(&read.to_text());
            prop_assert_eq!(again.ok(), Some(read));
        }
        Ok(())
    });
}
