//! Gentoo's stage3s and snapshots from a mirror on the loopback, with signatures by real `gpg` and packages by the real `emerge`.

#![expect(
    clippy::disallowed_methods,
    clippy::format_push_string,
    clippy::unwrap_used,
    reason = "what fails here fails the test, which runs the machine's programs and collects what is said"
)]

#[expect(dead_code, reason = "these tests make nothing up")]
#[path = "../world.rs"]
mod world;

mod archive;
mod demo;
mod download;
mod key;
mod mirror;
mod pins;
mod portage;
mod project;
#[path = "../world/store.rs"]
mod shared;
#[path = "../world/tarball.rs"]
mod tarballs;
#[path = "../world/user.rs"]
mod user;

use std::path::Path;

use key::Key;
use mirror::KEYS;
use mirror::Mirror;
use regex::Regex;
use world::Ended;
use world::World;

/// What the stage3s of most tests are named.
const NAME: &str = "amd64-openrc";

/// Definitions of one base on a mirror.
fn definitions(mirror: &str, fingerprint: &str) -> String {
    format!(
        r#"import "std/gentoo" as gentoo;
base("gentoo", gentoo::stage3("{NAME}", #{{
    mirrors: ["{mirror}"], keys: ["{fingerprint}"], key_urls: ["{mirror}{KEYS}"],
}}));
"#
    )
}

/// A project of one base, an image of it, and a mirror that has its stage3.
fn project(tar_xz: &[u8], key: &Key) -> (World, Mirror) {
    let mirror = Mirror::new();
    mirror.publish(NAME, tar_xz, key, None);
    let world = World::with(&definitions(&mirror.url, &key.fingerprint));
    world.edit("main.rhai", "base(", "image(\"plain\", #{ base: base(");
    world.edit("main.rhai", "}));", "})) });");
    (world, mirror)
}

/// Files as a tarball, compressed by xz.
fn tarball(files: &[(&str, &str)]) -> Vec<u8> {
    compressed(&tarballs::tarball(files))
}

fn compressed(tar: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

/// Runs the engine with the programs of this machine.
fn run(world: &World, arguments: &str) -> Ended {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let path = std::env::var_os("PATH").unwrap();
    world.run(world.command(&words).env("PATH", path))
}

/// What was said, with what differs from run to run replaced.
fn told(ended: &Ended, mirror: &Mirror, key: &Key) -> String {
    let text = ended.to_string().replace(&mirror.url, "MIRROR");
    let text = text.replace(&key.fingerprint, "FINGERPRINT");
    let text = Regex::new(r"127\.0\.0\.1:\d+")
        .unwrap()
        .replace_all(&text, "MIRROR");
    let text = Regex::new(r"\b[0-9A-F]{40}\b")
        .unwrap()
        .replace_all(&text, "OTHER");
    let text = Regex::new(r"\b[0-9a-f]{64,128}\b")
        .unwrap()
        .replace_all(&text, "DIGEST");
    let text = Regex::new(r" in \d+\.\d+s")
        .unwrap()
        .replace_all(&text, " in TIME");
    let text = Regex::new(r"store: (.*), .*")
        .unwrap()
        .replace_all(&text, "store: $1, SIZE");
    Regex::new(r"20\d\d-\d\d-\d\d")
        .unwrap()
        .replace_all(&text, "DAY")
        .into_owned()
}

/// Why the base, or its download, came to nothing.
fn why(told: &str) -> &str {
    let lines = told.lines();
    let mut lines =
        lines.skip_while(|line| !line.starts_with("failed:") && !line.starts_with("broken:"));
    lines.nth(1).unwrap_or_else(|| panic!("{told}")).trim()
}

/// Asserts that nothing was left half-done: the store is whole, and nothing lies in its work directory.
fn clean(world: &World) {
    let verified = run(world, "verify");
    assert_eq!(verified.code, Some(0), "{verified}");
    let work = world.path("store/work");
    let left: Vec<_> = list(&work);
    assert!(left.is_empty(), "{left:?}");
}

fn list(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.collect()
}
