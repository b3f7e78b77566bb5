//! What is told before anything ran.

use std::fs;
use std::process::Command;
use std::process::Stdio;

use super::SMALL;
use super::pinned;
use super::plain;
use super::world::World;

#[test]
fn plan_says_what_is_known_and_what_not() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("plan"), @r"
    exit code: 0
    --- stdout
    run      fetch source/linux-6.1: never ran
    may run  source linux-6.1
    run      fetch base/deb: never ran
    may run  base deb
    run      fetch image/kbuild: never ran
    may run  image kbuild
    may run  kconfig linux-6.1/x86_64/gcc
    may run  config linux-6.1/x86_64/big/gcc
    may run  kernel linux-6.1/x86_64/big/gcc
    may run  match linux-6.1/x86_64/big/gcc
    may run  config linux-6.1/x86_64/tiny/gcc
    may run  kernel linux-6.1/x86_64/tiny/gcc
    may run  match linux-6.1/x86_64/tiny/gcc
    3 to run, 10 may run, 0 fresh
    boots of 2 builds: unknown until their configs are resolved and matched
    cost: unknown for 13 nodes that never ran
    ");
    insta::assert_snapshot!(world.engine("plan --until config linux-6.1/*/big"), @r"
    exit code: 0
    --- stdout
    run      fetch source/linux-6.1: never ran
    may run  source linux-6.1
    run      fetch base/deb: never ran
    may run  base deb
    run      fetch image/kbuild: never ran
    may run  image kbuild
    may run  kconfig linux-6.1/x86_64/gcc
    may run  config linux-6.1/x86_64/big/gcc
    3 to run, 5 may run, 0 fresh
    cost: unknown for 8 nodes that never ran
    ");
    insta::assert_snapshot!(world.engine("plan --json image:kbuild"), @r#"
    exit code: 0
    --- stdout
    {"estimate_ms":null,"kind":"fetch","like_ms":null,"name":"base/deb","reasons":["never ran"],"standing":"run","v":1}
    {"estimate_ms":null,"kind":"base","like_ms":null,"name":"deb","reasons":[],"standing":"may_run","v":1}
    {"estimate_ms":null,"kind":"fetch","like_ms":null,"name":"image/kbuild","reasons":["never ran"],"standing":"run","v":1}
    {"estimate_ms":null,"kind":"image","like_ms":null,"name":"kbuild","reasons":[],"standing":"may_run","v":1}
    {"boards":{"pc":[],"pc-disk":[]},"nodes":4,"unresolved_builds":0,"v":1}
    "#);
}

#[test]
fn a_boot_may_be_named_before_it_is_known() {
    let world = pinned();
    let by_kind = world.engine("plan boot:linux-6.1/x86_64/tiny/gcc/pc/general");
    insta::assert_snapshot!(by_kind, @r"
    exit code: 0
    --- stdout
    run      fetch source/linux-6.1: never ran
    may run  source linux-6.1
    run      fetch base/deb: never ran
    may run  base deb
    run      fetch image/kbuild: never ran
    may run  image kbuild
    may run  kconfig linux-6.1/x86_64/gcc
    may run  config linux-6.1/x86_64/tiny/gcc
    may run  match linux-6.1/x86_64/tiny/gcc
    3 to run, 6 may run, 0 fresh
    boots of 1 build: unknown until their configs are resolved and matched
    cost: unknown for 9 nodes that never ran
    ");
}

#[test]
fn results_before_anything_ran() {
    let world = pinned();
    insta::assert_snapshot!(plain(&world.engine("results --json")), @r#"
    exit code: 0
    --- stdout
    {"address":"source/linux-6.1","kind":"fetch","verdict":"skipped","reason":"stale","cached":false,"key":"[KEY]"}
    {"address":"linux-6.1","kind":"source","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"base/deb","kind":"fetch","verdict":"skipped","reason":"stale","cached":false,"key":"[KEY]"}
    {"address":"deb","kind":"base","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"image/kbuild","kind":"fetch","verdict":"skipped","reason":"stale","cached":false,"key":"[KEY]"}
    {"address":"kbuild","kind":"image","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/gcc","kind":"kconfig","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/big/gcc","kind":"config","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/big/gcc","kind":"kernel","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/big/gcc","kind":"match","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/tiny/gcc","kind":"config","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/tiny/gcc","kind":"kernel","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/tiny/gcc","kind":"match","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    "#);
    insta::assert_snapshot!(world.engine("results image:*"), @"
    exit code: 0
    --- stdout
    VERDICT  KIND   ADDRESS       REASON
    skipped  fetch  base/deb      stale
    skipped  base   deb           unknown until its inputs are resolved
    skipped  fetch  image/kbuild  stale
    skipped  image  kbuild        unknown until its inputs are resolved
    ");
}

#[test]
fn log_and_why_before_anything_ran() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("log linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 2
    --- stderr
    error: `kernel:linux-6.1/x86_64/tiny/gcc` has no result yet: unknown until its inputs are resolved
      = help: `engine realize kernel:linux-6.1/x86_64/tiny/gcc` makes one
    ");
    insta::assert_snapshot!(world.engine("why linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 0
    --- stdout
    kernel:linux-6.1/x86_64/tiny/gcc: unknown until its inputs are resolved
      fetch:image/kbuild: never ran
      fetch:base/deb: never ran
      fetch:source/linux-6.1: never ran
    ");
    insta::assert_snapshot!(world.engine("why fetch:image/kbuild"), @"
    exit code: 0
    --- stdout
    fetch:image/kbuild: stale
      never ran
    ");
}

#[test]
fn a_shell_needs_a_terminal() {
    let world = pinned();
    let mut command = world.command(&["shell", "image:kbuild"]);
    insta::assert_snapshot!(world.run(command.stdin(Stdio::null())), @"
    exit code: 2
    --- stderr
    error: a shell needs a terminal to talk to
    ");
}

#[test]
fn boards_before_configs_are_resolved() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("boards"), @"
    exit code: 0
    --- stdout
    BUILD                      BOARDS
    linux-6.1/x86_64/big/gcc   ?
    linux-6.1/x86_64/tiny/gcc  ?
    --- stderr
    `?`: the .config is not resolved; `engine plan --resolve` resolves it
    ");
    insta::assert_snapshot!(world.engine("boards --why linux-6.1/x86_64/tiny/gcc pc-disk"), @"
    exit code: 0
    --- stdout
    linux-6.1/x86_64/tiny/gcc on pc-disk: the .config is not known: unknown until its inputs are resolved
    ");
}

#[test]
fn graph_is_dot_or_svg() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("graph linux-6.1/x86_64/tiny/gcc"), @r#"
    exit code: 0
    --- stdout
    digraph engine {
      rankdir=LR;
      node [shape=box];
      n0 [label="fetch\nsource/linux-6.1", style=filled, fillcolor=gold];
      n1 [label="source\nlinux-6.1", style=filled, fillcolor=lightyellow];
      n2 [label="fetch\nbase/deb", style=filled, fillcolor=gold];
      n3 [label="base\ndeb", style=filled, fillcolor=lightyellow];
      n4 [label="fetch\nimage/kbuild", style=filled, fillcolor=gold];
      n5 [label="image\nkbuild", style=filled, fillcolor=lightyellow];
      n6 [label="kconfig\nlinux-6.1/x86_64/gcc", style=filled, fillcolor=lightyellow];
      n10 [label="config\nlinux-6.1/x86_64/tiny/gcc", style=filled, fillcolor=lightyellow];
      n11 [label="kernel\nlinux-6.1/x86_64/tiny/gcc", style=filled, fillcolor=lightyellow];
      n12 [label="match\nlinux-6.1/x86_64/tiny/gcc", style=filled, fillcolor=lightyellow];
      n0 -> n1 [label=files];
      n2 -> n3 [label=files];
      n4 -> n5 [label=files];
      n3 -> n5 [label=base];
      n1 -> n6 [label=source];
      n5 -> n6 [label=image];
      n1 -> n10 [label=source];
      n5 -> n10 [label=image];
      n6 -> n10 [label=kconfig];
      n1 -> n11 [label=source];
      n5 -> n11 [label=image];
      n10 -> n11 [label=config];
      n10 -> n12 [label=config];
    }
    "#);
    let svg = world.engine("graph --svg -o picture.svg");
    assert_eq!((svg.code, svg.stdout.as_str()), (Some(0), ""), "{svg}");
    let picture = fs::read_to_string(world.path("project/picture.svg")).unwrap();
    assert!(picture.contains("</svg>") && picture.contains("linux-6.1/x86_64/big/gcc"));
}

#[test]
fn a_large_graph_is_drawn_by_kind() {
    let world = World::with(SMALL);
    let main = format!(
        "{SMALL}\nlet names = [];\nfor number in 0..120 {{ names.push(`config-${{number}}`); }}\n\
         defconfigs(X86_64, names, #{{ recipe: tiny() }});\n"
    );
    world.write("main.rhai", &main);
    world.pin();
    insta::assert_snapshot!(world.engine("graph"), @r#"
    exit code: 0
    --- stdout
    digraph engine {
      rankdir=LR;
      node [shape=box];
      fetch [label="fetch\n3 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      source [label="source\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      base [label="base\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      image [label="image\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      kconfig [label="kconfig\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      config [label="config\n122 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      kernel [label="kernel\n122 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      match [label="match\n122 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      rootfs [label="rootfs\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      fetch -> source [label="files (1)"];
      fetch -> base [label="files (1)"];
      fetch -> image [label="files (1)"];
      source -> kconfig [label="source (1)"];
      source -> config [label="source (122)"];
      source -> kernel [label="source (122)"];
      base -> image [label="base (1)"];
      image -> kconfig [label="image (1)"];
      image -> config [label="image (122)"];
      image -> kernel [label="image (122)"];
      image -> rootfs [label="image (1)"];
      kconfig -> config [label="kconfig (122)"];
      config -> kernel [label="config (122)"];
      config -> match [label="config (122)"];
    }
    --- stderr
    374 nodes are too many to look at: one box per kind; an ADDRESS draws less, `--full` all
    "#);
    assert!(world.engine("graph --full").stdout.lines().count() > 700);
}

#[test]
fn a_lock_file_that_is_none_is_refused_at_once() {
    let world = pinned();
    let lock = world.path("project/engine.lock");
    let good = fs::read(&lock).unwrap();
    fs::remove_file(&lock).unwrap();
    let made = Command::new("/usr/bin/mkfifo").arg(&lock).status();
    assert!(made.unwrap().success());
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 2
    --- stderr
    error: lock file is no regular file
      = help: restore it from version control, or remove it and run `engine update`
    ");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 2
    --- stderr
    error: lock file is no regular file
      = help: restore it from version control, or remove it and run `engine update`
    ");
    fs::remove_dir(&lock).unwrap();
    fs::write(&lock, [&good[..], b"# \xff\n"].concat()).unwrap();
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 2
    --- stderr
    error: lock file is damaged: invalid utf-8 sequence of 1 bytes from index 1023
      = help: restore it from version control, or remove it and run `engine update`
    ");
    let junk = "\"x\",\n".repeat(300_000);
    fs::write(&lock, format!("version = 1\njunk = [\n{junk}]\n")).unwrap();
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 2
    --- stderr
    error: lock file is larger than 8 MiB, or has more than 100000 values
      = help: restore it from version control, or remove it and run `engine update`
    ");
}

#[test]
fn a_definition_that_is_no_file_is_refused_at_once() {
    let world = pinned();
    let main = world.path("project/main.rhai");
    fs::remove_file(&main).unwrap();
    let made = Command::new("/usr/bin/mkfifo").arg(&main).status();
    assert!(made.unwrap().success());
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 2
    --- stderr
    error: `.` holds no `main.rhai`
      = help: `-C DIR` names a project; `engine init DIR` makes one
    ");
    fs::remove_file(&main).unwrap();
    fs::write(&main, b"let x = \"\xff\";").unwrap();
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 2
    --- stderr
    error: cannot read `main.rhai`: not UTF-8
      = help: evaluation begins with `main.rhai`
    ");
    fs::write(&main, "// long\n".repeat(1 << 20)).unwrap();
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 2
    --- stderr
    error: cannot read `main.rhai`: larger than 4 MiB
      = help: evaluation begins with `main.rhai`
    ");
}
