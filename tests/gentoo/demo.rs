//! `make demo` where there is no apt: `tools/demo.sh` on `definitions/gentoo`, with a mirror on the loopback.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;

use engine::drive::Session;
use store::Algorithm;
use store::Checksum;
use store::Store;

use super::*;
use crate::shared::shared_store;

/// Where the mirror has the kernel's source.
const SOURCE: &str = "/linux.tar.xz";

/// What downloads the kernel's source in the demo of Debian's packages.
const NODE: &str = "fetch:source/linux-6.1";

/// A kernel's source as kernel.org packs it: the tarball in Debian's package.
fn linux() -> Vec<u8> {
    let world = World::new();
    let debian = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions/demo");
    for name in list(&debian).iter().filter(|name| *name != "results") {
        world.write(name, &std::fs::read_to_string(debian.join(name)).unwrap());
    }
    for arguments in [&["update", "--if-gone"][..], &["realize", NODE]] {
        let path = std::env::var_os("PATH").unwrap();
        let mut command = world.command(arguments);
        let ended = world.run(
            command
                .env("PATH", path)
                .env("ENGINE_STORE", shared_store()),
        );
        assert_eq!(ended.code, Some(0), "{ended}");
    }
    let store = Arc::new(Store::open(&shared_store()).unwrap());
    let session = Session::open(&world.path("project"), Arc::clone(&store)).unwrap();
    let files = session.record(NODE).unwrap().outputs["files"];
    let dir = world.path("files");
    store.materialise(&files, &dir).unwrap();
    let package = list(&dir).into_iter().next().unwrap();
    let tar = Command::new("sh")
        .arg("-c")
        .arg("dpkg-deb --fsys-tarfile \"$1\" | tar --extract --to-stdout --wildcards './usr/src/linux-source-*.tar.xz'")
        .arg("sh")
        .arg(dir.join(package))
        .output()
        .unwrap();
    assert!(tar.status.success(), "{tar:?}");
    tar.stdout
}

/// The programs of this machine but Debian's own.
fn programs(world: &World) -> std::path::PathBuf {
    let bin = world.path("bin");
    std::fs::create_dir(&bin).unwrap();
    for dir in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for name in list(&dir) {
            let debian = ["apt", "dpkg", "mmdebstrap"];
            if !debian.iter().any(|word| name.starts_with(word)) {
                // The first of a name counts, as in the search path.
                drop(symlink(dir.join(&name), bin.join(&name)));
            }
        }
    }
    bin
}

/// Runs it in a project like `definitions/gentoo`, but for the one arch that the mirror has a stage3 of.
pub fn without_apt(world: &World, mirror: &Mirror, key: &Key) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = linux();
    let demo = World::new();
    for name in ["main.rhai", "common.rhai"] {
        let text = std::fs::read_to_string(root.join("definitions/gentoo").join(name)).unwrap();
        let others = |line: &&str| !line.starts_with("common::declare") || line.contains("x86_64");
        let lines: Vec<&str> = text.lines().filter(others).collect();
        demo.write(name, &(lines.join("\n") + "\n"));
    }
    demo.edit(
        "common.rhai",
        "gentoo::stage3(stage3)",
        &format!(
            "gentoo::stage3(stage3, #{{ mirrors: [\"{url}\"], keys: [\"{key}\"], key_urls: [\"{url}{KEYS}\"] }})",
            url = mirror.url,
            key = key.fingerprint,
        ),
    );
    demo.edit(
        "common.rhai",
        "\"amd64-openrc\": \"amd64-llvm-openrc\", ",
        "",
    );
    let main = std::fs::read_to_string(demo.path("project/main.rhai")).unwrap();
    let main = Regex::new(r#""https://[^"]*""#)
        .unwrap()
        .replace_all(&main, format!("\"{}{SOURCE}\"", mirror.url).as_str());
    let sha256 = Checksum::of(Algorithm::Sha256, &source);
    let main = Regex::new("[0-9a-f]{64}")
        .unwrap()
        .replace(&main, sha256.hex());
    demo.write(
        "main.rhai",
        &main.replace("version: \"6.12\"", "version: \"6.1\""),
    );
    mirror.put(SOURCE, source);

    let mut command = Command::new(root.join("tools/demo.sh"));
    command
        .env_clear()
        .env("PATH", programs(&demo))
        .env("HOME", demo.path("home"))
        .env("ENGINE_STORE", world.path("store"))
        .env("DEMO_ENGINE", env!("CARGO_BIN_EXE_engine"))
        .env("DEMO_PROJECT", demo.path("project"));
    let ended = demo.run(&mut command);
    assert_eq!(ended.code, Some(0), "{ended}");
    let console =
        "results/linux-6.12/x86_64/boot/gcc-amd64-openrc/boots/qemu-x86_64-pc/general/console.log";
    assert!(ended.stdout.contains(console), "{ended}");
    let console = std::fs::read_to_string(demo.path("project").join(console)).unwrap();
    assert!(console.contains("Linux version 6.1."), "{console}");
    mirror.remove(SOURCE);

    // Again: nothing to do.
    let again = demo.run(&mut command);
    assert!(again.stderr.contains("nothing to do"), "{again}");
    assert!(!demo.path("bin/apt-get").exists());
}
