//! Archives that are unpacked in a sandbox: odd ones, and those that lead out.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use engine::sandbox::Cancel;
use engine::sandbox::Mapping;

use super::world::World;

pub fn archives_are_unpacked_and_removed(world: &World) {
    let dest = world.path("unpacked");
    let tar = sample();
    let compressed = zstd::encode_all(&*tar, 1).unwrap();
    let mut xz = Vec::new();
    io::copy(&mut liblzma::read::XzEncoder::new(&*tar, 0), &mut xz).unwrap();
    let mut gzip = Vec::new();
    let level = flate2::Compression::fast();
    io::copy(&mut flate2::read::GzEncoder::new(&*tar, level), &mut gzip).unwrap();
    for archive in [&tar, &compressed, &xz, &gzip] {
        fs::write(world.path("a.tar"), archive).unwrap();
        world
            .sandbox
            .unpack(&world.path("a.tar"), &dest, false, &Cancel::new())
            .unwrap();
        let meta = |name: &str| fs::symlink_metadata(dest.join(name)).unwrap();
        assert_eq!(meta("etc/passwd").mode() & 0o7777, 0o4644);
        assert_eq!(
            (meta("etc/passwd").mtime(), meta("etc").mtime()),
            (1_000_000, 2_000_000)
        );
        assert_eq!(meta("etc").mode() & 0o7777, 0o555);
        assert_eq!(meta("etc/hard").ino(), meta("etc/passwd").ino());
        assert_eq!(
            fs::read_link(dest.join("etc/soft")).unwrap(),
            Path::new("/etc/passwd")
        );
        assert!(dest.join("dev").is_dir() && !dest.join("dev/null").exists());
        let owner = (meta("etc/passwd").uid(), meta("etc/passwd").gid());
        let expected = match world.sandbox.mapping() {
            Mapping::Identity => (33, 44),
            Mapping::Subids { uids, gids, .. } => (uids.start + 33, gids.start + 44),
            Mapping::Single { uid, gid, .. } => (*uid, *gid),
        };
        assert_eq!(owner, expected);
        world.sandbox.remove(&dest).unwrap();
        assert!(!dest.exists());
    }
    world.sandbox.remove(&dest).unwrap();
}

pub fn archives_cannot_escape(world: &World) {
    let dest = world.path("deep/unpacked");
    let outside = world.path("deep/outside");
    fs::create_dir_all(&outside).unwrap();
    let linked = |link: &str| {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_link(&mut header(tar::EntryType::Symlink, 0, 0o777), "a", link)
            .unwrap();
        append(&mut tar, "a/file", b"x");
        tar.into_inner().unwrap()
    };
    let mut up = tar::Builder::new(Vec::new());
    let mut dots = header(tar::EntryType::Regular, 1, 0o644);
    dots.as_old_mut().name[..14].copy_from_slice(b"../outside/one");
    dots.set_cksum();
    up.append(&dots, &b"x"[..]).unwrap();
    let mut hard = tar::Builder::new(Vec::new());
    let secret = world.path("a.tar");
    hard.append_link(&mut header(tar::EntryType::Link, 0, 0o644), "a", &secret)
        .unwrap();
    for tar in [
        linked("../outside"),
        linked(outside.to_str().unwrap()),
        up.into_inner().unwrap(),
        hard.into_inner().unwrap(),
    ] {
        fs::write(&secret, tar).unwrap();
        let error = world
            .sandbox
            .unpack(&secret, &dest, false, &Cancel::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("unpack `"), "{error}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(fs::metadata(&secret).unwrap().nlink(), 1);
        world.sandbox.remove(&dest).unwrap();
    }
    fs::write(&secret, &sample()[..700]).unwrap();
    let error = world
        .sandbox
        .unpack(&secret, &dest, false, &Cancel::new())
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("failed to read entire block"), "{error}");
    world.sandbox.remove(&dest).unwrap();
}

/// Absolute paths, a sparse file, a capability, and xz in blocks as pixz writes them.
pub fn odd_archives_are_unpacked_right(world: &World) {
    let dest = world.path("odd");
    let mut tar = tar::Builder::new(Vec::new());
    let mut absolute = header(tar::EntryType::Regular, 1, 0o644);
    absolute.as_old_mut().name[..9].copy_from_slice(b"/absolute");
    absolute.set_cksum();
    tar.append(&absolute, &b"x"[..]).unwrap();
    // VFS_CAP_REVISION_2 with CAP_NET_RAW, as ping has it.
    let capability = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    tar.append_pax_extensions([("SCHILY.xattr.security.capability", &capability[..])])
        .unwrap();
    append(&mut tar, "./ping", b"ping");
    let mut archive = tar.into_inner().unwrap();
    archive.truncate(archive.len() - 1024);
    // By GNU tar, which alone writes the old form of sparse files.
    let sparse = fs::File::create(world.path("sparse")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", (1 << 20) - 3).unwrap();
    let made = Command::new("tar")
        .args(["--create", "--sparse", "--format=gnu", "--file=-", "sparse"])
        .current_dir(world.path("."))
        .output()
        .unwrap();
    assert!(made.status.success() && made.stdout.len() < 100_000);
    archive.extend(made.stdout);
    fs::write(world.path("blocks"), archive).unwrap();
    let blocks = Command::new("xz")
        .args(["--block-size=4096", "--stdout"])
        .arg(world.path("blocks"))
        .output()
        .unwrap();
    assert!(blocks.status.success());
    fs::write(world.path("a.tar"), blocks.stdout).unwrap();
    let unpacked = world
        .sandbox
        .unpack(&world.path("a.tar"), &dest, false, &Cancel::new());
    unpacked.unwrap();
    assert_eq!(fs::read(dest.join("absolute")).unwrap(), b"x");
    assert_eq!(fs::read(dest.join("ping")).unwrap(), b"ping");
    let sparse = fs::read(dest.join("sparse")).unwrap();
    assert_eq!(
        (sparse.len(), &sparse[(1 << 20) - 3..]),
        (1 << 20, &b"end"[..])
    );
    let blocks = fs::metadata(dest.join("sparse")).unwrap().blocks();
    assert!(blocks * 512 <= 1 << 20);
    world.sandbox.remove(&dest).unwrap();
}

pub fn top_directory_is_stripped(world: &World) {
    let dest = world.path("stripped");
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, "linux-6.1/Makefile", b"all:\n");
    append(&mut tar, "linux-6.1/linux-6.1/file", b"");
    fs::write(world.path("a.tar"), tar.into_inner().unwrap()).unwrap();
    world
        .sandbox
        .unpack(&world.path("a.tar"), &dest, true, &Cancel::new())
        .unwrap();
    assert_eq!(fs::read_to_string(dest.join("Makefile")).unwrap(), "all:\n");
    assert!(dest.join("linux-6.1/file").exists());
    assert_eq!(fs::read_dir(&dest).unwrap().count(), 2);
    world.sandbox.remove(&dest).unwrap();

    fs::write(world.path("a.tar"), sample()).unwrap();
    let error = world
        .sandbox
        .unpack(&world.path("a.tar"), &dest, true, &Cancel::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("it does not hold one top directory, but `dev`, `etc`"),
        "{error}"
    );
    world.sandbox.remove(&dest).unwrap();
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(33);
    header.set_gid(44);
    header.set_mtime(1_000_000);
    header
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, data: &[u8]) {
    let mut header = header(tar::EntryType::Regular, data.len() as u64, 0o4644);
    tar.append_data(&mut header, path, data).unwrap();
}

/// Everything an image holds that is not just a file.
fn sample() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut directory = header(tar::EntryType::Directory, 0, 0o555);
    directory.set_mtime(2_000_000);
    tar.append_data(&mut directory, "./", io::empty()).unwrap();
    tar.append_data(&mut directory, "./etc/", io::empty())
        .unwrap();
    let refused = [
        ("SCHILY.xattr.trusted.x", &b"1"[..]),
        ("SCHILY.xattr.security.x", b"1"),
    ];
    tar.append_pax_extensions(refused).unwrap();
    append(&mut tar, "./etc/passwd", b"root:x:0:0\n");
    let (mut soft, mut hard) = (
        header(tar::EntryType::Symlink, 0, 0o777),
        header(tar::EntryType::Link, 0, 0o644),
    );
    tar.append_link(&mut soft, "./etc/soft", "/etc/passwd")
        .unwrap();
    tar.append_link(&mut hard, "./etc/hard", "./etc/passwd")
        .unwrap();
    tar.append_data(&mut directory, "./dev/", io::empty())
        .unwrap();
    let mut null = header(tar::EntryType::Char, 0, 0o666);
    tar.append_data(&mut null, "./dev/null", io::empty())
        .unwrap();
    tar.into_inner().unwrap()
}
