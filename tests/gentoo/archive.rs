//! Stage3s that are signed and yet are no root filesystem, and one as large as they come.

use std::fs;

use super::*;

/// A tarball of one entry whose path is written as it is.
fn entry(kind: tar::EntryType, path: &str, link: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, std::io::empty()).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn archives_that_lead_out_or_are_damaged_are_the_bases_failure() {
    use tar::EntryType as Type;
    let key = Key::new();
    let secret = tempfile::NamedTempFile::new().unwrap();
    let place = secret.path().to_str().unwrap();
    let good = tarball(&[(
        "./etc/passwd",
        &"root:x:0:0::/root:/bin/sh\n".repeat(10_000),
    )]);
    let mut all = String::new();
    for (name, archive) in [
        (
            "a file above",
            compressed(&entry(Type::Regular, "../../escaped", "")),
        ),
        (
            "a hard link to a file outside",
            compressed(&entry(Type::Link, "./shadow", place)),
        ),
        (
            "a hard link above",
            compressed(&entry(Type::Link, "./shadow", "../../../etc/shadow")),
        ),
        ("cut short", good[..good.len() / 2].to_vec()),
        ("not xz", b"<html>404</html>".to_vec()),
        ("not tar", compressed(b"<html>404</html>")),
    ] {
        let (world, mirror) = project(&archive, &key);
        assert_eq!(run(&world, "update").code, Some(0));
        let ended = run(&world, "realize base:gentoo");
        assert_eq!(ended.code, Some(1), "{name}: {ended}");
        let said = told(&ended, &mirror, &key);
        let line = why(&said).replace(place, "SECRET");
        all += &format!("{name}: {line}\n");
        assert!(list(&world.path("store/unpacked")).is_empty(), "{name}");
        assert!(!world.path("escaped").exists() && !world.path("store/escaped").exists());
        clean(&world);
    }
    insta::assert_snapshot!(all, @r"
    a file above: the root filesystem cannot be unpacked: the entry `../../escaped` leads out of it
    a hard link to a file outside: the root filesystem cannot be unpacked: the entry `./shadow` is a hard link to `SECRET`, which is not in it
    a hard link above: the root filesystem cannot be unpacked: the entry `./shadow` is a hard link to `../../../etc/shadow`, which is not in it
    cut short: the root filesystem cannot be unpacked: premature eof
    not xz: the root filesystem cannot be unpacked: it is no tar archive, it begins with `<html>404</html>`; tar is read, plain or compressed by gzip, xz or zstd
    not tar: the root filesystem cannot be unpacked: what is compressed in it is no tar archive; tar is read, plain or compressed by gzip, xz or zstd
    ");
}

#[test]
fn two_hundred_thousand_files_are_unpacked() {
    let key = Key::new();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    for number in 0..200_000 {
        let path = format!("./usr/share/{}/{number}", number % 500);
        builder
            .append_data(&mut header, path, std::io::empty())
            .unwrap();
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    link.set_uid(0);
    link.set_gid(0);
    link.set_mtime(0);
    link.set_mode(0o777);
    builder
        .append_link(&mut link, "./absolute", "/usr/share/1/1")
        .unwrap();
    let (world, _mirror) = project(&compressed(&builder.into_inner().unwrap()), &key);
    assert_eq!(run(&world, "update").code, Some(0));
    let ended = run(&world, "realize base:gentoo");
    assert_eq!(ended.code, Some(0), "{ended}");
    let unpacked = world.path("store/unpacked");
    let tree = unpacked.join(&list(&unpacked)[0]).join("tree");
    let files: usize = (0..500)
        .map(|dir| list(&tree.join(format!("usr/share/{dir}"))).len())
        .sum();
    assert_eq!(files, 200_000);
    assert_eq!(
        fs::read_link(tree.join("absolute")).unwrap(),
        Path::new("/usr/share/1/1")
    );
}
