//! The commands as a user meets them: what they print, and how they end. No network, no sandbox.

mod world;

use std::fs;
use std::process::Stdio;

use world::Ended;
use world::World;

const SMALL: &str = include_str!("cli/small.rhai");

const COMMANDS: [&str; 16] = [
    "init",
    "check",
    "update",
    "plan",
    "realize",
    "results",
    "log",
    "boards",
    "why",
    "graph",
    "shell",
    "gc",
    "verify",
    "doc",
    "completions",
    "man",
];

/// A small project with made-up pins.
fn pinned() -> World {
    let world = World::with(SMALL);
    world.pin();
    world
}

/// Keys and sizes on disk are no matter of these tests.
fn plain(ended: &Ended) -> String {
    let text = regex::Regex::new("[0-9a-f]{64}")
        .unwrap()
        .replace_all(&ended.to_string(), "[KEY]")
        .into_owned();
    regex::Regex::new(r"\d+\.\d [KMG]iB")
        .unwrap()
        .replace_all(&text, "[SIZE]")
        .into_owned()
}

#[test]
fn help_of_every_command() {
    let world = World::new();
    let mut text = world.engine("--help").to_string();
    for command in COMMANDS {
        let help = world.engine(&format!("{command} -h"));
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
        // The global options are the same everywhere.
        let own = help
            .stdout
            .split("Global options:")
            .next()
            .unwrap_or_default();
        let after = help
            .stdout
            .rsplit("Print")
            .next()
            .and_then(|rest| rest.split_once("\n\n"));
        text += &format!(
            "\n=== {command}\n{}{}",
            own.trim_end(),
            after.map_or(String::new(), |(_, after)| format!("\n\n{after}"))
        );
    }
    insta::assert_snapshot!(text, @"");
}

#[test]
fn version() {
    let world = World::new();
    insta::assert_snapshot!(world.engine("--version"), @"");
}

#[test]
fn usage_errors_end_in_2() {
    let world = pinned();
    let mut text = String::new();
    for arguments in [
        "",
        "realise --until everything",
        "realize --jobs 0",
        "realize --rebuild",
        "frobnicate",
        "results linux-6.1//gcc",
        "log",
        "check -q -v",
        "boards --why linux-6.1/x86_64/tiny/gcc nothing",
        "-C nowhere check",
    ] {
        let ended = world.engine(arguments);
        assert_eq!(ended.code, Some(2), "{arguments}: {ended}");
        assert_eq!(ended.stdout, "", "{arguments}");
        let first = ended.stderr.lines().take(3).collect::<Vec<_>>().join("\n");
        text += &format!("$ engine {arguments}\n{first}\n\n");
    }
    insta::assert_snapshot!(text, @"");
}

#[test]
fn check_says_what_is_declared() {
    let world = World::with(SMALL);
    insta::assert_snapshot!(world.engine("check"), @"");
    world.pin();
    world.edit(
        "main.rhai",
        "// One kernel",
        "print(\"hello\"); // One kernel",
    );
    insta::assert_snapshot!(world.engine("check"), @"");
    insta::assert_snapshot!(world.engine("check --quiet"), @"");
}

#[test]
fn check_shows_where_a_mistake_is() {
    let world = World::with(SMALL);
    world.edit(
        "main.rhai",
        "requires: cfg(\"PCI\"),",
        "requries: cfg(\"PCI\"),",
    );
    insta::assert_snapshot!(world.engine("check"), @"");
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
    insta::assert_snapshot!(world.engine("plan"), @"");
    world.pin();
    world.edit(
        "main.rhai",
        "packages: [\"bc\"]",
        "packages: [\"bc\", \"bison\"]",
    );
    insta::assert_snapshot!(world.engine("realize"), @"");
    world.write("engine.lock", "version = 7\n");
    insta::assert_snapshot!(world.engine("realize"), @"");
    world.write("engine.lock", "version = \n");
    insta::assert_snapshot!(world.engine("realize"), @"");
}

#[test]
fn an_unknown_address_names_the_most_similar() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("realize linux-6.1/x86_64/tinny/gcc"), @"");
    insta::assert_snapshot!(world.engine("why image:kbuilt"), @"");
    insta::assert_snapshot!(world.engine("update image/kbuilt"), @"");
    insta::assert_snapshot!(world.engine("plan zzz"), @"");
}

#[test]
fn plan_says_what_is_known_and_what_not() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("plan"), @"");
    insta::assert_snapshot!(world.engine("plan --until config linux-6.1/*/big"), @"");
    insta::assert_snapshot!(world.engine("plan --json image:kbuild"), @"");
}

#[test]
fn a_boot_may_be_named_before_it_is_known() {
    let world = pinned();
    let by_kind = world.engine("plan boot:linux-6.1/x86_64/tiny/gcc/pc/general");
    insta::assert_snapshot!(by_kind, @"");
}

#[test]
fn results_before_anything_ran() {
    let world = pinned();
    insta::assert_snapshot!(plain(&world.engine("results --json")), @"");
    insta::assert_snapshot!(world.engine("results image:*"), @"");
}

#[test]
fn log_and_why_before_anything_ran() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("log linux-6.1/x86_64/tiny/gcc"), @"");
    insta::assert_snapshot!(world.engine("why linux-6.1/x86_64/tiny/gcc"), @"");
    insta::assert_snapshot!(world.engine("why fetch:image/kbuild"), @"");
}

#[test]
fn boards_before_configs_are_resolved() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("boards"), @"");
    insta::assert_snapshot!(world.engine("boards --why linux-6.1/x86_64/tiny/gcc pc-disk"), @"");
}

#[test]
fn graph_is_dot_or_svg() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("graph linux-6.1/x86_64/tiny/gcc"), @"");
    let svg = world.engine("graph --svg -o picture.svg");
    assert_eq!((svg.code, svg.stdout.as_str()), (Some(0), ""), "{svg}");
    let picture = fs::read_to_string(world.path("project/picture.svg")).unwrap();
    assert!(picture.contains("</svg>") && picture.contains("linux-6.1/x86_64/big/gcc"));
}

#[test]
fn a_large_graph_is_drawn_by_kind() {
    let world = World::with(SMALL);
    world.write("more.rhai", "");
    let main = format!(
        "{SMALL}\nlet names = [];\nfor number in 0..120 {{ names.push(`config-${{number}}`); }}\n\
         defconfigs(X86_64, names, #{{ recipe: tiny() }});\n"
    );
    world.write("main.rhai", &main);
    world.pin();
    insta::assert_snapshot!(world.engine("graph"), @"");
    assert!(world.engine("graph --full").stdout.lines().count() > 700);
}

#[test]
fn an_empty_store_has_nothing_to_remove_and_is_well() {
    let world = pinned();
    insta::assert_snapshot!(plain(&world.engine("gc --dry-run")), @"");
    insta::assert_snapshot!(plain(&world.engine("gc --keep-runs 1")), @"");
    insta::assert_snapshot!(plain(&world.engine("verify")), @"");
    insta::assert_snapshot!(plain(&world.engine("verify --repair")), @"");
}

#[test]
fn a_lost_database_and_a_bad_blob_are_told() {
    let world = pinned();
    {
        let store = store::Store::open(&world.path("store")).unwrap();
        let blob = store.put_bytes(b"good").unwrap();
        fs::set_permissions(
            store.blob_path(&blob),
            std::os::unix::fs::PermissionsExt::from_mode(0o644),
        )
        .unwrap();
        fs::write(store.blob_path(&blob), b"evil").unwrap();
    }
    fs::write(world.path("store/db.sqlite"), "x").unwrap();
    insta::assert_snapshot!(plain(&world.engine("verify")), @"");
    insta::assert_snapshot!(plain(&world.engine("verify --repair")), @"");
    insta::assert_snapshot!(plain(&world.engine("verify")), @"");
}

#[test]
fn a_newer_store_is_the_environments_fault() {
    let world = pinned();
    world.engine("verify");
    fs::write(world.path("store/format"), "99\n").unwrap();
    insta::assert_snapshot!(world.engine("results"), @"");
}

#[test]
fn without_a_home_there_is_no_place_for_results() {
    let world = pinned();
    let mut command = world.command(&["results"]);
    insta::assert_snapshot!(world.run(command.env_remove("HOME").env_remove("ENGINE_STORE")), @"");
    let ended = world.run(
        world
            .command(&["results", "--store", "here"])
            .env_remove("HOME"),
    );
    assert_eq!(ended.code, Some(0));
    assert!(world.path("project/here/format").is_file());
}

#[test]
fn init_writes_a_project_that_is_good() {
    let world = World::new();
    insta::assert_snapshot!(world.engine("init new/project"), @"");
    insta::assert_snapshot!(world.engine("init new/project"), @"");
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
    insta::assert_snapshot!(nowhere, @"");
}

#[test]
fn scripts_and_pages_for_shell_and_man() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.engine(&format!("completions {shell}"));
        assert!(
            script.code == Some(0) && script.stdout.contains("--keep-going"),
            "{script}"
        );
    }
    let page = world.engine("man");
    assert!(page.stdout.contains(".TH engine 1"), "{page}");
    assert_eq!(world.engine("man pages").code, Some(0));
    let pages = fs::read_dir(world.path("project/pages")).unwrap().count();
    assert_eq!(pages, COMMANDS.len() + 1);
}

#[test]
fn doc_is_the_reference() {
    let world = World::new();
    let doc = world.engine("doc");
    assert!(doc.stdout.starts_with("# The definition language\n"));
}

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
