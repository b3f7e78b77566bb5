//! Consoles judged: the kernel's own data of `KUnit` with the kernel's own reader as the oracle, `engine judge`, and a minute of noise.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "world/real.rs"]
mod real;
#[path = "world/serve.rs"]
mod server;
#[path = "world/tarball.rs"]
mod tarballs;
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
use server::serve;
use store::Store;
use tarballs::tarball;
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
        let mut ours = [TestOutcome::Pass, TestOutcome::Fail, TestOutcome::Skip]
            .map(|outcome| results.count(outcome));
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

/// A source that is built as a kernel is, by the image's own make and gcc, and is one C file.
const MAKEFILE: &str = "\
VERSION = 6
PATCHLEVEL = 1
randconfig:
\t@mkdir -p $(O)/scripts/kconfig; cp -n conf.sh $(O)/scripts/kconfig/conf; chmod +x $(O)/scripts/kconfig/conf
\t@cd $(O); scripts/kconfig/conf --$@
x.o:
\t@echo '  CC      x.o'
\t@PREPARE
\t@gcc -Wall -c -o $(O)/x.o $(CURDIR)/x.c
";

/// Its kconfig: a given .config is complete, and any other is of one line.
const CONF: &str =
    "#!/bin/sh\n[ $1 = --olddefconfig ] || echo 'CONFIG_CC_VERSION_TEXT=\"gcc\"' > .config\n";

/// Builds it and gives what the run told of it, with its exit code.
fn built(demo: &Real, name: &str, prepare: &str, program: &str) -> String {
    built_from(demo, name, "tiny()", prepare, program)
}

/// The same from another recipe, or with fixups behind it.
fn built_from(demo: &Real, name: &str, recipe: &str, prepare: &str, program: &str) -> String {
    // Never built before: what is in the store already is not told again.
    let makefile = MAKEFILE.replace("PREPARE", prepare);
    let makefile = format!("{makefile}# {}\n", demo.path().display());
    let tar = tarball(&[
        ("linux/Makefile", makefile.as_str()),
        ("linux/conf.sh", CONF),
        ("linux/x.c", program),
    ]);
    let sha256 = store::Checksum::of(store::Algorithm::Sha256, &tar);
    let url = serve("x.tar", tar);
    let definitions = format!(
        "import \"toolchains\" as tc;\nsource(\"s\", #{{ tarball: #{{ url: \"{url}\", sha256: \"{}\" }} }});\n\
         const A = arch(\"x86_64\", #{{ kernel_arch: \"x86_64\", kernel_image: \"x.o\", toolchains: [tc::gcc] }});\n\
         defconfig(A, \"{name}\", #{{ recipe: {recipe} }});\n",
        sha256.hex()
    );
    fs::write(demo.path().join("main.rhai"), definitions).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_engine"))
        .args(["realize", "--store"])
        .arg(&demo.store)
        .current_dir(demo.path())
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    let about = text
        .lines()
        .map(str::trim)
        .filter(|line| line.contains("kernel s/x86_64"));
    let line = about
        .clone()
        .next()
        .unwrap_or_default()
        .split_once("  kernel ");
    let remark = line.map_or("", |(_, remark)| remark).to_owned();
    let reason = text
        .lines()
        .skip_while(|line| !line.contains(": kernel s/"))
        .nth(1)
        .unwrap_or_default()
        .trim()
        .to_owned();
    let again = String::from_utf8_lossy(&run.stderr).contains("runs once more");
    format!(
        "{} {remark} {reason}{}",
        run.status.code().unwrap(),
        if again { " (tried twice)" } else { "" }
    )
}

/// With a real make and a real compiler: what failed is told by the first real error, and whose fault it is by how processes ended.
#[test]
fn builds_are_judged_by_evidence() {
    let demo = Real::demo();
    let quoted = "int pr(const char *s);\nint f(void)\n{\n\treturn pr(\"Cannot allocate memory\\n\") + missing_name;\n}\n";
    let warns = "int f(void)\n{\n\tint unused;\n\treturn 0;\n}\n";
    let more = "int f(void)\n{\n\tint unused;\n\treturn 0;\n}\nstatic int g(void) { return 1; }\n";
    let told = [
        built(&demo, "quoted", "true", quoted),
        built(&demo, "warns", "true", warns),
        built(&demo, "warns", "true", more),
        built(&demo, "killed", "sh -c 'kill -9 $$$$'", warns),
        built(&demo, "crashed", "sh -c 'kill -11 $$$$'", warns),
        built(
            &demo,
            "full",
            "echo 'cp: error writing /build/y: No space left on device' >&2; false",
            warns,
        ),
        built(&demo, "missing", "frobnicate", warns),
    ];
    let store = demo.store.canonicalize().unwrap();
    let told = told
        .join("\n")
        .replace(&store.display().to_string(), "STORE")
        .replace(&demo.store.display().to_string(), "STORE");
    let told = regex::Regex::new(r"work/[\w-]+")
        .unwrap()
        .replace_all(&told, "work/WORK")
        .into_owned();
    insta::assert_snapshot!(told, @"
    1 s/x86_64/quoted/gcc x.c:4: 'missing_name' undeclared (first use in this function)
    0 s/x86_64/warns/gcc, 1 warning 
    0 s/x86_64/warns/gcc, 2 warnings, 1 new: x.c:6: 'g' defined but not used [-Wunused-function] 
    3 s/x86_64/killed/gcc make: *** [Makefile:8: x.o] Killed
    1 s/x86_64/crashed/gcc make: *** [Makefile:8: x.o] Segmentation fault (tried twice)
    3 s/x86_64/full/gcc no space is left for `STORE/work/WORK/tree/build`: cp: error writing /build/y: No space left on device
    1 s/x86_64/missing/gcc `frobnicate` is not in the image
    ");
}

/// A file's last line may lack its end, and its bytes may be anything.
#[test]
fn builds_from_a_config_file_keep_its_bytes_and_every_fixup() {
    let demo = Real::demo();
    let start = b"CONFIG_CC_VERSION_TEXT=\"gcc\"\nCONFIG_LOCALVERSION=\"-\xfc\"";
    fs::write(demo.path().join("start.config"), start).unwrap();
    let recipe = "config_file(file(\"start.config\")), fixups: [must(#{ A: \"y\", B: \"m\" })]";
    let told = built_from(&demo, "file", recipe, "true", "int f(void) { return 0; }\n");
    assert_eq!(told, "0 s/x86_64/file/gcc ");
    let config = fs::read(demo.path().join("results/s/x86_64/file/gcc/config")).unwrap();
    let wanted = b"CONFIG_LOCALVERSION=\"-\xfc\"\nCONFIG_A=y\nCONFIG_B=m\n";
    let lines: Vec<u8> = config
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"CONFIG_"))
        .flatten()
        .copied()
        .collect();
    assert!(
        lines.ends_with(wanted),
        "{}",
        String::from_utf8_lossy(&config)
    );
}

/// `scripts/gen-randstruct-seed.sh` asks `od` for random bytes: where layouts are shuffled, it gets the same each time.
#[test]
fn builds_that_shuffle_layouts_are_the_same_again() {
    let demo = Real::demo();
    let seeded = "od -A n -t x8 -N 32 /dev/urandom | tr -d ' \\n' | sed 's/.*/char seed[] = \"&\";/' > $(O)/seed.h";
    for (name, shuffles, again) in [("shuffled", "CONFIG_RANDSTRUCT=y\n", 0), ("random", "", 1)] {
        let start = format!("CONFIG_CC_VERSION_TEXT=\"gcc\"\n{shuffles}");
        fs::write(demo.path().join("start.config"), start).unwrap();
        let recipe = "config_file(file(\"start.config\"))";
        let told = built_from(&demo, name, recipe, seeded, "#include \"/build/seed.h\"\n");
        assert_eq!(told, format!("0 s/x86_64/{name}/gcc "));
        let rebuilt = demo.realize(&["--rebuild", &format!("kernel:s/x86_64/{name}/gcc")]);
        assert_eq!(rebuilt.code, again, "{name}: {}", rebuilt.stderr);
    }
}

const SIGNED: &str = r#"
import "toolchains" as tc;
import "std/debian" as debian;
source("linux-6.1", debian::linux("6.1", "bookworm"));
const X86 = arch("x86_64", #{ kernel_arch: "x86_64", kernel_image: "arch/x86/boot/bzImage", toolchains: [tc::gcc] });
defconfig(X86, "signed", #{ recipe: tiny(), fixups: [must(#{
    MODULES: "y", MODULE_SIG: "y", MODULE_SIG_ALL: "y", CRYPTO: "y", CRYPTO_MD5: "m", IKCONFIG: "y", IKHEADERS: "y",
    BUILD_SALT: "salt", PRINTK: "y", SYSFS: "y", PROC_FS: "y",
})] });
"#;

/// Keys, salts, archives of headers: what a build would take from the clock or from randomness is fixed.
#[test]
#[ignore = "two kernels: `make test-judge` runs it"]
fn a_kernel_with_signed_modules_is_the_same_again() {
    let demo = Real::demo();
    fs::write(demo.path().join("main.rhai"), SIGNED).unwrap();
    demo.update();
    let kernel = "kernel:linux-6.1/x86_64/signed/gcc";
    let first = demo.realize(&[kernel]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let modules = demo
        .path()
        .join("results/linux-6.1/x86_64/signed/gcc/modules.tar");
    let modules = fs::read(modules).unwrap();
    assert!(
        modules
            .windows(28)
            .any(|bytes| bytes == b"~Module signature appended~\n"),
        "no module is signed"
    );
    let again = demo.realize(&["--rebuild", kernel]);
    assert_eq!(
        (again.code, again.ran),
        (0, vec![kernel.to_owned()]),
        "{}",
        again.stderr
    );
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
