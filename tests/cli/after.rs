//! What is told after a run.

use std::fs;
use std::process::Stdio;

use regex::Regex;

use super::pinned;
use super::plain;
use super::world::World;
use engine::plan::Selection;

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let world = World::new();
    let mut child = world
        .command(&["doc"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), &output.stderr[..]),
        (Some(0), &b""[..])
    );
}

#[test]
fn a_run_with_nothing_to_do_is_one_line() {
    let world = pinned();
    world.make_up("");
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 0
    --- stderr
    nothing to do: 15 nodes fresh
    ");
    insta::assert_snapshot!(world.engine("realize --quiet"), @"exit code: 0");
    let events = world.engine("realize --json linux-6.1/*/tiny --until kernel");
    assert_eq!((events.code, events.stderr.as_str()), (Some(0), ""));
    let words: Vec<String> = events
        .stdout
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["v"], 1);
            event["event"].as_str().unwrap().to_owned()
        })
        .collect();
    let finished = ["node_finished"; 9];
    assert_eq!(
        words,
        [&["run_started"], &finished[..], &["run_finished"]].concat()
    );
    let link =
        fs::read_link(world.path("project/results/linux-6.1/x86_64/tiny/gcc/image")).unwrap();
    assert_eq!(fs::read_to_string(link).unwrap(), "image");
    assert!(
        world
            .path("project/results/linux-6.1/x86_64/tiny/gcc/boots/pc/general/console.log")
            .is_file()
    );
}

#[test]
fn a_recorded_failure_ends_in_1_and_is_listed_last() {
    let world = pinned();
    world.make_up("tiny");
    insta::assert_snapshot!(plain(&world.engine("realize --junit report.xml")), @"
    exit code: 1
    --- stdout
    VERDICT    CACHED      TIME  NODE
    succeeded  cached       10s  kernel linux-6.1/x86_64/big/gcc
    failed     cached       10s  kernel linux-6.1/x86_64/tiny/gcc
    skipped                      boot linux-6.1/x86_64/tiny/gcc/pc/general

    13 succeeded, 1 failed, 1 skipped (14 of 15 cached) in [TIME]

    failed: kernel linux-6.1/x86_64/tiny/gcc
        a.c:3:1: error: unknown type
        log: [WORLD]/store/blobs/[..]/[KEY]
    --- stderr
    [12/15] kernel linux-6.1/x86_64/tiny/gcc ... failed (cached): a.c:3:1: error: unknown type
    results: [WORLD]/project/results
    store: [WORLD]/store, [SIZE]
    ");
    let junit = fs::read_to_string(world.path("project/report.xml")).unwrap();
    assert!(junit.contains("a.c:3:1: error: unknown type"), "{junit}");
    insta::assert_snapshot!(world.engine("log linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 0
    --- stdout
    the log of linux-6.1/x86_64/tiny/gcc
    ");
    insta::assert_snapshot!(world.engine("plan --retry-failed linux-6.1/x86_64/tiny"), @r"
    exit code: 0
    --- stdout
    run      kernel linux-6.1/x86_64/tiny/gcc: asked to run again
    may run  boot linux-6.1/x86_64/tiny/gcc/pc/general
    1 to run, 1 may run, 10 fresh
    cost: at most 10s for what ran before; unknown for 1 node that never ran
    ");
}

#[test]
fn boards_of_resolved_configs() {
    let world = pinned();
    world.make_up("");
    insta::assert_snapshot!(world.engine("boards"), @"
    exit code: 0
    --- stdout
    BUILD                      BOARDS
    linux-6.1/x86_64/big/gcc   none
    linux-6.1/x86_64/tiny/gcc  pc
    --- stderr
    boards that none of these builds boots: pc-disk
    ");
    insta::assert_snapshot!(world.engine("boards --why linux-6.1/x86_64/*/gcc pc-disk"), @"
    exit code: 0
    --- stdout
    linux-6.1/x86_64/big/gcc on pc-disk: no match
      `PCI` is not set, wanted `y`
      `EXT4_FS` is not set, wanted `y`
      rootfs `initramfs`, ABI `x86_64`: `X86_64` is not set, wanted `y`
    linux-6.1/x86_64/tiny/gcc on pc-disk: no match
      `EXT4_FS` is not set, wanted `y`
    ");
}

#[test]
fn manual_builds_run_only_when_they_are_named() {
    let world = pinned();
    world.edit(
        "main.rhai",
        "recipe: tiny(),",
        "recipe: tiny(), manual: true,",
    );
    world.make_up("");
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 0
    --- stderr
    left out: 1 manual build; an address that says `tiny` runs it
    nothing to do: 10 nodes fresh
    ");
    insta::assert_snapshot!(world.engine("boards linux-6.1/*/t*"), @"
    exit code: 0
    --- stdout
    BUILD  BOARDS
    --- stderr
    left out: 1 manual build; an address that says `tiny` runs it
    ");
    insta::assert_snapshot!(world.engine("plan linux-6.1/*/tiny"), @r"
    exit code: 0
    --- stdout
    run      config linux-6.1/x86_64/tiny/gcc: never ran
    may run  kernel linux-6.1/x86_64/tiny/gcc
    may run  match linux-6.1/x86_64/tiny/gcc
    1 to run, 2 may run, 7 fresh
    boots of 1 build: unknown until their configs are resolved and matched
    cost: unknown for 3 nodes that never ran, others of their kind took 10s
    ");
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 0
    --- stderr
    the definitions are good: 1 source, 1 arch, 2 configurations, 1 toolchain, 2 boards, 1 suite, 2 builds
    ");
    world.edit(
        "main.rhai",
        "kind: \"gcc\",",
        "kind: \"gcc\", manual: true,",
    );
    insta::assert_snapshot!(world.engine("plan linux-6.1/*/tiny"), @"
    exit code: 0
    --- stdout
    0 to run, 0 may run, 0 fresh
    --- stderr
    left out: 1 manual build; an address that says `gcc` runs it
    ");
}

#[test]
fn a_run_of_all_does_not_end_what_manual_builds_gave() {
    let world = pinned();
    world.edit(
        "main.rhai",
        "recipe: tiny(),",
        "recipe: tiny(), manual: true,",
    );
    world.make_up("");
    let patterns = ["linux-6.1/*/tiny".to_owned()];
    world.make_up_of(Selection::of(&patterns, None).unwrap(), "");
    let boots = || {
        let store = store::Store::open(&world.path("store")).unwrap();
        let names = store
            .currents()
            .unwrap()
            .into_iter()
            .map(|outcome| outcome.name);
        names.filter(|name| name.contains(" boot:")).count()
    };
    assert_eq!(world.engine("realize linux-6.1/*/tiny").code, Some(0));
    assert_eq!(boots(), 1);
    assert_eq!(world.engine("realize").code, Some(0));
    assert_eq!(boots(), 1);
    world.edit("main.rhai", "\"pc\", #{", "\"other-pc\", #{");
    assert_eq!(world.engine("realize").code, Some(0));
    assert_eq!(boots(), 0);
}

#[test]
fn what_an_edit_makes_stale_and_why() {
    let world = pinned();
    world.make_up("");
    world.engine("realize");
    world.edit("main.rhai", "// One kernel", "// A kernel");
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 0
    --- stdout
    0 to run, 0 may run, 15 fresh
    ");
    world.edit("main.rhai", "PCI: \"y\"", "PCI: \"y\", SMP: \"y\"");
    insta::assert_snapshot!(world.engine("plan"), @r"
    exit code: 0
    --- stdout
    run      config linux-6.1/x86_64/tiny/gcc: `fixups.SMP` gains `must y`
    may run  kernel linux-6.1/x86_64/tiny/gcc
    may run  match linux-6.1/x86_64/tiny/gcc
    1 to run, 2 may run, 10 fresh
    boots of 1 build: unknown until their configs are resolved and matched
    cost: at most 30s
    ");
    insta::assert_snapshot!(world.engine("why linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 0
    --- stdout
    kernel:linux-6.1/x86_64/tiny/gcc: unknown until its inputs are resolved
      config:linux-6.1/x86_64/tiny/gcc: `fixups.SMP` gains `must y`
    ");
    insta::assert_snapshot!(world.engine("why linux-6.1/x86_64/big/gcc"), @"
    exit code: 0
    --- stdout
    kernel:linux-6.1/x86_64/big/gcc: fresh
      nothing changed
    ");
    insta::assert_snapshot!(world.engine("results linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 0
    --- stdout
    VERDICT    KIND     ADDRESS                    REASON
    succeeded  fetch    source/linux-6.1
    succeeded  source   linux-6.1
    succeeded  fetch    base/deb
    succeeded  base     deb
    succeeded  fetch    image/kbuild
    succeeded  image    kbuild
    succeeded  kconfig  linux-6.1/x86_64/gcc
    skipped    config   linux-6.1/x86_64/tiny/gcc  stale
    skipped    kernel   linux-6.1/x86_64/tiny/gcc  unknown until its inputs are resolved
    skipped    match    linux-6.1/x86_64/tiny/gcc  unknown until its inputs are resolved
    ");
}

#[test]
fn a_table_of_builds_and_boots() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("matrix"), @"
    exit code: 1
    --- stdout
    BUILD                      KERNEL                                       TOOK  IMAGE  BOARD  BOOT                                                           LAST LINE
    linux-6.1/x86_64/big/gcc   none: unknown until its inputs are resolved               -      boards are not matched: unknown until its inputs are resolved
    linux-6.1/x86_64/tiny/gcc  none: unknown until its inputs are resolved               -      boards are not matched: unknown until its inputs are resolved
    matrix: 0/1 booted
    ");
    world.make_up("");
    insta::assert_snapshot!(world.engine("matrix"), @"
    exit code: 0
    --- stdout
    BUILD                      KERNEL  TOOK  IMAGE    BOARD  BOOT                   LAST LINE
    linux-6.1/x86_64/big/gcc   6.1.0   10s   4.0 KiB  -      no board fits
    linux-6.1/x86_64/tiny/gcc  6.1.0   10s   4.0 KiB  pc     ok, 1 of 1 tests, 10s  Linux version
    matrix: 1/1 booted
    ");
    insta::assert_snapshot!(world.engine("matrix --markdown linux-6.1/x86_64/tiny"), @"
    exit code: 0
    --- stdout
    | build | kernel | compiler | took | image | fixups that did not stick | board | boot | console's last line |
    |---|---|---|---|---|---|---|---|---|
    | linux-6.1/x86_64/tiny/gcc | 6.1.0 | gcc 12 | 10s | 4.0 KiB | `X`: asked `y`, got nothing | pc | ok, 1 of 1 tests, 10s | Linux version |

    1 build on 1 arch
    matrix: 1/1 booted
    ");
}

#[test]
fn a_plan_tells_the_builds_of_each_board() {
    let world = pinned();
    world.make_up("");
    insta::assert_snapshot!(world.engine("plan --verbose linux-6.1/x86_64/tiny"), @"
    exit code: 0
    --- stdout
    fresh    fetch source/linux-6.1
    fresh    source linux-6.1
    fresh    fetch base/deb
    fresh    base deb
    fresh    fetch image/kbuild
    fresh    image kbuild
    fresh    kconfig linux-6.1/x86_64/gcc
    fresh    config linux-6.1/x86_64/tiny/gcc
    fresh    kernel linux-6.1/x86_64/tiny/gcc
    fresh    match linux-6.1/x86_64/tiny/gcc
    fresh    rootfs initramfs/general
    fresh    boot linux-6.1/x86_64/tiny/gcc/pc/general
    0 to run, 0 may run, 12 fresh
    board pc: 1 build would boot it
      linux-6.1/x86_64/tiny/gcc
    boards that none of these builds boots: pc-disk
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is snapshots")]
fn a_node_is_laid_open() {
    let world = pinned();
    world.make_up("");
    let show = |node: &str| plain(&world.engine(&format!("show {node}")));
    insta::assert_snapshot!(show("config:linux-6.1/x86_64/tiny/gcc"), @r"
    exit code: 0
    --- stdout
    config:linux-6.1/x86_64/tiny/gcc: fresh, made in 10s
    key  [KEY]
    spec, revision 4 of its recipe
      accelerate   none
      fixups
        PCI  must y
      kernel_arch  x86_64
      make         none
      recipe       Tiny
    inputs
      image    83ebc0809540  tar of image:kbuild
      kconfig  83ebc0809540  tar of kconfig:linux-6.1/x86_64/gcc
      source   83ebc0809540  tar of source:linux-6.1
    outputs
      config  ed862720ba71  29 B
    facts
      dropped
        - outcome  `X`: asked `y`, got nothing
    ");
    insta::assert_snapshot!(show("linux-6.1/x86_64/tiny/gcc/pc/general"), @"
    exit code: 0
    --- stdout
    boot:linux-6.1/x86_64/tiny/gcc/pc/general: fresh, made in 10s
    key  [KEY]
    spec, revision 4 of its recipe
      accel         tcg
      judging
        expects        none
        fails_on       error
        reports_tests  false
      machine
        args       none
        binary     qemu-system-x86_64
        cmdline    empty
        console    ttyS0
        cpu        empty
        disk       none
        dtb        empty
        machine    none
        memory_mb  512
        nic        empty
      silence_secs  60
      total_secs    150
      version       [QEMU]
    inputs
      initrd  d0e017f7addc  initrd of rootfs:initramfs/general
      kernel  0229ff7dec8a  image of kernel:linux-6.1/x86_64/tiny/gcc
    outputs
      console.log   0ac338442d40  14 B
      results.json  c6d0d759194c  238 B
    ");
    insta::assert_snapshot!(show("match:linux-6.1/x86_64/tiny/gcc"), @r#"
    exit code: 0
    --- stdout
    match:linux-6.1/x86_64/tiny/gcc: fresh, made in 10s
    key  [KEY]
    spec, revision 1 of its recipe
      boards
        pc
          abi       X86_64
          requires  cfg("PCI")
        pc-disk
          abi       X86_64
          requires  cfg("PCI") & cfg("EXT4_FS")
      matcher  1
    inputs
      config  ed862720ba71  config of config:linux-6.1/x86_64/tiny/gcc
    facts
      boards  pc
    "#);
    let json = world.engine("show --json rootfs:initramfs/general").stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["v"], &json["kind"]), (&1.into(), &"rootfs".into()));
    assert!(json["spec"]["init"].as_str().unwrap().contains("main"));
    insta::assert_snapshot!(show("image:kbiuld"), @"
    exit code: 2
    --- stderr
    error: `image:kbiuld` names no node
      = help: did you mean `image:kbuild`?
    ");
}

/// The store keeps what each installed QEMU says of its version; here another one is installed meanwhile.
#[test]
fn another_qemu_boots_again_and_why_says_so() {
    let world = pinned();
    world.make_up("");
    assert_eq!(world.engine("realize").code, Some(0));
    let store = store::Store::open(&world.path("store")).unwrap();
    let known = fs::read_dir(world.path("store/cache/qemu"));
    let known = known.expect("this test needs `qemu-system-x86_64`");
    for entry in known {
        let stamp = entry.unwrap().file_name().into_string().unwrap();
        let stamp = stamp.parse().unwrap();
        store
            .cache_put("qemu", &stamp, b"QEMU emulator version 99.0")
            .unwrap();
    }
    let boot = "linux-6.1/x86_64/tiny/gcc/pc/general";
    let plan = world.engine("plan");
    assert!(
        plan.stdout.contains(&format!("run      boot {boot}")),
        "{plan}"
    );
    let why = plain(&world.engine(&format!("why {boot}")));
    let was = Regex::new("was `QEMU emulator version [^`]*`").unwrap();
    insta::assert_snapshot!(was.replace(&why, "was `[QEMU]`"), @"
    exit code: 0
    --- stdout
    boot:linux-6.1/x86_64/tiny/gcc/pc/general: stale
    compared with run 1:
      `version` is `QEMU emulator version 99.0`, was `[QEMU]`
    ");
}

#[test]
fn boards_of_a_config_that_somebody_has() {
    let world = pinned();
    let write = |text: &[u8]| fs::write(world.path("project/some.config"), text).unwrap();
    write(b"CONFIG_PCI=y\nCONFIG_X86_64=y\nCONFIG_EXT4_FS=m\n");
    insta::assert_snapshot!(world.engine("boards --config some.config"), @"
    exit code: 0
    --- stdout
    some.config on pc: match
    some.config on pc-disk: no match
      `EXT4_FS` is `m`, wanted `y`
    ");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, b"# CONFIG_PCI is not set\n").unwrap();
    write(&gzip.finish().unwrap());
    insta::assert_snapshot!(world.engine("boards --config some.config"), @"
    exit code: 1
    --- stdout
    some.config on pc: no match
      `PCI` is not set, wanted `y`
      rootfs `initramfs`, ABI `x86_64`: `X86_64` is not set, wanted `y`
    some.config on pc-disk: no match
      `PCI` is not set, wanted `y`
      `EXT4_FS` is not set, wanted `y`
      rootfs `initramfs`, ABI `x86_64`: `X86_64` is not set, wanted `y`
    ");
    write(b"\n");
    insta::assert_snapshot!(world.engine("boards --config some.config"), @"
    exit code: 2
    --- stderr
    error: `some.config` is no .config: it sets no symbol
    ");
    insta::assert_snapshot!(world.engine("boards --config none.config"), @"
    exit code: 2
    --- stderr
    error: `none.config` is no .config: No such file or directory (os error 2)
    ");
}
