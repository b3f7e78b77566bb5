//! A kernel source as one tarball, with its patches applied.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use store::Digest;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::SRC;
use super::step::archived;
use super::step::bind;
use super::step::file;
use super::step::input;
use super::step::left;
use super::step::only_file;
use super::step::read_log;
use crate::graph::Slot;
use crate::kconfig::Version;
use crate::model::Patch;
use crate::origins::OriginError;
use crate::origins::SourceTar;
use crate::origins::tarball;
use crate::sandbox::Cancel;
use crate::sandbox::Exit;
use crate::sandbox::Extras;
use crate::sandbox::Installation;
use crate::sandbox::Limits;
use crate::sandbox::Root;
use crate::sandbox::Spec;
use crate::sandbox::Stdio;
use crate::spec::SourceSpec;

impl Tools {
    /// Output `tar`: a tarball with one top directory, in whatever compression it came.
    pub(super) fn source(&self, source: &SourceSpec, job: &Job) -> Result<Finished, Broken> {
        let store = &self.store;
        let work = store.work_dir("source")?;
        let files = work.path().join("files");
        self.materialise(&input(job, Slot::Files)?, &files)?;
        let path = only_file(&files, |_| true)?;
        let failure = |message| Ok(Finished::failure(message, BTreeMap::new(), String::new()));
        let out = work.path().join("source.tar.xz");
        let tarball = match tarball(&source.form, &path, &out, &job.cancel) {
            Ok(true) => store.take_file(out)?,
            Ok(false) => store.put_file(&path)?,
            Err(OriginError::Content(message)) => return failure(message),
            Err(error) => return Err(error.into()),
        };
        let tarball = if source.patches.is_empty() {
            tarball
        } else {
            match self.patched(&tarball, &source.patches, work.path(), job)? {
                Ok(patched) => patched,
                Err(message) => return failure(message),
            }
        };
        // Configurations need it as a directory; that it can be one is proved here.
        let tree = self.unpacked(&tarball, true, &job.cancel, &|| {
            job.note("unpacks the source");
        });
        let tree = match archived("source", tree)? {
            Ok(tree) => tree,
            Err(message) => return failure(message),
        };
        let makefile = left(tree.path(), "Makefile").and_then(|path| fs::read(path).ok());
        let Some(makefile) = makefile else {
            return failure("it is no kernel source: it holds no `Makefile`".to_owned());
        };
        let makefile = String::from_utf8_lossy(&makefile);
        let declared = source.version.as_ref();
        if let Some(message) = declared.and_then(|version| other_version(version, &makefile)) {
            return failure(message);
        }
        let outputs = BTreeMap::from([("tar".to_owned(), tarball)]);
        Ok(Finished::success(outputs, String::new()))
    }

    /// The tarball with patches applied, or the message of one that does not apply.
    fn patched(
        &self,
        tarball: &Digest,
        patches: &[Patch],
        work: &Path,
        job: &Job,
    ) -> Result<Result<Digest, String>, Broken> {
        let store = &self.store;
        let tree = work.join("tree");
        fs::create_dir(&tree).map_err(file("make", &tree))?;
        job.note("unpacks the source to patch it");
        let unpacked = self
            .sandbox
            .unpack(&store.blob_path(tarball), &tree, true, &job.cancel);
        if let Err(message) = archived("source", unpacked.map_err(Broken::from))? {
            return Ok(Err(message));
        }
        let program =
            Installation::find(GIT, Extras::default()).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Broken::Missing {
                    program: GIT,
                    package: GIT,
                },
                _ => file("find", Path::new(GIT))(error),
            })?;
        for patch in patches {
            if let Some(message) = self.apply(patch, &program, work, job)? {
                return Ok(Err(message));
            }
        }
        let out = work.join("source.tar.zst");
        let packed = pack(&tree, &out, &job.cancel);
        if job.cancel.is_cancelled() {
            return Err(Broken::Cancelled);
        }
        packed.map_err(file("pack", &out))?;
        Ok(Ok(store.take_file(out)?))
    }

    /// Applies one patch to `work`/`tree`; gives the message of a patch that does not apply.
    ///
    /// The program is the host's, and its version is in no key: what a patch without fuzz does to a file is the same by all of them,
    /// or it does not apply. It sees the tree and the patch, and nothing else.
    fn apply(
        &self,
        patch: &Patch,
        program: &Installation,
        work: &Path,
        job: &Job,
    ) -> Result<Option<String>, Broken> {
        let name = &patch.file.path;
        let content = patch.file.bytes();
        if !is_patch(&content) {
            if patch.of_series {
                let _ = writeln!(&mut &*job.log, "passes over {name}: it changes nothing");
                return Ok(None);
            }
            return Ok(Some(format!("`{name}` holds no patch")));
        }
        let _ = writeln!(&mut &*job.log, "applies {name}");
        let input = work.join("patch");
        fs::write(&input, &content).map_err(file("write", &input))?;
        let git = |options: &[&str]| self.git_apply(patch, options, program, work, job);
        if git(&[])? {
            return Ok(None);
        }
        let log = read_log(&job.log);
        let errors = log.lines().filter_map(|line| {
            line.strip_prefix("error: ")
                .or_else(|| line.strip_prefix("fatal: "))
        });
        let errors: Vec<&str> = errors.collect();
        if git(&["--reverse", "--check"])? {
            return Ok(Some(format!(
                "`{name}` is already in the source: leave it out"
            )));
        }
        // Once more, for what is rejected; the tree is given up.
        git(&["--reject"])?;
        let log = read_log(&job.log);
        let hunk = log
            .lines()
            .find_map(|line| line.strip_prefix("Rejected hunk "));
        for (path, rejected) in rejects(&work.join("tree"), &log) {
            let _ = writeln!(&mut &*job.log, "rejected of {path}:");
            let _ = (&mut &*job.log).write_all(&rejected);
            let _ = writeln!(&mut &*job.log);
        }
        let why = errors.iter().find(|error| !error.ends_with(NOT_APPLIED));
        let why = match why.copied() {
            Some(error) if error.starts_with(NO_CHANGE) => NOT_READ,
            Some(error) => error,
            None => "see the log",
        };
        let hunk = hunk.map_or(String::new(), |hunk| {
            format!(", hunk {}", hunk.trim_end_matches('.'))
        });
        Ok(Some(format!("`{name}` does not apply: {why}{hunk}")))
    }

    /// Runs `git apply` on `work`/`tree` with `work`/`patch`; gives whether it succeeded.
    fn git_apply(
        &self,
        patch: &Patch,
        options: &[&str],
        program: &Installation,
        work: &Path,
        job: &Job,
    ) -> Result<bool, Broken> {
        let mut binds = program.binds.clone();
        binds.extend([
            bind(&work.join("tree"), SRC, false),
            bind(&work.join("patch"), INPUT, true),
        ]);
        let strip = format!("-p{}", patch.strip);
        let program_path = program.program.to_string_lossy();
        let argv = [&*program_path, "apply", "--whitespace=nowarn", &strip];
        let argv = argv.iter().chain(options).chain(&[INPUT]);
        let mut env = program.env();
        // A source may bring a repository along; its settings are not asked.
        env.insert("GIT_DIR".to_owned(), "/nonexistent".to_owned());
        env.insert("GIT_CONFIG_NOSYSTEM".to_owned(), "1".to_owned());
        env.insert("HOME".to_owned(), "/nonexistent".to_owned());
        let spec = Spec {
            root: Root::Bare,
            emulator: None,
            binds,
            argv: argv.map(|word| (*word).to_owned()).collect(),
            env,
            cwd: PathBuf::from(SRC),
            user: self.sandbox.own_user(),
            devices: Vec::new(),
            limits: Limits {
                wall: Some(WALL),
                ..Limits::default()
            },
            hostname: "engine".to_owned(),
            layers: None,
            tmp_size: TMP_SIZE,
        };
        let log = job
            .log
            .try_clone()
            .map_err(file("open", Path::new("log")))?;
        match self.sandbox.run(&spec, Stdio::Log(log), &job.cancel)? {
            Exit::Code(0) => Ok(true),
            Exit::Cancelled => Err(Broken::Cancelled),
            Exit::Code(_) | Exit::Signal(_) | Exit::TimedOut => Ok(false),
        }
    }
}

/// What git could not apply, by the file it was for: beside each it leaves `FILE.rej`.
fn rejects(tree: &Path, log: &str) -> Vec<(String, Vec<u8>)> {
    let files = log.lines().filter_map(|line| {
        let file = line.strip_prefix("Applying patch ")?;
        Some(file.split_once(" with ")?.0.to_owned())
    });
    let rejected = files.filter_map(|file| {
        let path = left(tree, &format!("{file}.rej"))?;
        Some((file, fs::read(path).ok()?))
    });
    rejected.collect()
}

/// Whether anything would be changed: a program that finds nothing to do is content with that.
fn is_patch(content: &[u8]) -> bool {
    const BEGINS: [&[u8]; 2] = [b"diff ", b"--- "];
    let mut lines = content.split(|byte| *byte == b'\n');
    lines.any(|line| BEGINS.iter().any(|begin| line.starts_with(begin)))
}

/// Applies patches.
const GIT: &str = "git";
/// Where it sees the patch.
const INPUT: &str = "/patch";
/// How the lines of its errors end that only repeat the one before.
const NOT_APPLIED: &str = ": patch does not apply";
/// How it says that it read no change.
const NO_CHANGE: &str = "No valid patches in input";
const NOT_READ: &str = "there is no change in it that is read; unified diffs are, and binary files as `git format-patch --binary` writes them";
/// No patch takes longer.
const WALL: Duration = Duration::from_mins(10);
/// Bytes of its temporary files.
const TMP_SIZE: u64 = 1 << 28;

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

/// The tarball of a tree.
fn pack(tree: &Path, out: &Path, cancel: &Cancel) -> io::Result<()> {
    let mut tar = SourceTar::create(out, cancel)?;
    append(&mut tar, tree, Path::new(""))?;
    tar.finish()
}

fn append(tar: &mut SourceTar, dir: &Path, name: &Path) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(dir)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        let facts = entry.metadata()?;
        if facts.is_dir() {
            append(tar, &path, &name)?;
        } else if facts.is_symlink() {
            tar.link(&name, &fs::read_link(&path)?)?;
        } else {
            let executable = facts.mode() & 0o100 != 0;
            tar.file(&name, executable, facts.len(), File::open(&path)?)?;
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
    fn a_packed_tree_is_the_same_bytes_whenever_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let pack_once = |name: &str| {
            let tree = dir.path().join(name);
            fs::create_dir_all(tree.join("scripts")).unwrap();
            fs::write(tree.join("scripts/b.sh"), "b").unwrap();
            fs::write(tree.join("Makefile"), "all:").unwrap();
            std::os::unix::fs::symlink("Makefile", tree.join("link")).unwrap();
            let out = dir.path().join(format!("{name}.tar.zst"));
            pack(&tree, &out, &Cancel::new()).unwrap();
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
