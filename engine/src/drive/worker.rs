//! What of this machine decides what nodes are.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use store::Digest;
use store::KeyHasher;
use store::Store;

use crate::graph::Worker;
use crate::labs::QemuLab;
use crate::model::Accel;
use crate::model::Catalog;
use crate::sandbox::Mapping;
use crate::sandbox::Sandbox;
use crate::sandbox::host_program;

/// Kind of the entries in the store's cache.
const KIND: &str = "qemu";

/// The worker of this machine, as far as a catalog asks.
pub(super) fn worker(catalog: &Catalog, store: &Store) -> Worker {
    let (uid, gid) = Mapping::detect().worker();
    let boards = || catalog.boards.values();
    let kvm = boards().any(|board| board.accel == Accel::Kvm);
    let binaries = boards().filter(|board| board.qemu_image.is_none());
    let binaries = binaries.filter_map(|board| Some(board.qemu.as_ref()?.binary.as_str()));
    Worker {
        uid,
        gid,
        qemus: versions(binaries.collect(), store),
        host: if kvm { host() } else { String::new() },
    }
}

/// What the installed ones of some programs say of their versions. A program is asked only when its file changed.
fn versions(binaries: BTreeSet<&str>, store: &Store) -> BTreeMap<String, String> {
    let mut lab = None;
    let mut versions = BTreeMap::new();
    for binary in binaries {
        let Some(stamp) = host_program(binary).and_then(|program| stamp(&program)) else {
            continue;
        };
        let kept = store.cache_get(KIND, &stamp);
        let kept = kept.and_then(|bytes| String::from_utf8(bytes).ok());
        let version = if let Some(version) = kept {
            version
        } else {
            let lab = lab.get_or_insert_with(|| {
                let sandbox = Sandbox::new(PathBuf::from("/proc/self/exe")).ok()?;
                Some(QemuLab::new(sandbox))
            });
            // What cannot be asked now is told when it is to boot.
            let Some(Ok(version)) = lab.as_ref().map(|lab| lab.version(binary)) else {
                continue;
            };
            // A cache that cannot be written costs time only.
            let _ = store.cache_put(KIND, &stamp, version.as_bytes());
            version
        };
        versions.insert(binary.to_owned(), version);
    }
    versions
}

/// Identifies a program's file as it lies there.
fn stamp(program: &Path) -> Option<Digest> {
    let file = fs::metadata(program).ok()?;
    let numbers = [file.len(), file.ino(), file.dev()];
    let times = [
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ];
    let hasher = KeyHasher::new("engine 2026-11 program stamp v1")
        .str(&program.display().to_string())
        .str(&format!("{numbers:?} {times:?}"));
    Some(hasher.finish())
}

/// Processor and kernel of this machine, and who may use KVM on it.
fn host() -> String {
    let kvm = fs::metadata("/dev/kvm").map_or_else(
        |_| "no /dev/kvm".to_owned(),
        |kvm| {
            format!(
                "/dev/kvm {:o} of {}:{}",
                kvm.mode() & 0o777,
                kvm.uid(),
                kvm.gid()
            )
        },
    );
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    // Each architecture has words of its own (fs/proc/cpuinfo.c and `show_cpuinfo` of each).
    let line = |wanted: &str| {
        let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.trim() == wanted)
    };
    let words = ["model name", "cpu model", "CPU part", "cpu", "uarch"];
    let (_, model) = words.into_iter().find_map(line).unwrap_or_default();
    format!(
        "{}, Linux {}, {kvm}",
        model.trim(),
        read("/proc/sys/kernel/osrelease").trim()
    )
}
