//! Git sources: repositories by `file://` and by HTTP on the loopback, pinned, fetched and packed by the host's git.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "what fails here fails the test, and `git` is found by the host's PATH"
)]

#[path = "world/serve.rs"]
mod server;
#[path = "git/upstream.rs"]
mod upstream;
#[expect(dead_code, reason = "this test needs few of the world's verbs")]
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use store::Digest;
use store::Store;
use upstream::Manner;
use upstream::Upstream;
use world::Ended;
use world::World;

const SMALL: &str = include_str!("cli/small.rhai");
const DEBIAN: &str = r#"#{ debian: #{ package: "linux-source-6.1", suite: "bookworm" } }"#;

/// A project whose source is a repository, with everything else pinned to made-up files.
fn project(git: &str) -> World {
    let world = World::with(SMALL);
    // Where a path is long, no line is cut.
    let git = git.replace("\", ", "\",\n    ");
    world.edit("main.rhai", DEBIAN, &format!("#{{ git: #{{ {git} }} }}"));
    world.pin();
    world
}

fn run(world: &World, arguments: &[&str]) -> Ended {
    let path = std::env::var_os("PATH").unwrap();
    let mut command = world.command(arguments);
    world.run(command.env("PATH", path))
}

fn update(world: &World) -> Ended {
    run(world, &["update", "source/linux-6.1"])
}

fn realize(world: &World) -> Ended {
    run(world, &["realize", "source:linux-6.1"])
}

fn good(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{ended}");
    ended
}

/// What was said, without what differs from run to run.
fn told(ended: &Ended, upstream: &Upstream) -> String {
    let path = upstream.path().display().to_string();
    let varied = [
        ("127.0.0.1:[0-9]+", "[SERVER]"),
        ("in [0-9.]+s", "in [TIME]"),
        ("[0-9.]+ KiB", "[SIZE]"),
    ];
    varied.iter().fold(
        ended.stderr.replace(&path, "[UPSTREAM]"),
        |text, (varied, name)| {
            let varied = regex::Regex::new(varied).unwrap();
            varied.replace_all(&text, *name).into_owned()
        },
    )
}

/// The digest of the source as it is wanted now.
fn source(world: &World) -> Digest {
    let shown = good(run(world, &["show", "--json", "source:linux-6.1"]));
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let digest = shown["outputs"][0]["content"].as_str().unwrap();
    digest.parse().unwrap()
}

/// Files of a source: what they hold, or where a link leads, and their modes.
fn files(world: &World) -> BTreeMap<String, (String, u32)> {
    let tar = source(world);
    let store = Store::open(&world.path("store")).unwrap();
    let bytes = zstd::decode_all(store.read(&tar).unwrap().as_slice()).unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let link = entry
            .link_name()
            .unwrap()
            .map(|link| link.display().to_string());
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let mode = entry.header().mode().unwrap();
        files.insert(path, (link.unwrap_or(text), mode));
    }
    files
}

#[test]
fn a_branch_is_pinned_fetched_and_moved_on_purpose() {
    let upstream = Upstream::new();
    let first = upstream.git(&["rev-parse", "HEAD"]);
    let world = project(&format!("url: {:?}, branch: \"master\"", upstream.url()));
    let ended = good(update(&world));
    insta::assert_snapshot!(told(&ended, &upstream), @"
    asks for `source/linux-6.1`: asked to
    fetches 74a813408c4b of file://[UPSTREAM]
    `source/linux-6.1` moved:
      - source-linux-6.1 1
      + 74a813408c4b 2026-01-02T03:04:05Z: first
    ");
    let lock = fs::read_to_string(world.path("project/engine.lock")).unwrap();
    let pin = lock
        .split("[[pin]]")
        .find(|pin| pin.contains("source/linux-6.1"))
        .unwrap();
    insta::assert_snapshot!(pin.replace(&upstream.url(), "[URL]"), @r#"

    name = "source/linux-6.1"
    request = { family = "git", branch = "master", urls = ["[URL]"] }
    commit = { id = "74a813408c4b01072b8762bf55822335ed5cde03", tree = "5dc4b88d8bc042d680402a94140f3a629a73c719", date = "2026-01-02T03:04:05Z", subject = "first" }
    "#);
    good(realize(&world));
    assert_eq!(
        files(&world)["linux/Makefile"].0,
        "VERSION = 6\nPATCHLEVEL = 1\n"
    );

    // The branch moves on; nothing here does until it is asked to.
    for number in 2..=4 {
        upstream.write("file", number.to_string());
        upstream.commit(&format!("number {number}"));
    }
    let ended = good(realize(&world));
    assert!(ended.stderr.contains("nothing to do"), "{ended}");
    insta::assert_snapshot!(told(&good(update(&world)), &upstream), @"
    asks for `source/linux-6.1`: asked to
    fetches 64b91dbbc268 of file://[UPSTREAM]
    fetches 64b91dbbc268 of file://[UPSTREAM]
    `source/linux-6.1` moved:
        74a813408c4b -> 64b91dbbc268: 3 commits: number 4
    ");
    good(realize(&world));
    assert_eq!(files(&world)["linux/file"].0, "4");

    // Another message, the same tree: nothing but the fetch runs, and what is there need not be fetched.
    upstream.git(&["commit", "--quiet", "--amend", "--message", "said better"]);
    insta::assert_snapshot!(told(&good(update(&world)), &upstream), @"
    asks for `source/linux-6.1`: asked to
    fetches 5e258daaf6d3 of file://[UPSTREAM]
    fetches 5e258daaf6d3 of file://[UPSTREAM]
    `source/linux-6.1` moved:
        64b91dbbc268 -> 5e258daaf6d3: no descendant of the old one: said better
    ");
    let ended = good(realize(&world));
    insta::assert_snapshot!(told(&ended, &upstream), @"
    2 nodes wanted, 0 of them fresh
    [1/2] fetch source/linux-6.1 ... succeeded in [TIME]
    results: [WORLD]/project/results
    store: [WORLD]/store, [SIZE]
    ");

    // A definition that names the first commit.
    world.edit(
        "main.rhai",
        "branch: \"master\"",
        &format!("commit: \"{first}\""),
    );
    good(update(&world));
    good(realize(&world));
    assert!(!files(&world).contains_key("linux/file"));
}

#[test]
fn tags_are_found_by_version_and_peeled() {
    let upstream = Upstream::new();
    for tag in ["v6.1.9", "v6.1.10-rc1", "v6.1.10", "v6.2"] {
        upstream.write("tag", tag);
        upstream.commit(tag);
        upstream.git(&["tag", "--annotate", "--message", tag, tag]);
    }
    let world = project(&format!("url: {:?}, tag: \"v6.1.*\"", upstream.url()));
    good(update(&world));
    good(realize(&world));
    assert_eq!(files(&world)["linux/tag"].0, "v6.1.10");

    world.edit("main.rhai", "v6.1.*", "v6.1.11");
    insta::assert_snapshot!(told(&update(&world), &upstream), @r#"
    asks for `source/linux-6.1`: the pin of `source/linux-6.1` in engine.lock answers an older definition
    error: `source/linux-6.1`: there is no tag `v6.1.11` in file://[UPSTREAM]
     --> main.rhai:3:10
      |
    3 |     tag: "v6.1.11" } });
      |          ^^^^^^^^^
      = help: did you mean `v6.1.10`?
    "#);
    world.edit("main.rhai", "tag: \"v6.1.11\"", "branch: \"mastre\"");
    let ended = update(&world);
    assert_eq!(ended.code, Some(2), "{ended}");
    insta::assert_snapshot!(told(&ended, &upstream), @r#"
    asks for `source/linux-6.1`: the pin of `source/linux-6.1` in engine.lock answers an older definition
    error: `source/linux-6.1`: there is no branch `mastre` in file://[UPSTREAM]
     --> main.rhai:3:13
      |
    3 |     branch: "mastre" } });
      |             ^^^^^^^^
      = help: did you mean `master`?
    "#);
}

#[test]
fn attributes_and_modes_change_no_byte() {
    let upstream = Upstream::new();
    upstream.write(
        ".gitattributes",
        "* text eol=crlf ident export-subst\nhidden export-ignore\n*.bin filter=x\n",
    );
    upstream.git(&["config", "core.attributesFile", "/dev/null"]);
    upstream.write("Makefile", "VERSION = 6\n# $Id$ $Format:%H$\n");
    upstream.write("hidden", "there\n");
    upstream.write("a.bin", "x\n");
    upstream.write("scripts/run", "#!/bin/sh\n");
    let run = upstream.path().join("scripts/run");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../Makefile", upstream.path().join("scripts/link")).unwrap();
    upstream.commit("attributes");
    let world = project(&format!("url: {:?}, branch: \"master\"", upstream.url()));
    good(update(&world));
    good(realize(&world));
    let files = files(&world);
    let text = |path: &str| (&*files[path].0, files[path].1);
    assert_eq!(
        text("linux/Makefile"),
        ("VERSION = 6\n# $Id$ $Format:%H$\n", 0o644)
    );
    assert_eq!(text("linux/hidden"), ("there\n", 0o644));
    assert_eq!(text("linux/scripts/run"), ("#!/bin/sh\n", 0o755));
    assert_eq!(text("linux/scripts/link").0, "../Makefile");
}

#[test]
fn submodules_are_refused() {
    let (upstream, other) = (Upstream::new(), Upstream::new());
    upstream.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &other.url(),
        "sub",
    ]);
    upstream.git(&["commit", "--quiet", "--message", "sub"]);
    let world = project(&format!("url: {:?}, branch: \"master\"", upstream.url()));
    let ended = update(&world);
    assert_eq!(ended.code, Some(2), "{ended}");
    let commit = upstream.git(&["rev-parse", "HEAD"]);
    insta::assert_snapshot!(told(&ended, &upstream).replace(&commit[..12], "[COMMIT]"), @r#"
    asks for `source/linux-6.1`: asked to
    fetches [COMMIT] of file://[UPSTREAM]
    error: `source/linux-6.1`: commit [COMMIT] of file://[UPSTREAM] has a submodule, `sub`
     --> main.rhai:2:1
      |
    2 | source("linux-6.1", #{ git: #{ url: "file://[UPSTREAM]",
      | ^^^^^^
      = help: kernels have none, and what it lacks would not be told: is it a kernel's repository?
    "#);
}

#[test]
fn a_commit_that_the_server_lost_is_told_with_the_way_out() {
    let upstream = Upstream::new();
    upstream.write("file", "lost");
    let lost = upstream.commit("lost");
    let world = project(&format!("url: {:?}, branch: \"master\"", upstream.url()));
    good(update(&world));
    upstream.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    upstream.write("file", "kept");
    upstream.commit("forced");
    // What is here still does.
    good(realize(&world));
    upstream.git(&["reflog", "expire", "--expire=now", "--all"]);
    upstream.git(&["gc", "--quiet", "--prune=now"]);
    fs::remove_dir_all(world.path("store")).unwrap();
    let ended = realize(&world);
    assert_eq!(ended.code, Some(3), "{ended}");
    let said = told(&ended, &upstream).replace(&lost[..12], "[LOST]");
    let said: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("[LOST] of file"))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @"
    fetch source/linux-6.1: fetches [LOST] of file://[UPSTREAM]
    [1/2] fetch source/linux-6.1 ... broken: the mirror no longer carries `commit [LOST] of file://[UPSTREAM]`; `engine update` pins what it carries now
    ");
    // Only pins that are gone move.
    let ended = good(run(&world, &["update", "--if-gone", "source/linux-6.1"]));
    assert!(ended.stderr.contains("no longer carries"), "{ended}");
    good(realize(&world));
    assert_eq!(files(&world)["linux/file"].0, "kept");
}

#[test]
fn http_with_credentials_cuts_and_silence() {
    let upstream = Upstream::new();
    upstream.write("file", "x".repeat(1000));
    upstream.commit("second");
    // me:right, by a credential helper of the user's.
    let manner = Manner {
        wants: Some("Basic bWU6cmlnaHQ="),
        cuts: Arc::new(AtomicUsize::new(1)),
        silent: false,
    };
    let url = upstream.serve(manner);
    let world = project(&format!("url: {url:?}, branch: \"master\""));
    let ended = update(&world);
    assert_eq!(ended.code, Some(3), "{ended}");
    insta::assert_snapshot!(told(&ended, &upstream), @"
    asks for `source/linux-6.1`: asked to
    error: cannot fetch `http://[SERVER]/`: could not read Username for 'http://[SERVER]': terminal prompts disabled; git's credential helpers and ssh's agent are asked, nobody at a terminal
    ");
    let helper = |password: &str| {
        fs::create_dir_all(world.path("home")).unwrap();
        let helper = format!(
            "[credential]\n\thelper = \"!printf 'username=me\\\\npassword={password}\\\\n' #\"\n"
        );
        fs::write(world.path("home/.gitconfig"), helper).unwrap();
    };
    helper("wrong");
    let ended = update(&world);
    insta::assert_snapshot!(told(&ended, &upstream), @"
    asks for `source/linux-6.1`: asked to
    error: cannot fetch `http://[SERVER]/`: Authentication failed for 'http://[SERVER]/'; git's credential helpers and ssh's agent are asked, nobody at a terminal
    ");
    helper("right");
    // Objects that are cut off are none; the next run has them all.
    let ended = update(&world);
    assert_eq!(ended.code, Some(3), "{ended}");
    good(update(&world));
    good(realize(&world));
    assert_eq!(files(&world)["linux/file"].0.len(), 1000);

    let silent = upstream.serve(Manner {
        silent: true,
        ..Manner::default()
    });
    let world = project(&format!("url: {silent:?}, branch: \"master\""));
    let ended = run(&world, &["update", "--stall", "1", "source/linux-6.1"]);
    assert_eq!(ended.code, Some(3), "{ended}");
    insta::assert_snapshot!(told(&ended, &upstream), @"
    asks for `source/linux-6.1`: asked to
    error: cannot fetch `http://[SERVER]/`: it said nothing for 1 s
    ");
    // The second place is asked when the first one gives nothing.
    let urls = format!(
        "urls: [{silent:?}, {:?}], branch: \"master\"",
        upstream.url()
    );
    let world = project(&urls);
    good(run(&world, &["update", "--stall", "1", "source/linux-6.1"]));
}

#[test]
fn sources_of_one_history_share_their_objects_and_a_patched_tarball_is_the_same_source() {
    let upstream = Upstream::new();
    upstream.write("large", noise());
    upstream.commit("large");
    upstream.git(&["branch", "stable"]);
    upstream.write("small", "new\n");
    upstream.commit("small");
    let world = project(&format!("url: {:?}, branch: \"stable\"", upstream.url()));
    good(update(&world));
    good(realize(&world));
    let size = |world: &World| held(&world.path("store/volumes/git/objects"));
    let before = size(&world);
    world.edit("main.rhai", "branch: \"stable\"", "branch: \"master\"");
    good(update(&world));
    good(realize(&world));
    assert!(before > 60_000, "{before}");
    assert!(
        size(&world) - before < 20_000,
        "{} after {before}",
        size(&world)
    );
    let by_git = source(&world);

    // The stable tree as a tarball, with a patch that brings it to the same.
    let tar = upstream.path().join("../stable.tar");
    upstream.git(&[
        "archive",
        "--prefix=x/",
        "--output",
        tar.to_str().unwrap(),
        "stable",
    ]);
    let hashes = store::hash_file(&tar, &[store::Algorithm::Sha256]).unwrap();
    let sha256 = hashes.checksums[0].hex().to_owned();
    let url = server::serve("stable.tar", fs::read(&tar).unwrap());
    fs::remove_file(&tar).unwrap();
    let world = World::with(SMALL);
    world.write(
        "small.patch",
        "--- /dev/null\n+++ b/small\n@@ -0,0 +1 @@\n+new\n",
    );
    let tarball = format!(
        "#{{ tarball: #{{ url: {url:?}, sha256: {sha256:?} }}, patches: [file(\"small.patch\")] }}"
    );
    world.edit("main.rhai", DEBIAN, &tarball);
    world.pin();
    good(realize(&world));
    assert_eq!(source(&world), by_git);
}

/// Bytes of the files in a directory and all below it.
fn held(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let size = |path: std::path::PathBuf| {
        if path.is_dir() {
            held(&path)
        } else {
            path.metadata().unwrap().len()
        }
    };
    entries.map(size).sum()
}

/// What does not get smaller when it is packed.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let bytes = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    bytes.take(1 << 16).collect()
}
