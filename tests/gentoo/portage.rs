//! The whole way with the real Portage: from a mirror's list to a kernel that was built in the image and boots.
//!
//! The stage3 is a stand-in: a Debian root filesystem with Portage's wheel, laid out, packed, listed and signed as Gentoo's are. Its
//! ebuild repository is made here too. So the commands that a real stage3 gets are run by the real program; real profiles are not.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use engine::drive::Session;
use store::Store;
use store::remove_own_tree;
use tempfile::TempDir;

use super::*;
use crate::mirror::DAY;
use crate::shared::shared_store;

/// What Portage and a kernel's build need of Debian.
const PACKAGES: &str = r#"["bc", "binutils", "bison", "bzip2", "cpio", "ed", "file", "flex", "g++", "gcc", "gpg", "gpgv", "kmod",
    "libc6-dev", "libelf-dev", "libssl-dev", "make", "patch", "perl", "procps", "python3", "rsync", "texinfo", "wget", "xz-utils", "zstd"]"#;

/// The release of Portage, as pip asks for it.
const PORTAGE: &str = "portage==3.0.83";
/// What `sys-devel/bc` is made from.
const BC: &str = "http://deb.debian.org/debian/pool/main/b/bc/bc_1.07.1.orig.tar.gz";
const BC_NAME: &str = "bc_1.07.1.orig.tar.gz";

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// A stand-in stage3 for a Debian architecture, and the tarball of bc's source.
struct Stage3 {
    dir: TempDir,
}

impl Stage3 {
    fn make(debian: &str, gentoo: &str, chost: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = World::with(&format!(
            "base(\"portage\", #{{ debian: #{{ suite: \"bookworm\", arch: \"{debian}\", packages: {PACKAGES} }} }});\n"
        ));
        let text = fs::read_to_string(world.path("project/main.rhai")).unwrap();
        world.write(
            "main.rhai",
            &format!(
                "image(\"portage\", #{{ base: {} }});\n",
                text.trim_end().trim_end_matches(';')
            ),
        );
        let store = shared_store();
        for arguments in [&["update"][..], &["realize", "base:portage"]] {
            let path = std::env::var_os("PATH").unwrap();
            let mut command = world.command(arguments);
            let ended = world.run(command.env("PATH", path).env("ENGINE_STORE", &store));
            assert_eq!(ended.code, Some(0), "{ended}");
        }
        let store = Arc::new(Store::open(&store).unwrap());
        let session = Session::open(&world.path("project"), Arc::clone(&store)).unwrap();
        let tar = store.blob_path(&session.record("base:portage").unwrap().outputs["tar"]);
        // The stage3, its images and a kernel's source lie in a store of their own.
        store.make_room(10 << 30, &remove_own_tree).unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        done(
            Command::new("tar")
                .args([
                    "--extract",
                    "--numeric-owner",
                    "--exclude=./dev/*",
                    "--file",
                ])
                .arg(tar)
                .arg("--directory")
                .arg(&root),
        );
        done(
            Command::new("python3")
                .args([
                    "-m",
                    "pip",
                    "download",
                    "--quiet",
                    "--no-deps",
                    PORTAGE,
                    "--dest",
                ])
                .arg(dir.path()),
        );
        let wheel = list(dir.path())
            .into_iter()
            .find(|name| name.starts_with("portage-"))
            .unwrap();
        done(
            Command::new("sh")
                .arg(script("stage3.sh"))
                .arg(&root)
                .arg(dir.path().join(wheel))
                .args([gentoo, chost]),
        );
        done(
            Command::new("curl")
                .args(["--silent", "--show-error", "--fail", "--output"])
                .arg(dir.path().join(BC_NAME))
                .arg(BC),
        );
        Self { dir }
    }

    /// As it is packed for a mirror.
    fn packed(&self) -> Vec<u8> {
        let out = self.dir.path().join("stage3.tar.xz");
        done(
            Command::new("sh")
                .arg("-c")
                .arg("tar --create --numeric-owner --directory=\"$1\" . | xz -0 -T0 > \"$2\"")
                .arg("sh")
                .arg(self.dir.path().join("root"))
                .arg(&out),
        );
        fs::read(out).unwrap()
    }

    fn bc(&self) -> Vec<u8> {
        fs::read(self.dir.path().join(BC_NAME)).unwrap()
    }

    /// The ebuild repository as a snapshot.
    fn snapshot(&self) -> Vec<u8> {
        let top = self.dir.path().join(format!("gentoo-{DAY}"));
        fs::create_dir(&top).unwrap();
        done(
            Command::new("sh")
                .arg(script("repository.sh"))
                .arg(&top)
                .arg(self.dir.path().join(BC_NAME)),
        );
        let out = self.dir.path().join("snapshot.tar.xz");
        done(
            Command::new("tar")
                .args(["--create", "--xz", "--owner=0", "--group=0", "--file"])
                .arg(&out)
                .arg("--directory")
                .arg(self.dir.path())
                .arg(format!("gentoo-{DAY}")),
        );
        fs::read(out).unwrap()
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/gentoo")
        .join(name)
}

/// A mirror with a stage3, a snapshot, and what bc is made from.
fn published(stage3: &Stage3, name: &str, key: &Key) -> Mirror {
    let mirror = Mirror::new();
    mirror.publish(name, &stage3.packed(), key, None);
    mirror.publish_snapshot(&stage3.snapshot(), key);
    let hash = store::Checksum::of(store::Algorithm::Blake2b, BC_NAME.as_bytes());
    mirror.put(
        &format!("/distfiles/{}/{BC_NAME}", &hash.hex()[..2]),
        stage3.bc(),
    );
    mirror
}

/// An image of a stage3 with packages, and a kernel built in it that boots.
fn world(mirror: &Mirror, key: &Key, name: &str, more: &str) -> World {
    World::with(&format!(
        r#"import "std/arches" as arches;
import "std/debian" as debian;
import "std/gentoo" as gentoo;
const BASE = base("gentoo", gentoo::stage3("{name}", #{{
    mirrors: ["{url}"], keys: ["{key}"], key_urls: ["{url}{KEYS}"],
}}));
const KBUILD = image("kbuild", #{{ base: BASE, packages: gentoo::kbuild_packages() }});
{more}"#,
        url = mirror.url,
        key = key.fingerprint,
    ))
}

/// A kernel that is built in an emulated image by Debian's cross compiler, as libraries of Gentoo's lie where the image has its own.
const ACCELERATED: &str = r#"
const CROSSES = debian::cross("arm64");
const NATIVE = image("native", #{
    base: base("bookworm", debian::kbuild("bookworm", "amd64")),
    packages: ["bc", "libelf-dev", "libssl-dev"] + CROSSES.packages,
});
const CROSS = toolchain("cross", #{ kind: "cross", prefix: CROSSES.prefix, image: NATIVE });
const FAST = toolchain("fast", #{ kind: "gcc", image: KBUILD, accelerate: CROSS });
source("linux-6.1", debian::linux("6.1", "bookworm"));
const ARM64 = arch("arm64", arches::arm64().extend(#{ toolchains: [FAST] }));
defconfig(ARM64, "tinyconfig", #{ recipe: tiny() });
"#;

fn log(world: &World, node: &str) -> String {
    run(world, &format!("log {node}")).stdout
}

fn good(world: &World, arguments: &str) {
    let ended = run(world, arguments);
    let log = || log(world, "image:kbuild");
    assert_eq!(ended.code, Some(0), "{ended}\n{}", log());
}

#[test]
fn from_a_signed_list_to_a_booted_kernel() {
    let key = Key::new();
    let stage3 = Stage3::make("amd64", "amd64", "x86_64-pc-linux-gnu");
    let mirror = published(&stage3, NAME, &key);
    drop(stage3);
    let world = world(&mirror, &key, NAME, "");
    good(&world, "update");
    good(&world, "realize image:kbuild");
    let first = log(&world, "image:kbuild");
    assert!(
        first.contains("Emerging (") && first.contains("sys-devel/bc-1.07.1"),
        "{first}"
    );

    let again = run(&world, "realize image:kbuild").stderr;
    assert!(again.contains("nothing to do"), "{again}");

    crate::demo::without_apt(&world, &mirror, &key);
    what_fails_is_told(&world, &mirror);
    binary_packages_outlive_the_store(&world);
    a_signed_binhost_is_a_source(&world, &mirror, &key);
    clean(&world);
}

/// A binary package as Portage made it, with its Manifest signed, and perhaps a part of it changed.
fn signed(package: &[u8], key: &Key, spoilt: bool) -> Vec<u8> {
    let mut made = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(package).entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, mut header) = (entry.path().unwrap().into_owned(), entry.header().clone());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if path.ends_with("Manifest") {
            content = key.clearsign(str::from_utf8(&content).unwrap(), None);
        } else if spoilt && path.to_string_lossy().contains("image.tar") {
            content.push(0);
        }
        header.set_size(content.len() as u64);
        made.append_data(&mut header, path, &content[..]).unwrap();
    }
    made.into_inner().unwrap()
}

/// Packages that another machine built: the index is pinned, and each package must be signed.
fn a_signed_binhost_is_a_source(world: &World, mirror: &Mirror, key: &Key) {
    let volumes = world.path("store/volumes/gentoo/binpkgs");
    let kept = list(&volumes).into_iter().next().unwrap();
    let kept = volumes.join(kept);
    mirror.put(
        "/binhost/Packages",
        fs::read(kept.join("Packages")).unwrap(),
    );
    let mut packages = Vec::new();
    for category in ["sys-devel", "virtual", "dev-libs"] {
        for package in list(&kept.join(category)) {
            for file in list(&kept.join(category).join(&package)) {
                let path = format!("{category}/{package}/{file}");
                packages.push((path.clone(), fs::read(kept.join(&path)).unwrap()));
            }
        }
    }
    let publish = |spoilt: bool| {
        for (path, content) in &packages {
            mirror.put(&format!("/binhost/{path}"), signed(content, key, spoilt));
        }
    };
    fs::remove_dir_all(world.path("store/volumes")).unwrap();
    world.edit(
        "main.rhai",
        "key_urls:",
        &format!(
            "make_conf: #{{ PORTAGE_BINHOST: \"{}/binhost\" }}, key_urls:",
            mirror.url
        ),
    );
    good(world, "update");
    // Not signed, then signed and changed: neither is taken, and both are told.
    for (path, content) in &packages {
        mirror.put(&format!("/binhost/{path}"), content.clone());
    }
    let unsigned = run(world, "realize image:kbuild");
    assert_eq!(unsigned.code, Some(3), "{unsigned}");
    assert!(
        unsigned
            .stdout
            .contains("its Manifest: it carries no OpenPGP signature"),
        "{unsigned}"
    );
    publish(true);
    let spoilt = run(world, "realize image:kbuild");
    assert_eq!(spoilt.code, Some(3), "{spoilt}");
    assert!(
        spoilt
            .stdout
            .contains("in it is not what its Manifest says"),
        "{spoilt}"
    );

    publish(false);
    good(world, "realize image:kbuild");
    let log = log(world, "image:kbuild");
    assert!(
        log.contains("Emerging binary")
            && log.contains("sys-devel/bc-1.07.1")
            && !log.contains("Emerging ("),
        "{log}"
    );
}

fn binary_packages_outlive_the_store(world: &World) {
    let volumes = world.path("volumes");
    fs::rename(world.path("store/volumes"), &volumes).unwrap();
    fs::remove_dir_all(world.path("store")).unwrap();
    fs::create_dir(world.path("store")).unwrap();
    fs::rename(&volumes, world.path("store/volumes")).unwrap();
    good(world, "update base/gentoo image/kbuild");
    good(world, "realize image:kbuild");
    let second = log(world, "image:kbuild");
    assert!(
        second.contains("Emerging binary") && !second.contains("Emerging ("),
        "{second}"
    );
    // What the image tells of itself.
    let shown = run(world, "show image:kbuild").stdout;
    for line in [
        "profile  default/linux/amd64",
        "make     GNU Make",
        "gcc      12.",
        "packages  sys-devel/bc virtual/libelf",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
}

fn what_fails_is_told(world: &World, mirror: &Mirror) {
    world.edit(
        "main.rhai",
        "gentoo::kbuild_packages()",
        "[\"app-misc/broken\"]",
    );
    let ended = run(world, "realize image:kbuild");
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(
        ended
            .stdout
            .contains("app-misc/broken-1::gentoo failed (compile phase)"),
        "{ended}"
    );
    let log = log(world, "image:kbuild");
    assert!(
        log.contains("'missing' undeclared") && log.contains("it does not compile"),
        "{log}"
    );

    world.edit("main.rhai", "app-misc/broken", "app-misc/brokn");
    let ended = run(world, "realize image:kbuild");
    assert_eq!(ended.code, Some(1), "{ended}");
    let reason = "emerge: there are no ebuilds to satisfy \"app-misc/brokn\"";
    assert!(ended.stdout.contains(reason), "{ended}");

    // What is to be downloaded and is not there: the name of the file is told.
    world.edit("main.rhai", "[\"app-misc/brokn\"]", "[\"app-misc/lost\"]");
    let ended = run(world, "realize image:kbuild --stall 2");
    assert_eq!(ended.code, Some(3), "{ended}");
    assert!(ended.stdout.contains("lost-1.tar.gz"), "{ended}");
    assert!(mirror.asked("/distfiles/lost-1.tar.gz").len() < 2);
    world.edit(
        "main.rhai",
        "[\"app-misc/lost\"]",
        "gentoo::kbuild_packages()",
    );
}

/// The same without root: `emerge` sees the user's subordinate ids as its own.
#[test]
#[ignore = "three minutes: `make test-gentoo` runs it"]
fn an_ordinary_user_makes_an_image_by_emerge() {
    if let Err(lacks) = user::make() {
        return user::skip(&lacks);
    }
    let key = Key::new();
    let stage3 = Stage3::make("amd64", "amd64", "x86_64-pc-linux-gnu");
    let mirror = published(&stage3, NAME, &key);
    let world = world(&mirror, &key, NAME, "");
    let owner = format!("{0}:{0}", user::USER);
    done(
        Command::new("chown")
            .args(["--recursive", &owner])
            .arg(world.path("")),
    );
    let as_user = |arguments: &[&str]| {
        let engine = world.command(arguments);
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={}", user::USER));
        command.arg(format!("--regid={}", user::USER));
        command
            .args(["--clear-groups", "--"])
            .arg(engine.get_program());
        command
            .args(arguments)
            .current_dir(world.path("project"))
            .env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
            .env("HOME", world.path("home"))
            .env("ENGINE_STORE", world.path("store"));
        world.run(&mut command)
    };
    for arguments in [&["update"][..], &["realize", "image:kbuild"]] {
        let ended = as_user(arguments);
        assert_eq!(ended.code, Some(0), "{ended}");
    }
    let log = as_user(&["log", "image:kbuild"]).stdout;
    assert!(
        log.contains("Emerging (") && log.contains("sys-devel/bc-1.07.1"),
        "{log}"
    );
    // What was built is taken by the next image.
    world.edit(
        "main.rhai",
        "gentoo::kbuild_packages()",
        "gentoo::kbuild_packages() + [\"virtual/second\"]",
    );
    let ended = as_user(&["update"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let ended = as_user(&["realize", "image:kbuild"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let log = as_user(&["log", "image:kbuild"]).stdout;
    assert!(log.contains("Emerging binary"), "{log}");
}

/// Everything of the image's own architecture runs emulated: an hour's fraction, so only `make test-gentoo` takes it.
#[test]
#[ignore = "a quarter of an hour of emulation: `make test-gentoo` runs it"]
fn emulation_runs_emerge_and_takes_binary_packages_and_a_cross_compiler() {
    let key = Key::new();
    let name = "arm64-openrc";
    let stage3 = Stage3::make("arm64", "arm64", "aarch64-unknown-linux-gnu");
    let mirror = published(&stage3, name, &key);
    let world = world(&mirror, &key, name, ACCELERATED);
    good(&world, "update");
    good(&world, "realize image:kbuild");
    good(&world, "realize kernel:linux-6.1/arm64/tinyconfig/fast");
    world.edit(
        "main.rhai",
        "gentoo::kbuild_packages()",
        "gentoo::kbuild_packages() + [\"virtual/second\"]",
    );
    good(&world, "update");
    good(&world, "realize image:kbuild");
    let second = log(&world, "image:kbuild");
    assert!(
        second.contains("Emerging binary") && second.contains("sys-devel/bc-1.07.1"),
        "{second}"
    );
}
