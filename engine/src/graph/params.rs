//! Canonical parameters: everything a definition says about a node that its inputs do not.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;
use store::Digest;

use super::Kind;
use super::build::World;
use crate::jobs::qemu_params;
use crate::lock::PinnedFile;
use crate::model::BaseOrigin;
use crate::model::Board;
use crate::model::ProjectFile;
use crate::model::RootfsFormat;
use crate::model::Source;
use crate::model::SourceOrigin;
use crate::model::Suite;
use crate::model::Toolchain;

/// The canonical parameters of a node, or `None` where the catalog does not know the name.
///
/// Objects are sorted by key, so the text of the value is canonical. Names that only label a thing
/// are left out: renaming an image rebuilds nothing.
pub fn params(world: &World<'_>, kind: Kind, name: &str) -> Option<Value> {
    let catalog = world.catalog;
    match kind {
        Kind::Fetch => {
            if let Some(pin) = world.lock.pins.get(name) {
                return Some(json!({ "files": pin.files.iter().map(file).collect::<Vec<_>>() }));
            }
            let source = catalog.sources.get(name.strip_prefix("source/")?)?;
            let SourceOrigin::Tarball { sha256, .. } = &source.origin else {
                return None;
            };
            Some(json!({ "sha256": sha256 }))
        }
        Kind::Source => catalog.sources.get(name).map(source),
        Kind::Base => {
            let BaseOrigin::Debian {
                suite,
                arch,
                packages,
            } = &catalog.bases.get(name)?.origin;
            Some(json!({ "family": "debian", "suite": suite, "arch": arch, "packages": packages }))
        }
        Kind::Image => {
            let image = catalog.images.get(name)?;
            Some(json!({ "packages": image.packages, "user": "buildbot", "uid": world.worker_uid }))
        }
        Kind::Config => config(world, name),
        Kind::Kernel => {
            let build = catalog.build(name)?;
            let params = json!({
                "arch": build.kernel_arch,
                "make": build.toolchain.make_variables(),
                "image": build.kernel_image,
                "targets": build.make_targets,
            });
            Some(accelerated(params, world, build.toolchain))
        }
        Kind::Match => {
            let boards: BTreeMap<&str, String> = catalog
                .boards
                .values()
                .map(|board| (&*board.name, catalog.requires(board).to_string()))
                .collect();
            Some(json!({ "boards": boards }))
        }
        Kind::Rootfs => {
            let (rootfs, suite) = name.split_once('/')?;
            let rootfs = catalog.rootfses.get(rootfs)?;
            let suite = catalog.suites.get(suite)?;
            let toolchain = catalog.toolchains.get(&rootfs.toolchain)?;
            let mut params = json!({
                "abi": rootfs.abi.name(),
                "cc": toolchain.c_compiler(),
                "init": text(&rootfs.init),
                "suite": text(&suite.program),
            });
            if let Some(libc) = &rootfs.libc {
                params["libc"] = text(libc);
            }
            if rootfs.format != RootfsFormat::Initramfs {
                params["format"] = json!(rootfs.format);
            }
            Some(params)
        }
        Kind::Boot => {
            let (board, suite) = world.boot(name)?;
            Some(boot(board, suite))
        }
    }
}

fn source(source: &Source) -> Value {
    let origin = match source.origin {
        SourceOrigin::Debian { .. } => "debian",
        SourceOrigin::Tarball { .. } => "tarball",
    };
    let mut params = json!({
        "origin": origin,
        "patches": source.patches.iter().map(text).collect::<Vec<_>>(),
    });
    // A version that follows from the package's name says nothing the files do not say.
    if let Some(version) = &source.version
        && source.version != source.origin.version()
    {
        params["version"] = json!(version.to_string());
    }
    params
}

fn config(world: &World<'_>, name: &str) -> Option<Value> {
    let build = world.catalog.build(name)?;
    let fixups: BTreeMap<&str, Value> = build
        .fixups
        .into_iter()
        .map(|(symbol, (strength, value))| (symbol, json!([strength, value.to_string()])))
        .collect();
    let params = json!({
        "arch": build.kernel_arch,
        "make": build.toolchain.make_variables(),
        "recipe": build.recipe,
        "fixups": fixups,
    });
    Some(accelerated(params, world, build.toolchain))
}

/// Adds what an accelerated toolchain says; any other adds nothing.
fn accelerated(mut params: Value, world: &World<'_>, toolchain: &Toolchain) -> Value {
    if let Some((_, prefix)) = toolchain.accelerator(world.catalog) {
        params["accelerate"] = json!(prefix);
    }
    params
}

fn boot(board: &Board, suite: &Suite) -> Value {
    json!({
        "lab": "qemu",
        "qemu": board.qemu.as_ref().map(qemu_params),
        "silence_secs": suite.silence_secs,
        "total_secs": suite.total_secs,
    })
}

fn file(file: &PinnedFile) -> Value {
    json!([file.file_name(), file.sha256])
}

/// A project file counts by its content; where it lies is only a label.
fn text(file: &ProjectFile) -> Value {
    Value::String(Digest::of(file.text.as_bytes()).to_string())
}
