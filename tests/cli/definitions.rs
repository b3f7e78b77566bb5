//! Projects: good, wrong, new, unpinned.

use std::fs;
use std::path::Path;

use super::SMALL;
use super::pinned;
use super::world::World;

#[test]
fn check_says_what_is_declared() {
    let world = World::with(SMALL);
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 0
    --- stderr
    the definitions are good: 1 source, 1 arch, 2 configurations, 1 toolchain, 2 boards, 1 suite, 2 builds
    not pinned: `base/deb`, `image/kbuild`, `source/linux-6.1`
    next: `engine update` asks the mirror and pins
    ");
    world.pin();
    world.edit(
        "main.rhai",
        "// One kernel",
        "print(\"hello\"); // One kernel",
    );
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 0
    --- stderr
    hello
    the definitions are good: 1 source, 1 arch, 2 configurations, 1 toolchain, 2 boards, 1 suite, 2 builds
    ");
    insta::assert_snapshot!(world.engine("check --quiet"), @"exit code: 0");
}

#[test]
fn check_says_what_this_machine_lacks() {
    let world = World::with(SMALL);
    world.edit("main.rhai", "qemu-system-x86_64", "qemu-system-not_there");
    let ended = world.engine("check --host");
    assert_eq!(ended.code, Some(3), "{ended}");
    let line = "missing: `qemu-system-not_there`, for board `";
    assert!(ended.stderr.contains(line), "{ended}");
    if Path::new("/etc/debian_version").exists() {
        let next = "next: apt-get install qemu-system-misc";
        assert!(ended.stderr.contains(next), "{ended}");
    }
}

#[test]
fn check_shows_where_a_mistake_is() {
    let world = World::with(SMALL);
    world.edit(
        "main.rhai",
        "requires: cfg(\"PCI\"),",
        "requries: cfg(\"PCI\"),",
    );
    insta::assert_snapshot!(world.engine("check"), @r#"
    exit code: 2
    --- stderr
    error: a board has no field `requries`
      --> main.rhai:18:16
       |
    18 | board("pc", #{ requries: cfg("PCI"), rootfs: ROOTFS, suites: [SUITE], qemu: QEMU });
       |                ^^^^^^^^
       = help: did you mean `requires`?
    "#);
    assert!(
        world
            .engine("check --color always")
            .stderr
            .contains("\x1b[1;31merror")
    );
}

#[test]
fn an_unpinned_project_names_update() {
    let world = World::with(SMALL);
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 2
    --- stderr
    error: `base/deb` is not pinned in engine.lock
      = help: `engine update` asks the mirror and pins
    ");
    world.pin();
    world.edit(
        "main.rhai",
        "packages: [\"bc\"]",
        "packages: [\"bc\", \"bison\"]",
    );
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 2
    --- stderr
    error: the pin of `image/kbuild` in engine.lock answers an older definition
      = help: `engine update image/kbuild` pins it anew
    ");
    world.write("engine.lock", "version = 7\n");
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 2
    --- stderr
    error: lock file has version 7, this engine reads 1
      = help: use the engine that wrote it, or a newer one
    ");
    world.write("engine.lock", "version = \n");
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 2
    --- stderr
    error: lock file is damaged: TOML parse error at line 1, column 11
      |
    1 | version = 
      |           ^
    string values must be quoted, expected literal string

      = help: restore it from version control, or remove it and run `engine update`
    ");
}

#[test]
fn an_unknown_address_names_the_most_similar() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("realize linux-6.1/x86_64/tinny/gcc"), @"
    exit code: 2
    --- stderr
    error: `linux-6.1/x86_64/tinny/gcc` names no node
      = help: did you mean `linux-6.1/x86_64/tiny/gcc`?
    ");
    insta::assert_snapshot!(world.engine("why image:kbuilt"), @"
    exit code: 2
    --- stderr
    error: `image:kbuilt` names no node
      = help: did you mean `image:kbuild`?
    ");
    insta::assert_snapshot!(world.engine("update image/kbuilt"), @"
    exit code: 2
    --- stderr
    error: `image/kbuilt` is nothing that `engine.lock` pins
      = help: did you mean `image/kbuild`?
    ");
    insta::assert_snapshot!(world.engine("update zzz"), @"
    exit code: 2
    --- stderr
    error: `zzz` is nothing that `engine.lock` pins
      = help: pinned are `base/deb`, `image/kbuild`, `source/linux-6.1`
    ");
    insta::assert_snapshot!(world.engine("plan zzz"), @"
    exit code: 2
    --- stderr
    error: `zzz` names no node
      = help: `engine plan --verbose` lists the nodes
    ");
}

#[test]
fn init_writes_a_project_that_is_good() {
    let world = World::new();
    insta::assert_snapshot!(world.engine("init new/project"), @"
    exit code: 0
    --- stderr
    wrote 4 files into `new/project`
    next: `engine check`, `engine update` to pin packages, `engine realize`
    ");
    insta::assert_snapshot!(world.engine("init new/project"), @"
    exit code: 2
    --- stderr
    error: `new/project/boards.rhai` is there already
      = help: `engine init DIR` writes into another directory
    ");
    let check = world.run(
        world
            .command(&["check"])
            .current_dir(world.path("project/new/project")),
    );
    assert_eq!(check.code, Some(0), "{check}");
    assert!(check.stderr.contains("the definitions are good"), "{check}");
}

#[test]
fn the_project_is_the_nearest_one_upwards() {
    let world = World::with(SMALL);
    fs::create_dir_all(world.path("project/a/b")).unwrap();
    let check = world.run(
        world
            .command(&["check"])
            .current_dir(world.path("project/a/b")),
    );
    assert_eq!(check.code, Some(0), "{check}");
    let nowhere = world.run(world.command(&["check"]).current_dir(world.path("")));
    insta::assert_snapshot!(nowhere, @"
    exit code: 2
    --- stderr
    error: `.` holds no `main.rhai`
      = help: `-C DIR` names a project; `engine init DIR` makes one
    ");
}
