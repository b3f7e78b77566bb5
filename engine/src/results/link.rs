//! `results/SOURCE/ARCH/DEFCONFIG/TOOLCHAIN/…` and `…/boots/BOARD/SUITE/…` as symbolic links.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use store::Digest;
use store::Record;
use store::Store;
use tempfile::Builder;

use crate::plan::Progress;
use crate::spec::Kind;

/// Makes the directory, and sees that links can be made in it.
pub fn prepare(results: &Path) -> io::Result<()> {
    fs::create_dir_all(results)?;
    Builder::new()
        .prefix(".new-")
        .make_in(results, |path| symlink("nowhere", path))?;
    Ok(())
}

/// Brings the tree up to date with every wanted node that has a result.
pub fn link(store: &Store, progress: &Progress<'_>, results: &Path) -> io::Result<()> {
    fs::create_dir_all(results)?;
    for id in progress.wanted() {
        let node = progress.graph().node(id);
        let dir = match node.kind() {
            Kind::Config | Kind::Kernel => results.join(&*node.name),
            Kind::Boot => match node.name.rsplitn(3, '/').collect::<Vec<_>>()[..] {
                [suite, board, build] => results.join(build).join("boots").join(board).join(suite),
                _ => continue,
            },
            _ => continue,
        };
        let record = progress
            .state(id)
            .key()
            .and_then(|key| store.record(&key).ok().flatten());
        let Some(record) = record else { continue };
        let mut links: BTreeMap<&str, Digest> = record
            .outputs
            .iter()
            .map(|(name, digest)| (name.as_str(), *digest))
            .collect();
        if let Some((name, log)) = log_name(node.kind(), &record) {
            links.insert(name, log);
        }
        fs::create_dir_all(&dir)?;
        for (name, digest) in links {
            relink(&store.blob_path(&digest), &dir.join(name))?;
        }
    }
    Ok(())
}

/// The name a node's log has beside its outputs. A boot's console is an output of its own.
fn log_name(kind: Kind, record: &Record) -> Option<(&'static str, Digest)> {
    let name = match kind {
        Kind::Config => "config.log",
        Kind::Kernel => "build.log",
        _ => return None,
    };
    record.log.map(|log| (name, log))
}

/// Makes a link, replacing another by rename so that a reader never finds none.
fn relink(target: &Path, link: &Path) -> io::Result<()> {
    if fs::read_link(link).is_ok_and(|now| now == target) {
        return Ok(());
    }
    // Another engine may be at the same link, so the name beside it is nobody else's.
    let dir = link.parent().unwrap_or(Path::new("."));
    let new = Builder::new()
        .prefix(".new-")
        .make_in(dir, |path| symlink(target, path))?;
    new.into_temp_path().persist(link)?;
    Ok(())
}
