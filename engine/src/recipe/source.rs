//! A kernel source as one tarball, with its patches applied.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use store::Digest;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::EPOCH;
use super::step::file;
use super::step::input;
use crate::graph::Slot;
use crate::kconfig::Version;
use crate::model::ProjectFile;
use crate::sandbox::decompressed;
use crate::spec::SourceForm;
use crate::spec::SourceSpec;

/// Level 3 is zstd's own default: 204 MB for a 1.3 GB tree, at disk speed.
const ZSTD_LEVEL: i32 = 3;
/// The kernel's Makefile has 70 kB.
const MOST_MAKEFILE: u64 = 1 << 20;

impl Tools {
    /// Output `tar`: a tarball with one top directory, in whatever compression it came.
    pub(super) fn source(&self, source: &SourceSpec, job: &Job) -> Result<Finished, Broken> {
        let store = &self.store;
        let work = store.work_dir("source")?;
        let files = work.path().join("files");
        self.materialise(&input(job, Slot::Files)?, &files)?;
        let path = only_file(&files)?;
        let tarball = match &source.form {
            SourceForm::Tarball => store.put_file(&path)?,
            SourceForm::Deb { member } => {
                let out = work.path().join("source.tar.xz");
                extract_from_deb(&path, member, &out)?;
                store.take_file(out)?
            }
        };
        let failure = |message| Ok(Finished::failure(message, BTreeMap::new(), String::new()));
        let tarball = if source.patches.is_empty() {
            tarball
        } else {
            match self.patched(&tarball, &source.patches, work.path(), job)? {
                Ok(patched) => patched,
                Err(message) => return failure(message),
            }
        };
        if let Some(declared) = &source.version {
            let makefile = makefile_in(&store.blob_path(&tarball))?;
            if let Some(message) = other_version(declared, &makefile) {
                return failure(message);
            }
        }
        let outputs = BTreeMap::from([("tar".to_owned(), tarball)]);
        Ok(Finished::success(outputs, String::new()))
    }

    /// The tarball with patches applied, or the message of one that does not apply.
    fn patched(
        &self,
        tarball: &Digest,
        patches: &[ProjectFile],
        work: &Path,
        job: &Job,
    ) -> Result<Result<Digest, String>, Broken> {
        let store = &self.store;
        let tree = work.join("tree");
        fs::create_dir(&tree).map_err(file("make", &tree))?;
        job.note("unpacks the source to patch it");
        self.sandbox
            .unpack(&store.blob_path(tarball), &tree, true, &job.cancel)?;
        for patch in patches {
            if let Some(message) = apply(patch, &tree, job)? {
                return Ok(Err(message));
            }
        }
        let out = work.join("source.tar.zst");
        pack(&tree, &out).map_err(file("pack", &out))?;
        Ok(Ok(store.take_file(out)?))
    }
}

/// The Makefile in the top directory of a tarball, or nothing. It comes early in sorted archives:
/// after a tenth of the kernel's.
fn makefile_in(tarball: &Path) -> Result<String, Broken> {
    let read = || file("read", tarball);
    let reader = decompressed(tarball).map_err(read())?;
    for entry in tar::Archive::new(reader).entries().map_err(read())? {
        let entry = entry.map_err(read())?;
        let path = entry.path().map_err(read())?;
        let parts = path.components().filter(|part| *part != Component::CurDir);
        if path.ends_with("Makefile") && parts.count() == 2 {
            let mut text = Vec::new();
            entry
                .take(MOST_MAKEFILE)
                .read_to_end(&mut text)
                .map_err(read())?;
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
    Ok(String::new())
}

/// What is wrong if a kernel's Makefile does not say the declared version.
fn other_version(declared: &Version, makefile: &str) -> Option<String> {
    let number = |name: &str| {
        let lines = makefile.lines().filter_map(|line| line.split_once('='));
        let mut values = lines.filter(|(key, _)| key.trim() == name);
        values.next().map(|(_, value)| value.trim())
    };
    let (Some(major), Some(minor)) = (number("VERSION"), number("PATCHLEVEL")) else {
        return Some("the source has no Makefile that says a kernel version".to_owned());
    };
    let found = format!("{major}.{minor}.{}", number("SUBLEVEL").unwrap_or("0"));
    let same = found
        .parse()
        .is_ok_and(|found: Version| declared.covers(&found));
    let message = || format!("the definition says kernel {declared}, the source is {found}");
    (!same).then(message)
}

fn only_file(dir: &Path) -> Result<PathBuf, Broken> {
    let mut entries = fs::read_dir(dir).map_err(file("read", dir))?;
    match (entries.next(), entries.next()) {
        (Some(Ok(entry)), None) => Ok(entry.path()),
        _ => Err(Broken::Infrastructure(format!(
            "`{}` holds not exactly one file",
            dir.display()
        ))),
    }
}

/// Copies one member of a Debian package's data archive (deb(5)) to `out`.
fn extract_from_deb(deb: &Path, member: &str, out: &Path) -> Result<(), Broken> {
    let package = File::open(deb).map_err(file("open", deb))?;
    let mut archive = ar::Archive::new(package);
    while let Some(entry) = archive.next_entry() {
        let entry = entry.map_err(file("read", deb))?;
        let name = String::from_utf8_lossy(entry.header().identifier()).into_owned();
        if !name.starts_with("data.tar") {
            continue;
        }
        let reader: Box<dyn Read> = match name.trim_end_matches('/') {
            "data.tar.xz" => Box::new(liblzma::read::XzDecoder::new(entry)),
            "data.tar.zst" => {
                Box::new(zstd::stream::read::Decoder::new(entry).map_err(file("read", deb))?)
            }
            "data.tar" => Box::new(entry),
            other => {
                return Err(Broken::Infrastructure(format!(
                    "`{other}` in a package is not known"
                )));
            }
        };
        return extract_member(reader, member, deb, out);
    }
    Err(Broken::Infrastructure(format!(
        "`{}` has no data archive",
        deb.display()
    )))
}

fn extract_member(reader: impl Read, member: &str, deb: &Path, out: &Path) -> Result<(), Broken> {
    let mut data = tar::Archive::new(reader);
    for entry in data.entries().map_err(file("read", deb))? {
        let mut entry = entry.map_err(file("read", deb))?;
        let path = entry.path().map_err(file("read", deb))?;
        if path.strip_prefix(".").unwrap_or(&path) == Path::new(member) {
            let mut target = File::create(out).map_err(file("write", out))?;
            io::copy(&mut entry, &mut target).map_err(file("write", out))?;
            return Ok(());
        }
    }
    Err(Broken::Infrastructure(format!(
        "`{}` holds no `{member}`",
        deb.display()
    )))
}

/// What `patch` says when it gives up.
const TELLING: [&str; 4] = ["FAILED at", "previously applied", "can't find", "malformed"];

/// Applies one patch; gives the message of a patch that does not apply.
fn apply(patch: &ProjectFile, tree: &Path, job: &Job) -> Result<Option<String>, Broken> {
    let log = || job.log.try_clone().map_err(file("open", Path::new("log")));
    let rejects = tree.with_file_name("rejects");
    let _ = writeln!(&mut &*job.log, "applies {}", patch.path);
    let mut child = Command::new("patch")
        .args([
            "--strip=1",
            "--batch",
            "--forward",
            "--fuzz=0",
            "--no-backup-if-mismatch",
        ])
        .arg("--reject-file")
        .arg(&rejects)
        .arg("--directory")
        .arg(tree)
        .stdin(Stdio::piped())
        .stdout(log()?)
        .stderr(log()?)
        .spawn()
        .map_err(|_| Broken::Missing {
            program: "patch",
            package: "patch",
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        // `patch` may end before it has read everything; its status tells.
        let _ = stdin.write_all(patch.text.as_bytes());
    }
    let status = child.wait().map_err(file("wait for", Path::new("patch")))?;
    if status.success() {
        return Ok(None);
    }
    let log = super::step::read_log(&job.log);
    let _ = (&mut &*job.log).write_all(&fs::read(&rejects).unwrap_or_default());
    let hunk = log
        .lines()
        .find(|line| TELLING.iter().any(|mark| line.contains(mark)));
    Ok(Some(format!(
        "`{}` does not apply: {}",
        patch.path,
        hunk.unwrap_or("see the log").trim()
    )))
}

/// A byte-reproducible tarball of a tree below the top directory `linux`.
fn pack(tree: &Path, out: &Path) -> io::Result<()> {
    let encoder = zstd::stream::write::Encoder::new(File::create(out)?, ZSTD_LEVEL)?;
    let mut builder = tar::Builder::new(encoder);
    builder.mode(tar::HeaderMode::Deterministic);
    builder.follow_symlinks(false);
    append(&mut builder, tree, Path::new("linux"))?;
    builder.into_inner()?.finish()?.sync_data()
}

fn append(builder: &mut tar::Builder<impl Write>, dir: &Path, name: &Path) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(dir)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            append(builder, &path, &name)?;
            continue;
        }
        let mut header = tar::Header::new_gnu();
        header.set_metadata_in_mode(&metadata, tar::HeaderMode::Deterministic);
        header.set_mtime(EPOCH);
        if metadata.is_symlink() {
            builder.append_link(&mut header, &name, fs::read_link(&path)?)?;
        } else {
            builder.append_data(&mut header, &name, File::open(&path)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKEFILE: &str = "# SPDX\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 148\nEXTRAVERSION =\n";

    #[test]
    fn another_version_than_declared_is_told() {
        let told = |declared: &str, makefile: &str| {
            other_version(&declared.parse().unwrap(), makefile).unwrap_or_default()
        };
        assert_eq!(told("6.1", MAKEFILE), "");
        assert_eq!(told("6.1.148", MAKEFILE), "");
        assert_eq!(
            told("6.12", MAKEFILE),
            "the definition says kernel 6.12, the source is 6.1.148"
        );
        assert_eq!(
            told("6.1.14", MAKEFILE),
            "the definition says kernel 6.1.14, the source is 6.1.148"
        );
        assert_eq!(
            told("6.1", "all:\n"),
            "the source has no Makefile that says a kernel version"
        );
    }

    #[test]
    fn the_makefile_is_found_in_every_compression() {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        for (name, text) in [
            ("linux/Documentation/Makefile", "VERSION = 0\n"),
            ("linux/Makefile", MAKEFILE),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            builder
                .append_data(&mut header, name, text.as_bytes())
                .unwrap();
        }
        let plain = builder.into_inner().unwrap();
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(&*plain, 1)
            .read_to_end(&mut xz)
            .unwrap();
        let zstd = zstd::encode_all(&*plain, 1).unwrap();
        let mut gzip = Vec::new();
        flate2::read::GzEncoder::new(&*plain, flate2::Compression::fast())
            .read_to_end(&mut gzip)
            .unwrap();
        for bytes in [plain, xz, zstd, gzip] {
            let path = dir.path().join("tarball");
            fs::write(&path, bytes).unwrap();
            assert_eq!(makefile_in(&path).unwrap(), MAKEFILE);
        }
    }

    #[test]
    fn a_packed_tree_is_the_same_bytes_whenever_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let pack_once = |name: &str| {
            let tree = dir.path().join(name);
            fs::create_dir_all(tree.join("scripts")).unwrap();
            fs::write(tree.join("scripts/b.sh"), "b").unwrap();
            fs::write(tree.join("Makefile"), "all:").unwrap();
            std::os::unix::fs::symlink("Makefile", tree.join("link")).unwrap();
            let out = dir.path().join(format!("{name}.tar.zst"));
            pack(&tree, &out).unwrap();
            fs::read(out).unwrap()
        };
        assert_eq!(pack_once("one"), pack_once("two"));
        let bytes = zstd::decode_all(pack_once("three").as_slice()).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(
            names,
            ["linux/Makefile", "linux/link", "linux/scripts/b.sh"]
        );
    }
}
