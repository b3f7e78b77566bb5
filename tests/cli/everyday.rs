//! What people do all day: addresses with mistakes in them, two engines at once, reports, logs, terminals, completions.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use engine::drive::Session;
use engine::plan::Selection;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use store::Store;

use super::pinned;
use super::plain;
use super::world::World;

const BUILD: &str = "linux-6.1/x86_64/tiny/gcc";

#[test]
fn a_mistyped_board_or_suite_is_never_green() {
    let world = pinned();
    world.make_up("");
    let mut told = String::new();
    for address in [
        "linux-6.1/x86_64/tiny/gcc/pcx/general",
        "linux-6.1/x86_64/tiny/gcc/pc/generl",
        "boot:linux-6.1/x86_64/tiny/gcc/pcx/general",
        "**/pcx/**",
        "linux-6.1/x86_64/tyni/gcc",
        "linux-6.1/*/tiny/gcc/server/*",
    ] {
        told += &world.engine(&format!("realize {address}")).to_string();
    }
    insta::assert_snapshot!(told, @r"
    exit code: 2
    --- stderr
    error: `linux-6.1/x86_64/tiny/gcc/pcx/general` names no node
      = help: did you mean `linux-6.1/x86_64/tiny/gcc/pc/general`?
    exit code: 2
    --- stderr
    error: `linux-6.1/x86_64/tiny/gcc/pc/generl` names no node
      = help: did you mean `linux-6.1/x86_64/tiny/gcc/pc/general`?
    exit code: 2
    --- stderr
    error: `boot:linux-6.1/x86_64/tiny/gcc/pcx/general` names no node
      = help: did you mean `boot:linux-6.1/x86_64/tiny/gcc/pc/general`?
    exit code: 2
    --- stderr
    error: `**/pcx/**` names no node
      = help: did you mean `**/pc/**`?
    exit code: 2
    --- stderr
    error: `linux-6.1/x86_64/tyni/gcc` names no node
      = help: did you mean `linux-6.1/x86_64/tiny/gcc`?
    exit code: 2
    --- stderr
    error: `linux-6.1/*/tiny/gcc/server/*` names no node
      = help: did you mean `linux-6.1/x86_64/tiny/gcc`?
    ");
    for command in [
        "plan", "results", "matrix", "graph", "boards", "jobs", "log", "why", "show",
    ] {
        let ended = world.engine(&format!("{command} {BUILD}/pcx/general"));
        assert_eq!(ended.code, Some(2), "{command}: {ended}");
        assert!(
            ended
                .stderr
                .contains("did you mean `linux-6.1/x86_64/tiny/gcc/pc/general`?"),
            "{ended}"
        );
    }
}

/// What stands behind `**` may be a part of a build, or of a boot: it leads only where there is one.
#[test]
fn a_pattern_leads_through_no_other_builds() {
    let world = pinned();
    world.make_up("");
    insta::assert_snapshot!(world.engine("realize --until config **/tiny/gcc"), @r"
    exit code: 0
    --- stderr
    nothing to do: 8 nodes fresh
    ");
    insta::assert_snapshot!(world.engine("realize --until config **/pc/general"), @r"
    exit code: 0
    --- stderr
    nothing to do: 9 nodes fresh
    ");
}

#[test]
fn a_board_that_does_not_fit_is_told_with_its_reasons() {
    let world = pinned();
    world.make_up("");
    insta::assert_snapshot!(world.engine(&format!("realize {BUILD}/pc-disk/general")), @r"
    exit code: 1
    --- stderr
    nothing to do: 10 nodes fresh
    error: linux-6.1/x86_64/tiny/gcc on pc-disk: no match
      `EXT4_FS` is not set, wanted `y`
    ");
    for command in [
        "realize", "plan", "results", "matrix", "graph", "boards", "log", "why", "show",
    ] {
        let ended = world.engine(&format!("{command} boot:{BUILD}/pc-disk/general"));
        assert_eq!(ended.code, Some(1), "{command}: {ended}");
        assert!(
            ended.stderr.contains("`EXT4_FS` is not set, wanted `y`"),
            "{ended}"
        );
    }
    // One of several builds is enough, and what fits is no matter of how it is asked for.
    for address in ["**/pc/**", "linux-6.1/*/*/gcc/pc", BUILD, "boot:**/general"] {
        let ended = world.engine(&format!("realize {address}"));
        assert_eq!(ended.code, Some(0), "{address}: {ended}");
    }
    insta::assert_snapshot!(world.engine("realize **/pc-disk/**"), @r"
    exit code: 1
    --- stderr
    nothing to do: 13 nodes fresh
    error: linux-6.1/x86_64/big/gcc on pc-disk: no match
      `PCI` is not set, wanted `y`
      `EXT4_FS` is not set, wanted `y`
      rootfs `initramfs`, ABI `x86_64`: `X86_64` is not set, wanted `y`
    linux-6.1/x86_64/tiny/gcc on pc-disk: no match
      `EXT4_FS` is not set, wanted `y`
    ");
}

#[test]
fn a_job_of_a_board_that_does_not_fit_says_why_there_is_none() {
    let world = World::with(&format!(
        "{}{}",
        super::SMALL.replace("qemu: QEMU", "qemu: QEMU, lava: LAVA"),
        r#"lab("far", #{ lava: #{ url: "http://127.0.0.1:1", user: "u", token: #{ env: "LAVA_TOKEN" } } });"#,
    ));
    world.edit(
        "main.rhai",
        "board(\"pc\"",
        "const LAVA = #{ device_type: \"qemu\", method: \"qemu\" };\nboard(\"pc\"",
    );
    world.pin();
    world.make_up("");
    let ended = world.engine(&format!("jobs {BUILD}/pc/general"));
    assert_eq!(ended.code, Some(0), "{ended}");
    insta::assert_snapshot!(world.engine(&format!("jobs {BUILD}/pc-disk/general")), @r"
    exit code: 1
    --- stderr
    error: linux-6.1/x86_64/tiny/gcc on pc-disk: no match
      `EXT4_FS` is not set, wanted `y`
    ");
}

#[test]
fn a_board_of_a_build_that_is_not_matched_yet_is_waited_for() {
    let world = pinned();
    let ended = world.engine(&format!("plan {BUILD}/pc-disk/general"));
    assert_eq!(ended.code, Some(0), "{ended}");
    insta::assert_snapshot!(world.engine(&format!("log {BUILD}/pc-disk/general")), @r"
    exit code: 2
    --- stderr
    error: `linux-6.1/x86_64/tiny/gcc/pc-disk/general` has no result yet: its build is not matched against boards yet
      = help: `engine realize linux-6.1/x86_64/tiny/gcc/pc-disk/general` makes one
    ");
}

#[test]
fn engines_at_the_same_results_do_not_trip_over_each_other() {
    let world = pinned();
    world.make_up("");
    for _ in 0..8 {
        let _ = fs::remove_dir_all(world.path("project/results"));
        let start = |_| {
            let mut command = world.command(&["realize"]);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let engines: Vec<_> = (0..4).map(start).collect();
        for engine in engines {
            let output = engine.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{said}");
        }
        let boot = world
            .path("project/results")
            .join(BUILD)
            .join("boots/pc/general");
        let names: Vec<_> = fs::read_dir(boot)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}

#[test]
fn ctrl_c_ends_the_wait_for_another_engine() {
    let world = pinned();
    assert_eq!(world.engine("plan").code, Some(0));
    let store = Arc::new(Store::open(&world.path("store")).unwrap());
    let session = Session::open(&world.path("project"), Arc::clone(&store)).unwrap();
    let mut progress = session.progress(Selection::all(None), false).unwrap();
    let ready = progress.take_ready();
    let claims: Vec<_> = ready
        .iter()
        .map(|id| {
            let key = progress.state(*id).key().unwrap();
            store.try_claim(&key).unwrap().expect("nobody else is here")
        })
        .collect();
    let mut child = world
        .command(&["realize"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (mut said, mut buffer) = (String::new(), [0; 4096]);
    while !said.contains("waits for another engine") {
        let count = stderr.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended: {said}");
        said += &String::from_utf8_lossy(&buffer[..count]);
    }
    let start = Instant::now();
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(status.code(), Some(3));
    drop(claims);
}

#[test]
fn what_cannot_be_written_is_known_before_the_run() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("realize --junit nowhere/report.xml"), @r"
    exit code: 3
    --- stderr
    error: cannot write `nowhere/report.xml`: No such file or directory (os error 2)
    ");
    world.write("occupied", "");
    insta::assert_snapshot!(world.engine("realize --results occupied"), @r"
    exit code: 3
    --- stderr
    error: cannot write `occupied`: File exists (os error 17)
    ");
    // A report is replaced as a whole, and what was in it is gone.
    world.make_up("");
    world.write("report.xml", &"x".repeat(100_000));
    assert_eq!(world.engine("realize --junit report.xml").code, Some(0));
    let report = fs::read_to_string(world.path("project/report.xml")).unwrap();
    assert!(report.ends_with("</testsuites>\n"), "{report}");
    assert!(
        report.contains(r#"<testcase name="a" classname="linux-6.1/x86_64/tiny/gcc/pc/general""#)
    );
}

#[test]
fn a_log_says_whose_it_is() {
    let world = pinned();
    world.make_up("");
    world.engine("realize");
    world.edit("main.rhai", "PCI: \"y\"", "PCI: \"y\", SMP: \"y\"");
    insta::assert_snapshot!(world.engine(&format!("log config:{BUILD}")), @r"
    exit code: 0
    --- stdout
    the log of linux-6.1/x86_64/tiny/gcc
    --- stderr
    `config:linux-6.1/x86_64/tiny/gcc` is stale now; this is the log of run 1
    ");
    insta::assert_snapshot!(world.engine(&format!("log --run 1 {BUILD}")), @r"
    exit code: 0
    --- stdout
    the log of linux-6.1/x86_64/tiny/gcc
    ");
    insta::assert_snapshot!(world.engine(&format!("log --run 0 {BUILD}")), @r"
    exit code: 2
    --- stderr
    error: there is no log of `kernel:linux-6.1/x86_64/tiny/gcc`: run 0 did not know it
    ");
    insta::assert_snapshot!(world.engine("log --follow image:kbuild"), @r"
    exit code: 0
    --- stdout
    the log of kbuild
    --- stderr
    no engine is at it now
    ");
}

#[test]
fn a_log_is_followed_while_an_engine_writes_it() {
    let world = pinned();
    world.make_up("");
    let store = Arc::new(Store::open(&world.path("store")).unwrap());
    let session = Session::open(&world.path("project"), Arc::clone(&store)).unwrap();
    let (progress, id) = session.locate(BUILD).unwrap();
    let key = progress.state(id).key().unwrap();
    let claim = store.try_claim(&key).unwrap().unwrap();
    let path = world.path("running");
    fs::write(&path, "  CC a.o\n\u{1b}[31m  CC").unwrap();
    claim.note(&path.to_string_lossy()).unwrap();
    insta::assert_snapshot!(world.engine(&format!("log {BUILD}")), @r"
    exit code: 0
    --- stdout
    the log of linux-6.1/x86_64/tiny/gcc
    --- stderr
    `kernel:linux-6.1/x86_64/tiny/gcc` is being made again; this is the log of its last result
    ");
    let mut follower = world
        .command(&["log", "--follow", BUILD])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(400));
    fs::write(&path, "  CC a.o\n\u{1b}[31m  CC b.o\nend").unwrap();
    sleep(Duration::from_millis(400));
    drop(claim);
    let mut said = String::new();
    follower
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "  CC a.o\n  CC b.o\nend");
    assert!(follower.wait().unwrap().success());
}

#[test]
fn a_plan_bounds_only_what_ran_before() {
    let world = pinned();
    world.make_up("");
    world.engine("realize");
    world.edit("main.rhai", "PCI: \"y\"", "PCI: \"y\", SMP: \"y\"");
    world.edit(
        "main.rhai",
        "const SUITE",
        "defconfig(X86_64, \"new\", #{ recipe: tiny() });\nconst SUITE",
    );
    insta::assert_snapshot!(world.engine("plan"), @r"
    exit code: 0
    --- stdout
    run      config linux-6.1/x86_64/new/gcc: never ran
    may run  kernel linux-6.1/x86_64/new/gcc
    may run  match linux-6.1/x86_64/new/gcc
    run      config linux-6.1/x86_64/tiny/gcc: `fixups.SMP` gains `must y`
    may run  kernel linux-6.1/x86_64/tiny/gcc
    may run  match linux-6.1/x86_64/tiny/gcc
    2 to run, 4 may run, 10 fresh
    boots of 2 builds: unknown until their configs are resolved and matched
    cost: at most 30s for what ran before; unknown for 3 nodes that never ran, others of their kind took 10s
    ");
    let dry = world.engine("realize --dry-run");
    assert_eq!(dry.to_string(), world.engine("plan").to_string());
}

#[test]
fn a_project_begins_with_results_that_git_does_not_see() {
    let world = World::new();
    insta::assert_snapshot!(world.engine("init new"), @r"
    exit code: 0
    --- stderr
    wrote 4 files into `new`
    next: `engine check`, `engine update` to pin packages, `engine realize`
    ");
    let ignored = fs::read_to_string(world.path("project/new/.gitignore")).unwrap();
    assert_eq!(ignored, "/results/\n");
    fs::create_dir(world.path("project/other")).unwrap();
    world.write("other/.gitignore", "*.o\n");
    insta::assert_snapshot!(world.engine("init other"), @r"
    exit code: 0
    --- stderr
    `.gitignore` is there already; let it have the line `/results/`
    wrote 4 files into `other`
    next: `engine check`, `engine update` to pin packages, `engine realize`
    ");
}

#[test]
fn a_shell_completes_commands_and_addresses() {
    let world = pinned();
    let script = world.engine("completions bash");
    assert!(
        script.code == Some(0) && script.stdout.contains("ENGINE_COMPLETE"),
        "{script}"
    );
    let complete = |words: &[&str]| {
        let mut command = world.command(&["--", "engine"]);
        let index = words.len().to_string();
        command
            .args(words)
            .env("ENGINE_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", index);
        command
            .env("_CLAP_COMPLETE_COMP_TYPE", "9")
            .env("_CLAP_IFS", "\n");
        world.run(&mut command).stdout
    };
    insta::assert_snapshot!(complete(&["realize", "linux-6.1/x86_64/t"]), @"linux-6.1/x86_64/tiny/gcc");
    insta::assert_snapshot!(complete(&["log", "linux-6.1/x86_64/tiny/gcc/pc-"]), @"linux-6.1/x86_64/tiny/gcc/pc-disk/general");
    assert!(complete(&["rea"]).contains("realize"));
}

#[test]
fn a_manual_page_names_the_arguments() {
    let world = World::new();
    assert_eq!(world.engine("man pages").code, Some(0));
    let page = fs::read_to_string(world.path("project/pages/engine-log.1")).unwrap();
    let synopsis = page
        .split(".SH ")
        .find(|part| part.starts_with("SYNOPSIS"))
        .unwrap();
    insta::assert_snapshot!(synopsis, @r"
    SYNOPSIS
    engine log [OPTIONS] <NODE>
    ");
}

/// `script` of Debian's bsdutils gives a program a terminal.
#[test]
fn nobody_watches_in_ci_and_a_poor_locale_gets_ascii() {
    let world = pinned();
    world.make_up("tiny");
    let in_terminal = |setting: (&str, &str)| {
        let engine = format!("{} realize --color never", env!("CARGO_BIN_EXE_engine"));
        let mut command = Command::new("script");
        command
            .args(["-qec", &engine, "/dev/null"])
            .stdin(Stdio::null());
        command.current_dir(world.path("project")).env_clear();
        command
            .env("HOME", world.path("home"))
            .env("ENGINE_STORE", world.path("store"));
        command
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm")
            .env("PATH", "/usr/bin:/bin");
        command.env(setting.0, setting.1);
        let ended = world.run(&mut command);
        plain(&ended).replace('\r', "")
    };
    let ci = in_terminal(("CI", "true"));
    assert!(!ci.contains('\u{1b}'), "{ci:?}");
    let ascii = in_terminal(("LC_ALL", "C"));
    assert!(ascii.is_ascii(), "{ascii:?}");
}

#[test]
fn a_report_that_exists_keeps_its_mode() {
    let world = pinned();
    world.make_up("");
    world.write("report.xml", "old");
    let path = world.path("project/report.xml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(world.engine("realize --junit report.xml").code, Some(0));
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
}
