//! A kernel source by URL with patches: a real server on loopback, a real tarball, the host's `patch`.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "what fails here fails the test, and `patch` is found by the host's PATH"
)]

#[expect(dead_code, reason = "this test needs few of the world's verbs")]
mod world;

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;

use world::Ended;
use world::World;

const SMALL: &str = include_str!("cli/small.rhai");
const DEBIAN: &str = r#"#{ debian: #{ package: "linux-source-6.1", suite: "bookworm" } }"#;
const MAKEFILE: &str = "VERSION = 6\nPATCHLEVEL = 1\n";
const GOOD: &str = "--- a/Makefile\n+++ b/Makefile\n@@ -1,2 +1,2 @@\n-VERSION = 6\n+VERSION = 7\n PATCHLEVEL = 1\n";
const BAD: &str = "--- a/Makefile\n+++ b/Makefile\n@@ -1,2 +1,2 @@\n-VERSION = 5\n+VERSION = 8\n PATCHLEVEL = 1\n";

/// Serves one file to whoever asks, as long as the test runs.
fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/linux.tar", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = BufReader::new(stream.try_clone().unwrap());
            for line in request.lines() {
                if line.unwrap().is_empty() {
                    break;
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                content.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&content).unwrap();
        }
    });
    url
}

/// A project whose source is a served tarball with these patches.
fn project(sha256: Option<&str>, patches: &[(&str, &str)]) -> World {
    project_of("", sha256, patches)
}

/// A file's SHA-256.
fn digits(path: &Path) -> String {
    let hashes = store::hash_file(path, &[store::Algorithm::Sha256]).unwrap();
    hashes.checksums[0].hex().to_owned()
}

/// The same with more fields of the source.
fn project_of(fields: &str, sha256: Option<&str>, patches: &[(&str, &str)]) -> World {
    let world = World::with(SMALL);
    let tree = world.path("linux-6.1");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("Makefile"), MAKEFILE).unwrap();
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "old\n").unwrap();
    symlink(&outside, tree.join("escape")).unwrap();
    let tar = world.path("linux.tar");
    let done = Command::new("tar")
        .arg("--create")
        .arg("--file")
        .arg(&tar)
        .arg("--directory")
        .arg(tree.parent().unwrap())
        .arg("linux-6.1")
        .status();
    assert!(done.unwrap().success());
    let found = digits(&tar);
    let sha256 = sha256.unwrap_or(&found);
    let url = serve(fs::read(&tar).unwrap());
    let mut files = Vec::new();
    for (name, text) in patches {
        world.write(name, text);
        files.push(format!("file({name:?})"));
    }
    let source = format!(
        "#{{ {fields} tarball: #{{ url: {url:?}, sha256: {sha256:?} }}, patches: [{}] }}",
        files.join(", ")
    );
    world.edit("main.rhai", DEBIAN, &source);
    world.pin();
    world
}

fn realize(world: &World) -> Ended {
    let path = std::env::var_os("PATH").unwrap();
    let mut command = world.command(&["realize", "source:linux-6.1"]);
    world.run(command.env("PATH", path))
}

#[test]
fn patches_are_applied_in_order() {
    let second = "--- a/Makefile\n+++ b/Makefile\n@@ -1,2 +1,3 @@\n VERSION = 7\n+NAME = x\n PATCHLEVEL = 1\n";
    let world = project(None, &[("one.patch", GOOD), ("two.patch", second)]);
    let ended = realize(&world);
    assert_eq!(ended.code, Some(0), "{ended}");
    let tree = patched(&world.path("store"));
    assert_eq!(tree, "VERSION = 7\nNAME = x\nPATCHLEVEL = 1\n");
}

/// The `Makefile` in the newest tarball that a source node made.
fn patched(store: &Path) -> String {
    let store = store::Store::open(store).unwrap();
    let records = store.load_records().unwrap();
    let tar = records
        .iter()
        .find_map(|record| record.output("tar"))
        .unwrap();
    let bytes = zstd::decode_all(store.read(&tar).unwrap().as_slice()).unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
    text
}

#[test]
fn a_patch_that_does_not_apply_is_named_with_its_hunk() {
    let ended = realize(&project(None, &[("good.patch", GOOD), ("bad.patch", BAD)]));
    assert_eq!(ended.code, Some(1), "{ended}");
    let text = ended.to_string();
    assert!(
        text.contains("`bad.patch` does not apply: Hunk #1 FAILED at 1."),
        "{text}"
    );
    assert!(
        text.contains("-VERSION = 5"),
        "the log shows the hunk: {text}"
    );
}

#[test]
fn a_patch_that_is_already_in_the_source_is_told() {
    let ended = realize(&project(
        None,
        &[("good.patch", GOOD), ("again.patch", GOOD)],
    ));
    assert_eq!(ended.code, Some(1), "{ended}");
    let text = ended.to_string();
    let why = "`again.patch` does not apply: Reversed (or previously applied) patch detected!";
    assert!(text.contains(why), "{text}");
}

/// `patch` sees the tree and the patch alone, and names that lead elsewhere lead nowhere.
#[test]
fn a_patch_changes_nothing_outside_the_tree() {
    let change = |from: &str, to: &str| format!("--- {from}\n+++ {to}\n@@ -1 +1 @@\n-old\n+new\n");
    for patch in [
        change("a/escape/file", "b/escape/file"),
        change("a/../../outside/file", "b/../../outside/file"),
        change("/etc/hostname", "/etc/hostname"),
        "--- /dev/null\n+++ b/escape/new\n@@ -0,0 +1 @@\n+new\n".to_owned(),
    ] {
        let world = project(None, &[("bad.patch", &patch)]);
        let ended = realize(&world);
        assert_eq!(ended.code, Some(1), "{ended}");
        let outside = world.path("outside");
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "old\n");
        assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
    }
}

#[test]
fn what_is_no_tarball_is_the_sources_fault() {
    const JUNK: &[u8] = b"<html>not found</html>";
    let world = World::with(SMALL);
    let junk = world.path("junk");
    fs::write(&junk, JUNK).unwrap();
    let sha256 = digits(&junk);
    let url = serve(JUNK.to_vec());
    let source = format!("#{{ tarball: #{{ url: {url:?}, sha256: {sha256:?} }} }}");
    world.edit("main.rhai", DEBIAN, &source);
    world.pin();
    let ended = realize(&world);
    assert_eq!(ended.code, Some(1), "{ended}");
    let text = ended.to_string();
    assert!(text.contains("source linux-6.1"), "{text}");
    assert!(text.contains("the source cannot be unpacked: "), "{text}");
    let about = text
        .lines()
        .filter(|line| line.contains("cannot be unpacked"));
    assert!(
        about.into_iter().all(|line| !line.contains("blobs")),
        "{text}"
    );
}

#[test]
fn another_kernel_version_than_was_declared_is_told() {
    let told = |fields: &str, patches: &[(&str, &str)]| {
        let ended = realize(&project_of(fields, None, patches));
        (ended.code, ended.to_string())
    };
    assert_eq!(told("version: \"6.1\",", &[]).0, Some(0));
    let patch = [("good.patch", GOOD)];
    assert_eq!(told("version: \"7.1\",", &patch).0, Some(0));
    for (patches, found) in [(&[][..], "6.1.0"), (&patch[..], "7.1.0")] {
        let (code, text) = told("version: \"6.12\",", patches);
        assert_eq!(code, Some(1), "{text}");
        let why = format!("the definition says kernel 6.12, the source is {found}");
        assert!(text.contains(&why), "{text}");
    }
}

#[test]
fn other_bytes_than_were_declared_are_refused() {
    let ended = realize(&project(Some(&"0".repeat(64)), &[]));
    assert_eq!(ended.code, Some(3), "{ended}");
    let text = ended.to_string();
    assert!(text.contains("the definition or lock file says"), "{text}");
}
