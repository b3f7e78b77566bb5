//! A stage3 on its way from the mirror: each fault is told as what it is, and leaves nothing.

use std::fs;
use std::time::Duration;
use std::time::Instant;

use super::*;
use crate::mirror::Fault;
use crate::mirror::stage3;

/// Larger than one read of the server's.
fn content() -> Vec<u8> {
    let mut text = String::new();
    for line in 0..60_000 {
        text += &format!("{line} {}\n", line * 7919 % 104_729);
    }
    tarball(&[
        ("./etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
        ("./big", &text),
    ])
}

/// A pinned project.
fn pinned(key: &Key) -> (World, Mirror) {
    let (world, mirror) = project(&content(), key);
    let ended = run(&world, "update");
    assert_eq!(ended.code, Some(0), "{ended}");
    (world, mirror)
}

#[test]
fn faults_of_a_mirror_are_told_apart() {
    let key = Key::new();
    let path = stage3(NAME);
    let mut all = String::new();
    let mut case = |name: &str, change: &dyn Fn(&Mirror)| {
        let (world, mirror) = pinned(&key);
        change(&mirror);
        let start = Instant::now();
        let ended = run(&world, "realize base:gentoo --stall 1");
        assert_ne!(ended.code, Some(0), "{name}: {ended}");
        assert!(start.elapsed() < Duration::from_secs(30), "{name}");
        let said = told(&ended, &mirror, &key);
        let line = why(&said);
        all += &format!("{name} (exit code {}): {line}\n", ended.code.unwrap());
        clean(&world);
        // Once the mirror is well again, nothing of the fault is left.
        mirror.heal(&path, &content());
        let ended = run(&world, "realize base:gentoo");
        assert_eq!(ended.code, Some(0), "{name}: {ended}");
        assert!(list(&world.path("store/downloads")).is_empty(), "{name}");
    };
    case("not there any more", &|mirror| mirror.remove(&path));
    case("forbidden", &|mirror| {
        mirror.fault(&path, Fault::Status(403));
    });
    case("server out of order", &|mirror| {
        mirror.fault(&path, Fault::Status(503));
    });
    case("redirects to itself", &|mirror| {
        mirror.fault(&path, Fault::Loop);
    });
    case("always cut", &|mirror| {
        mirror.fault(&path, Fault::Truncated(1000));
    });
    case("silent", &|mirror| mirror.fault(&path, Fault::Silent));
    case("stalls", &|mirror| mirror.fault(&path, Fault::Stalls(1000)));
    case("another content of the same size", &|mirror| {
        let mut bytes = content();
        bytes[100] ^= 1;
        mirror.put(&path, bytes);
    });
    case("too long", &|mirror| {
        mirror.put(&path, [content(), vec![0; 10]].concat());
    });
    case("too short", &|mirror| {
        mirror.put(&path, &content()[..content().len() - 10]);
    });
    insta::assert_snapshot!(all, @r"
    not there any more (exit code 3): the mirror no longer carries `stage3-amd64-openrc-20260111T170053Z.tar.xz`; `engine update` pins what it carries now
    forbidden (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: the server says 403 Forbidden
    server out of order (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: the server says 503 Service Unavailable
    redirects to itself (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: error following redirect: too many redirects
    always cut (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: it broke off: error decoding response body: request or response body error: error reading a body from connection: end of file before message length reached
    silent (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: the server said nothing for 1 s (`--stall`)
    stalls (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: the server said nothing for 1 s (`--stall`)
    another content of the same size (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: its BLAKE2b is `DIGEST`, the definition or lock file says `DIGEST`
    too long (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: it is longer than 144300 bytes
    too short (exit code 3): cannot fetch `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`: it has 144290 bytes, the lock file says 144300
    ");
}

#[test]
fn offline_asks_no_server() {
    let key = Key::new();
    let (world, mirror) = pinned(&key);
    let ended = run(&world, "realize base:gentoo --offline");
    assert_eq!(ended.code, Some(3), "{ended}");
    insta::assert_snapshot!(why(&told(&ended, &mirror, &key)), @"`stage3-amd64-openrc-20260111T170053Z.tar.xz` is not in the store, and the run is offline; a run without `--offline` downloads it");
    assert!(mirror.asked(&stage3(NAME)).is_empty());
    assert_eq!(run(&world, "realize fetch:base/gentoo").code, Some(0));
    let ended = run(&world, "realize base:gentoo --offline");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn what_broke_is_taken_up_where_it_broke() {
    let key = Key::new();
    let (world, mirror) = pinned(&key);
    let path = stage3(NAME);
    mirror.fault(&path, Fault::BrokenAtFirst(2000));
    let ended = run(&world, "realize base:gentoo");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(mirror.asked(&path), [0, 2000]);
}

#[test]
fn a_server_out_of_order_for_a_moment_is_asked_again() {
    let key = Key::new();
    let (world, mirror) = pinned(&key);
    let path = stage3(NAME);
    mirror.fault(&path, Fault::StatusAtFirst(503, 2));
    let ended = run(&world, "realize base:gentoo");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(mirror.asked(&path).len(), 3);
}

#[test]
fn a_later_run_goes_on_where_the_last_one_was_stopped() {
    let key = Key::new();
    let (world, mirror) = pinned(&key);
    let path = stage3(NAME);
    mirror.fault(&path, Fault::Stalls(5000));
    let ended = run(&world, "realize base:gentoo --stall 1");
    assert_ne!(ended.code, Some(0), "{ended}");
    let part = list(&world.path("store/downloads"));
    assert_eq!(part.len(), 1);
    let dry = run(&world, "gc --dry-run");
    assert_eq!(dry.code, Some(0), "{dry}");
    mirror.heal(&path, &content());
    let ended = run(&world, "realize base:gentoo");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(mirror.asked(&path).last() > Some(&4000));
    // What nobody takes up again goes with the garbage.
    fs::write(world.path("store/downloads/left"), "x").unwrap();
    let collected = run(&world, "gc");
    assert_eq!(collected.code, Some(0), "{collected}");
    assert!(list(&world.path("store/downloads")).is_empty());
}

#[test]
fn two_engines_download_it_once() {
    let key = Key::new();
    let (world, mirror) = pinned(&key);
    let path = std::env::var_os("PATH").unwrap();
    let start = || {
        let mut command = world.command(&["realize", "base:gentoo"]);
        command
            .env("PATH", &path)
            .stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    for mut engine in [start(), start()] {
        assert!(engine.wait().unwrap().success());
    }
    assert_eq!(mirror.asked(&stage3(NAME)).len(), 1);
    clean(&world);
}

#[test]
fn a_detached_signature_that_does_not_hold_is_the_bases_failure() {
    let key = Key::new();
    let other = Key::new();
    let mut all = String::new();
    for (name, signature) in [
        ("of another content", key.detached(b"another", None)),
        ("by another key", other.detached(&content(), None)),
        ("none", b"nothing\n".to_vec()),
    ] {
        let (world, mirror) = project(&content(), &key);
        mirror.put(&format!("{}.asc", stage3(NAME)), signature);
        assert_eq!(run(&world, "update").code, Some(0));
        let ended = run(&world, "realize base:gentoo");
        assert_eq!(ended.code, Some(1), "{ended}");
        let said = told(&ended, &mirror, &key);
        all += &format!("{name}: {}\n", why(&said));
        assert!(list(&world.path("store/unpacked")).is_empty());
        clean(&world);
    }
    insta::assert_snapshot!(all, @r"
    of another content: `stage3-amd64-openrc-20260111T170053Z.tar.xz`: its signature by the key FINGERPRINT is bad: it is not what was signed
    by another key: `stage3-amd64-openrc-20260111T170053Z.tar.xz`: it is signed by the key OTHER, which the definition does not trust
    none: `stage3-amd64-openrc-20260111T170053Z.tar.xz`: its signature cannot be read: it is cut off, damaged or something else
    ");
}

/// A key that expired after the signature was made: pinned while it held, and good for ever after.
#[test]
fn what_was_pinned_stays_good_after_its_key_expired() {
    let key = Key::new();
    let (world, _mirror) = pinned(&key);
    let old = Key::at(Some("20200101T000000"), "1y");
    let asc = old.detached(&content(), Some("20200301T000000"));
    let lock = world.path("project/engine.lock");
    let text = fs::read_to_string(&lock).unwrap();
    assert!(text.contains(".asc"));
    let mirror = Mirror::new();
    mirror.publish(NAME, &content(), &key, None);
    mirror.put(&format!("{}.asc", stage3(NAME)), asc);
    mirror.put(KEYS, [key.public(), old.public()].concat());
    let definitions = definitions(
        &mirror.url,
        &format!("{}\", \"{}", key.fingerprint, old.fingerprint),
    );
    let world = World::with(&definitions);
    world.edit("main.rhai", "base(", "image(\"plain\", #{ base: base(");
    world.edit("main.rhai", "}));", "})) });");
    assert_eq!(run(&world, "update").code, Some(0));
    let ended = run(&world, "realize base:gentoo");
    assert_eq!(ended.code, Some(0), "{ended}");
}
