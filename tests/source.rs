//! A kernel source by URL with patches: a real server on loopback, a real tarball, the host's `git apply`.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "what fails here fails the test, and programs are found by the host's PATH"
)]

#[path = "world/serve.rs"]
mod server;
#[path = "git/upstream.rs"]
#[expect(dead_code, reason = "nobody serves it here")]
mod upstream;
#[expect(dead_code, reason = "this test needs few of the world's verbs")]
mod world;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use server::serve;
use upstream::Upstream;
use world::Ended;
use world::World;

const SMALL: &str = include_str!("cli/small.rhai");
const DEBIAN: &str = r#"#{ debian: #{ package: "linux-source-6.1", suite: "bookworm" } }"#;
const MAKEFILE: &str = "VERSION = 6\nPATCHLEVEL = 1\n";
const GOOD: &str = "--- a/Makefile\n+++ b/Makefile\n@@ -1,2 +1,2 @@\n-VERSION = 6\n+VERSION = 7\n PATCHLEVEL = 1\n";
const BAD: &str = "--- a/Makefile\n+++ b/Makefile\n@@ -1,2 +1,2 @@\n-VERSION = 5\n+VERSION = 8\n PATCHLEVEL = 1\n";

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
    let url = serve("linux.tar", fs::read(&tar).unwrap());
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
    String::from_utf8(patched_bytes(store)).unwrap()
}

fn patched_bytes(store: &Path) -> Vec<u8> {
    let store = store::Store::open(store).unwrap();
    let records = store.load_records().unwrap();
    let tar = records
        .iter()
        .find_map(|record| record.output("tar"))
        .unwrap();
    let bytes = zstd::decode_all(store.read(&tar).unwrap().as_slice()).unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut entry, &mut text).unwrap();
    text
}

#[test]
fn a_patch_that_does_not_apply_is_named_with_its_hunk() {
    let ended = realize(&project(None, &[("good.patch", GOOD), ("bad.patch", BAD)]));
    assert_eq!(ended.code, Some(1), "{ended}");
    let text = ended.to_string();
    assert!(
        text.contains("`bad.patch` does not apply: patch failed: Makefile:1, hunk #1"),
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
    let why = "`again.patch` is already in the source: leave it out";
    assert!(text.contains(why), "{text}");
}

/// `git apply` sees the tree and the patch alone, and names that lead elsewhere lead nowhere.
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
    let world = of_bytes(b"<html>not found</html>");
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

/// A source of these bytes.
fn of_bytes(bytes: &[u8]) -> World {
    let world = World::with(SMALL);
    let file = world.path("file");
    fs::write(&file, bytes).unwrap();
    let sha256 = digits(&file);
    let url = serve("linux.tar", bytes.to_vec());
    let source = format!("#{{ tarball: #{{ url: {url:?}, sha256: {sha256:?} }} }}");
    world.edit("main.rhai", DEBIAN, &source);
    world.pin();
    world
}

/// A tar archive of files with these paths, whatever they are.
fn archive(paths: &[&str]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for path in paths {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(MAKEFILE.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        builder.append(&header, MAKEFILE.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Each is the source's failure, told with what is wrong in it and where it is from.
#[test]
fn what_is_wrong_in_a_source_is_told_by_its_entry_and_its_address() {
    let mut link = tar::Builder::new(archive(&["linux/Makefile"])[..1024].to_vec());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Link);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_mode(0o644);
    header.set_size(0);
    link.append_link(&mut header, "linux/out", "/etc/hostname")
        .unwrap();
    let link = link.into_inner().unwrap();
    let html = b"<!DOCTYPE html><title>Log in</title>".repeat(40);
    let told: Vec<String> = [
        archive(&["/etc/Makefile"]),
        archive(&["linux/Makefile", "linux/../../Makefile"]),
        link,
        archive(&["one/Makefile", "two/Makefile"]),
        archive(&["linux/README"]),
        html,
        b"BZh91AY&SY".repeat(100),
        zstd::encode_all(&b"hello"[..], 1).unwrap(),
    ]
    .iter()
    .map(|bytes| {
        let ended = realize(&of_bytes(bytes));
        assert_eq!(ended.code, Some(1), "{ended}");
        let failed = ended
            .stdout
            .lines()
            .skip_while(|line| !line.starts_with("failed: "));
        let reason = failed
            .skip(1)
            .map(str::trim)
            .take_while(|line| !line.starts_with("log: "));
        let reason = reason.collect::<Vec<_>>().join(" ");
        assert!(!reason.contains("blobs"), "{reason}");
        reason
            .split_once("; it is from http://")
            .map_or(reason.clone(), |(reason, _)| reason.to_owned() + " URL")
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    the source cannot be unpacked: the entry `/etc/Makefile` has an absolute path URL
    the source cannot be unpacked: the entry `linux/../../Makefile` leads out of it URL
    the source cannot be unpacked: the entry `linux/out` is a hard link to `/etc/hostname`, which is not in it URL
    the source cannot be unpacked: it does not hold one top directory, but `one`, `two` URL
    it is no kernel source: it holds no `Makefile` URL
    the source cannot be unpacked: it is no tar archive, it begins with `<!DOCTYPE html><title>Log in</title><!DO`; tar is read, plain or compressed by gzip, xz or zstd URL
    the source cannot be unpacked: it is compressed by bzip2; tar is read, plain or compressed by gzip, xz or zstd URL
    the source cannot be unpacked: what is compressed in it is no tar archive; tar is read, plain or compressed by gzip, xz or zstd URL
    ");
}

/// A tree may be called what a root filesystem keeps for itself.
#[test]
fn a_top_directory_called_dev_is_a_top_directory() {
    let ended = realize(&of_bytes(&archive(&["dev/Makefile"])));
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn patches_come_as_mails_and_in_other_encodings() {
    let quoted = "Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n--- a/Makefile\n+++ b/Makefile\n@@ -1,2 +1,2 @@\n-VERSION =3D 6\n+VERSION =3D 7\n PATCHLEVEL =3D 1\n";
    let world = project(None, &[("quoted.patch", quoted)]);
    let ended = realize(&world);
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(
        patched(&world.path("store")),
        "VERSION = 7\nPATCHLEVEL = 1\n"
    );

    let world = project(None, &[("latin.patch", "")]);
    let latin = [
        b"From: M\xfcller\n".as_slice(),
        GOOD.replace("VERSION = 7", "VERSION = 7 # \u{1}")
            .as_bytes(),
    ]
    .concat();
    let latin: Vec<u8> = latin
        .into_iter()
        .map(|byte| if byte == 1 { 0xfc } else { byte })
        .collect();
    fs::write(world.path("project/latin.patch"), latin).unwrap();
    let ended = realize(&world);
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(patched_bytes(&world.path("store")).starts_with(b"VERSION = 7 # \xfc\n"));
}

#[test]
fn a_patch_of_nothing_is_no_success() {
    for text in ["", "Subject: I forgot\n\nthe patch\n"] {
        let ended = realize(&project(None, &[("empty.patch", text)]));
        assert_eq!(ended.code, Some(1), "{ended}");
        assert!(
            ended.to_string().contains("`empty.patch` holds no patch"),
            "{ended}"
        );
    }
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

/// The digest of the source as it is wanted now.
fn source(world: &World) -> String {
    let path = std::env::var_os("PATH").unwrap();
    let mut command = world.command(&["show", "--json", "source:linux-6.1"]);
    let shown = world.run(command.env("PATH", path));
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    shown["outputs"][0]["content"].as_str().unwrap().to_owned()
}

/// A project whose source is a commit of a repository as a tarball, with patches that an expression gives.
fn project_at(upstream: &Upstream, commit: &str, patches: &str) -> World {
    let world = World::with(SMALL);
    let tar = world.path("linux.tar");
    upstream.git(&[
        "archive",
        "--prefix=linux/",
        "--output",
        tar.to_str().unwrap(),
        commit,
    ]);
    let sha256 = digits(&tar);
    let url = serve("linux.tar", fs::read(&tar).unwrap());
    let source =
        format!("#{{ tarball: #{{ url: {url:?}, sha256: {sha256:?} }}, patches: {patches} }}");
    world.edit("main.rhai", DEBIAN, &source);
    world.pin();
    world
}

fn succeeded(world: &World) -> String {
    let ended = realize(world);
    assert_eq!(ended.code, Some(0), "{ended}");
    source(world)
}

/// A repository with a commit to begin from, and a series on top: renames, modes, links, new, deleted and binary files, CR LF, bytes that are no
/// text. Gives it with that commit and the files that `git format-patch` makes of the series.
fn series() -> (Upstream, String, Vec<(String, Vec<u8>)>) {
    let upstream = Upstream::new();
    upstream.write("old", "1\n2\n3\n4\n5\n6\n7\n8\n");
    upstream.write("gone", "x\n");
    upstream.write("run.sh", "#!/bin/sh\n");
    upstream.write("logo", [0, 1, 2, 255, 254].repeat(40));
    upstream.write("dos", "a\r\nb\r\n");
    upstream.write("latin", b"M\xfcller\n");
    let base = upstream.commit("base");

    upstream.git(&["mv", "old", "new"]);
    upstream.write("new", "1\n2\n3\nfour\n5\n6\n7\n8\n");
    upstream.commit("rename");
    fs::remove_file(upstream.path().join("gone")).unwrap();
    upstream.git(&["update-index", "--chmod=+x", "run.sh"]);
    upstream.git(&["config", "core.fileMode", "false"]);
    symlink("new", upstream.path().join("link")).unwrap();
    upstream.commit("From here on: modes");
    upstream.write("logo", [7, 0, 9, 255, 254].repeat(40));
    upstream.write("fresh/bin", [0, 200, 3].repeat(10));
    upstream.commit("binary");
    upstream.write("dos", "a\r\nc\r\n");
    upstream.write("latin", b"M\xf6ller\n");
    upstream.commit("other bytes");

    let range = format!("{base}..HEAD");
    let out = upstream.path().join("../series");
    let out = out.to_str().unwrap();
    let form = ["format-patch", "--binary", "--cover-letter", &range];
    upstream.git(&[&form[..], &["--output-directory", out]].concat());
    let mut files: Vec<_> = fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let files: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(path).unwrap(),
            )
        })
        .collect();
    fs::remove_dir_all(out).unwrap();
    assert_eq!(files.len(), 5);
    (upstream, base, files)
}

/// In each form in which people have a series, it comes to the tree that git has.
#[test]
fn a_series_comes_to_what_git_has_in_whatever_form_it_is() {
    let (upstream, base, files) = series();
    let put = |world: &World, name: &str, bytes: &[u8]| {
        let path = world.path("project").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let made = |expression: &str, prepare: &dyn Fn(&World)| {
        let world = project_at(&upstream, &base, "[]");
        prepare(&world);
        world.edit(
            "main.rhai",
            "patches: []",
            &format!("patches: {expression}"),
        );
        succeeded(&world)
    };
    let directory = made("patches(\"series\")", &|world| {
        for (name, bytes) in &files {
            put(world, &format!("series/{name}"), bytes);
        }
        put(world, "series/README", b"not one\n");
    });
    let mailbox = made("patches(\"series.mbx\")", &|world| {
        let all: Vec<u8> = files
            .iter()
            .flat_map(|(_, bytes)| [bytes, &b"\n"[..]].concat())
            .collect();
        put(world, "series.mbx", &all);
    });
    let quilt = made(
        "[patches(\"quilt\", #{ strip: 7 }), file(\"last.patch.zst\")]",
        &|world| {
            let (last, names) = files.split_last().unwrap();
            let lines: Vec<String> = names[1..]
                .iter()
                .map(|(name, _)| format!("{name} -p1\n"))
                .collect();
            put(
                world,
                "quilt/series",
                format!("# ours\n{}", lines.concat()).as_bytes(),
            );
            for (name, bytes) in names {
                put(world, &format!("quilt/{name}"), bytes);
            }
            put(
                world,
                "last.patch.zst",
                &zstd::encode_all(last.1.as_slice(), 1).unwrap(),
            );
        },
    );
    assert_eq!(directory, mailbox);
    assert_eq!(directory, quilt);

    let world = World::with(SMALL);
    let git = format!(
        "#{{ git: #{{ url: {:?}, branch: \"master\" }} }}",
        upstream.url()
    );
    world.edit("main.rhai", DEBIAN, &git);
    world.pin();
    let path = std::env::var_os("PATH").unwrap();
    let mut update = world.command(&["update", "source/linux-6.1"]);
    let updated = world.run(update.env("PATH", path));
    assert_eq!(updated.code, Some(0), "{updated}");
    assert_eq!(succeeded(&world), directory);
}

/// What is said of patches that cannot be applied: patch, file and hunk, and the rejects in the log.
#[test]
fn what_is_wrong_with_a_patch_is_told() {
    let diff = |file: &str, from: &str, to: &str| {
        format!(
            "diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n@@ -1,2 +1,2 @@\n-{from}\n+{to}\n PATCHLEVEL = 1\n"
        )
    };
    let told: Vec<String> = [
        ("file.patch", diff("missing", "a", "b")),
        ("cut.patch", GOOD[..GOOD.len() - 20].to_owned()),
        ("binary.patch", "diff --git a/x b/x\nBinary files a/x and b/x differ\n".to_owned()),
        ("context.patch", "*** a/Makefile\n--- b/Makefile\n***************\n*** 1 ****\n! VERSION = 6\n--- 1 ----\n! VERSION = 7\n".to_owned()),
        ("twice.patch", format!("{}{}", diff("Makefile", "VERSION = 6", "VERSION = 7"), diff("Makefile", "VERSION = 5", "VERSION = 8"))),
        ("deep.patch", GOOD.replace("a/", "x/a/").replace("b/", "x/b/")),
        ("exists.patch", "diff --git a/Makefile b/Makefile\nnew file mode 100644\n--- /dev/null\n+++ b/Makefile\n@@ -0,0 +1 @@\n+x\n".to_owned()),
    ]
    .iter()
    .map(|(name, text)| {
        let ended = realize(&project(None, &[(name, text)]));
        assert_eq!(ended.code, Some(1), "{ended}");
        let text = ended.stdout.lines().find(|line| line.contains(&format!("`{name}`")));
        let text = text.unwrap_or(&ended.stdout).trim();
        let place = text.find("; it is from http").unwrap_or(text.len());
        text[..place].to_owned()
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    `file.patch` does not apply: missing: No such file or directory
    `cut.patch` does not apply: corrupt patch at line 5
    `binary.patch` does not apply: there is no change in it that is read; unified diffs are, and binary files as `git format-patch --binary` writes them
    `context.patch` does not apply: there is no change in it that is read; unified diffs are, and binary files as `git format-patch --binary` writes them
    `twice.patch` does not apply: patch failed: Makefile:1, hunk #1
    `deep.patch` does not apply: b/Makefile: No such file or directory
    `exists.patch` does not apply: Makefile: already exists in working directory
    ");
    // Mails bring CR LF along.
    let world = project(
        None,
        &[(
            "mail.patch",
            &format!("Subject: x\n\n{GOOD}").replace('\n', "\r\n"),
        )],
    );
    assert_eq!(realize(&world).code, Some(0));
}
