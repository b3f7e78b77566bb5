//! `engine update`: what is found, whose signature counts, and what the lock file says.

use std::fs;

use super::*;
use crate::mirror::Fault;
use crate::mirror::STAMP;
use crate::mirror::latest;
use crate::mirror::stage3;

fn small() -> Vec<u8> {
    tarball(&[("./etc/passwd", "root:x:0:0::/root:/bin/sh\n")])
}

fn lock(world: &World) -> String {
    fs::read_to_string(world.path("project/engine.lock")).unwrap_or_default()
}

#[test]
fn a_stage3_is_found_verified_and_pinned() {
    let key = Key::new();
    let (world, mirror) = project(&small(), &key);
    let ended = run(&world, "update");
    assert_eq!(ended.code, Some(0), "{ended}");
    insta::assert_snapshot!(told(&ended, &mirror, &key), @r"
    exit code: 0
    --- stderr
    asks for `base/gentoo`: `base/gentoo` is not pinned in engine.lock
    `base/gentoo` is signed by FINGERPRINT
    asks for `image/plain`: `image/plain` is not pinned in engine.lock
    `base/gentoo` pinned: 2 files
    `image/plain` is as it was
    ");
    let text = lock(&world)
        .replace(&mirror.url, "http://MIRROR")
        .replace(&key.fingerprint, "FINGERPRINT");
    let block =
        Regex::new("(?s)-----BEGIN PGP PUBLIC KEY BLOCK-----.*-----END PGP PUBLIC KEY BLOCK-----");
    let text = block.unwrap().replace_all(&text, "KEY").into_owned();
    let digest = Regex::new(r"\b[0-9a-f]{64,128}\b").unwrap();
    let size = Regex::new(r"Z \d+ ").unwrap();
    let text = size.replace_all(&text, "Z SIZE ").into_owned();
    insta::assert_snapshot!(digest.replace_all(&text, "DIGEST"), @r#"
    # Written by `engine update`; commit it.
    version = 1

    [[pin]]
    name = "base/gentoo"
    request = { family = "gentoo", key_urls = ["http://MIRROR/keys/service-keys.gpg"], keys = ["FINGERPRINT"], mirrors = ["http://MIRROR"], stage3 = "amd64-openrc" }
    signer = "FINGERPRINT"
    keys = '''
    KEY
    '''
    files = [
      "stage3-amd64-openrc 20260111T170053Z SIZE blake2b:DIGEST,sha512:DIGEST http://MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz",
      "stage3-amd64-openrc.asc 20260111T170053Z SIZE DIGEST http://MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz.asc",
    ]

    [[pin]]
    name = "image/plain"
    request = { family = "gentoo", key_urls = ["http://MIRROR/keys/service-keys.gpg"], keys = ["FINGERPRINT"], mirrors = ["http://MIRROR"], snapshot = false }
    files = [
    ]
    "#);
    // Lists and keys are read by `update` alone.
    mirror.remove(KEYS);
    let asked = mirror.asked(&latest(NAME)).len();
    for command in ["check", "plan", "realize base:gentoo"] {
        let ended = run(&world, command);
        assert_eq!(ended.code, Some(0), "{ended}");
    }
    assert_eq!(mirror.asked(&latest(NAME)).len(), asked);
    clean(&world);
    let again = run(&world, "realize base:gentoo");
    assert!(again.stderr.contains("2 nodes fresh"), "{again}");
    assert_eq!(mirror.asked(&stage3(NAME)).len(), 1);
}

#[test]
fn a_pin_moves_when_it_is_told_to_and_says_from_where() {
    let key = Key::new();
    let (world, mirror) = project(&small(), &key);
    assert_eq!(run(&world, "update").code, Some(0));
    let before = lock(&world);
    let path = stage3(NAME);
    for ending in ["", ".asc", ".DIGESTS"] {
        let from = format!("{path}{ending}");
        mirror.put(&from.replace(STAMP, "20260118T170053Z"), mirror.get(&from));
    }
    let new = "20260118T170053Z";
    let renamed = |text: Vec<u8>| String::from_utf8_lossy(&text).replace(STAMP, new);
    let list = mirror.get(&latest(NAME));
    let list = renamed(list);
    let line = list.lines().find(|line| line.starts_with(new)).unwrap();
    mirror.put(&latest(NAME), key.clearsign(&format!("{line}\n"), None));
    let digests = renamed(mirror.get(&format!("{path}.DIGESTS")));
    let body: Vec<&str> = digests
        .lines()
        .filter(|line| {
            line.starts_with("- #") || line.starts_with('#') || line.contains("  stage3")
        })
        .collect();
    let path = path.replace(STAMP, new);
    mirror.put(
        &format!("{path}.DIGESTS"),
        key.clearsign(&format!("{}\n", body.join("\n")), None),
    );
    let ended = run(&world, "update base/gentoo");
    assert_eq!(ended.code, Some(0), "{ended}");
    insta::assert_snapshot!(told(&ended, &mirror, &key), @r"
    exit code: 0
    --- stderr
    asks for `base/gentoo`: asked to
    `base/gentoo` is signed by FINGERPRINT
    `base/gentoo` moved:
        stage3-amd64-openrc 20260111T170053Z -> 20260118T170053Z
        stage3-amd64-openrc.asc 20260111T170053Z -> 20260118T170053Z
    ");
    assert_ne!(lock(&world), before);
    assert!(lock(&world).contains(new));
}

#[test]
fn what_is_not_pinned_names_the_command() {
    let key = Key::new();
    let (world, mirror) = project(&small(), &key);
    let ended = run(&world, "realize base:gentoo");
    assert_eq!(ended.code, Some(2), "{ended}");
    insta::assert_snapshot!(told(&ended, &mirror, &key), @r"
    exit code: 2
    --- stderr
    error: `base/gentoo` is not pinned in engine.lock
      = help: `engine update` asks the mirror and pins
    ");
}

#[test]
fn signatures_that_do_not_count_pin_nothing() {
    let good = Key::new();
    let other = Key::new();
    let old = Key::at(Some("20200101T000000"), "1y");
    let revoked = Key::new();
    let list = |key: &Key, time| key.clearsign("# Latest\n", time);
    let mut all = String::new();
    let mut case = |name: &str, key: &Key, change: &dyn Fn(&Mirror)| {
        let (world, mirror) = project(&small(), &good);
        world.edit("main.rhai", &good.fingerprint, &key.fingerprint);
        change(&mirror);
        let ended = run(&world, "update");
        assert_eq!(ended.code, Some(2), "{name}: {ended}");
        let said = told(&ended, &mirror, key);
        let line = said.lines().find_map(|line| line.strip_prefix("error: "));
        all += &format!("{name}: {}\n", line.unwrap());
        assert_eq!(lock(&world), "", "{name}");
    };
    case("unsigned list", &good, &|mirror| {
        mirror.put(
            &latest(NAME),
            "# Latest\n1/stage3-amd64-openrc-1.tar.xz 1\n",
        );
    });
    case("list signed by another key", &good, &|mirror| {
        mirror.put(&latest(NAME), list(&other, None));
    });
    case("changed list", &good, &|mirror| {
        let text = String::from_utf8(mirror.get(&latest(NAME))).unwrap();
        mirror.put(&latest(NAME), text.replace("17:00:53", "17:00:54"));
    });
    case("cut list", &good, &|mirror| {
        let text = mirror.get(&latest(NAME));
        mirror.put(&latest(NAME), &text[..text.len() - 60]);
    });
    case("digests signed by another key", &good, &|mirror| {
        mirror.put(&format!("{}.DIGESTS", stage3(NAME)), list(&other, None));
    });
    case("digests of another file", &good, &|mirror| {
        mirror.put(
            &format!("{}.DIGESTS", stage3(NAME)),
            good.clearsign("# SHA512 HASH\n", None),
        );
    });
    case("list of another stage3", &good, &|mirror| {
        let text = format!("{STAMP}/stage3-amd64-systemd-{STAMP}.tar.xz 12\n");
        mirror.put(&latest(NAME), good.clearsign(&text, None));
    });
    case("expired key", &old, &|mirror| {
        mirror.publish(NAME, &small(), &old, Some("20200301T000000"));
    });
    case("revoked key", &revoked, &|mirror| {
        mirror.publish(NAME, &small(), &revoked, None);
        revoked.revoke();
        mirror.put(KEYS, revoked.public());
    });
    case("key that is not there", &good, &|mirror| {
        mirror.put(KEYS, other.public());
    });
    case("junk for keys", &good, &|mirror| {
        mirror.put(KEYS, "<html>\n");
    });
    case("signature from the future", &good, &|mirror| {
        mirror.put(&latest(NAME), list(&good, Some("20380101T000000")));
    });
    insta::assert_snapshot!(all, @r"
    unsigned list: `MIRROR/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt`: it carries no OpenPGP signature
    list signed by another key: `MIRROR/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt`: it is signed by the key OTHER, which the definition does not trust
    changed list: `MIRROR/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt`: its signature by the key FINGERPRINT is bad: it is not what was signed
    cut list: `MIRROR/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt`: its signature cannot be read: it is cut off, damaged or something else
    digests signed by another key: `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz.DIGESTS`: it is signed by the key OTHER, which the definition does not trust
    digests of another file: `MIRROR/releases/amd64/autobuilds/20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz.DIGESTS`: it has no SHA512 of `stage3-amd64-openrc-20260111T170053Z.tar.xz`
    list of another stage3: `MIRROR/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt`: `20260111T170053Z/stage3-amd64-systemd-20260111T170053Z.tar.xz 12` is not `STAMP/stage3-amd64-openrc-STAMP.tar.xz BYTES`
    expired key: `MIRROR/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt`: the key FINGERPRINT expired on DAY
    revoked key: `MIRROR/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt`: the key FINGERPRINT was revoked on DAY
    key that is not there: `MIRROR/keys/service-keys.gpg`: none of the trusted keys is among the keys at hand; trusted: FINGERPRINT
    junk for keys: `MIRROR/keys/service-keys.gpg`: the file of keys cannot be read: it is cut off, damaged or something else
    signature from the future: `MIRROR/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt`: its signature by the key FINGERPRINT does not count: it was made in the future; is the clock right?
    ");
}

#[test]
fn without_signatures_only_where_the_definition_says_so() {
    let key = Key::new();
    let (world, mirror) = project(&small(), &key);
    let keys = format!(
        "keys: [\"{}\"], key_urls: [\"{}{KEYS}\"],",
        key.fingerprint, mirror.url
    );
    world.edit(
        "main.rhai",
        &keys,
        "unsigned: \"a mirror of our own, behind TLS\",",
    );
    let path = stage3(NAME);
    let file = path.rsplit('/').next().unwrap();
    let list = format!("{STAMP}/{file} {}\n", small().len());
    mirror.put(&latest(NAME), list);
    let ended = run(&world, "update");
    assert_eq!(ended.code, Some(0), "{ended}");
    let ended = run(&world, "realize base:gentoo");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(!lock(&world).contains("signer"));
}

#[test]
fn another_mirror_is_tried() {
    let key = Key::new();
    let (world, mirror) = project(&small(), &key);
    let down = Mirror::new();
    let first = format!("mirrors: [\"{}\",", down.url);
    world.edit("main.rhai", "mirrors: [", &first);
    down.fault(&latest(NAME), Fault::Status(403));
    let ended = run(&world, "update");
    assert_eq!(ended.code, Some(0), "{ended}");
    let ended = run(&world, "realize base:gentoo");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(down.asked(&stage3(NAME)).len(), 1);
    assert_eq!(mirror.asked(&stage3(NAME)).len(), 1);
}
