//! What this machine lacks for what a project declares.

use std::collections::BTreeMap;
use std::path::Path;

use crate::jobs::debian_package;
use crate::machine::Packages;
use crate::model::Catalog;
use crate::origins::GIT_NEEDS;
use crate::origins::HostNeed;
use crate::origins::abi_of_base;
use crate::origins::family;
use crate::origins::origin;
use crate::sandbox::Mapping;
use crate::sandbox::emulator_program;
use crate::sandbox::host_program;

/// Something that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// A program, or another file by its path.
    pub what: String,
    /// What needs it.
    pub wanted_for: String,
    /// Who has it.
    pub packages: Packages,
}

const USER_MODE: Packages = Packages {
    debian: "qemu-user-static",
    gentoo: "app-emulation/qemu",
    fedora: "qemu-user-static",
    arch: "qemu-user-static",
};
const IDS: Packages = Packages {
    debian: "uidmap",
    gentoo: "sys-apps/shadow",
    fedora: "shadow-utils",
    arch: "shadow",
};

/// What is not there of all that the declarations may need, each once, by name.
pub fn lacks(catalog: &Catalog) -> Vec<Lack> {
    let mut needs: Vec<HostNeed> = Vec::new();
    let sources = || catalog.sources.values();
    if sources().any(|source| !source.patches.is_empty()) {
        needs.extend(GIT_NEEDS);
    }
    for source in sources() {
        needs.extend(origin(&source.origin).host_needs());
    }
    for base in catalog.bases.values() {
        needs.extend(family(base.origin.family()).host_needs());
    }
    let there = |what: &str| match what.strip_prefix('/') {
        Some(_) => Path::new(what).exists(),
        None => host_program(what).is_some(),
    };
    let mut lacks = BTreeMap::new();
    for need in needs.into_iter().filter(|need| !there(need.what)) {
        let lack = Lack {
            what: need.what.to_owned(),
            wanted_for: need.wanted_for.to_owned(),
            packages: need.packages,
        };
        lacks.insert(lack.what.clone(), lack);
    }
    for lack in ids(catalog)
        .into_iter()
        .chain(emulators(catalog))
        .chain(machines(catalog))
    {
        lacks.entry(lack.what.clone()).or_insert(lack);
    }
    lacks.into_values().collect()
}

/// Subordinate ids, without which no image can be made.
fn ids(catalog: &Catalog) -> Option<Lack> {
    match Mapping::detect() {
        Mapping::Single { missing, .. } if !catalog.images.is_empty() => Some(Lack {
            what: missing,
            wanted_for: "images, as an ordinary user".to_owned(),
            packages: IDS,
        }),
        _ => None,
    }
}

/// User-mode QEMU for images of other architectures.
fn emulators(catalog: &Catalog) -> Vec<Lack> {
    let bases = catalog.bases.values();
    let lack = |base| {
        let program = emulator_program(abi_of_base(base)?)?;
        Some(Lack {
            what: program,
            wanted_for: format!("images of base `{}`", base.name),
            packages: USER_MODE,
        })
    };
    bases.filter_map(lack).collect()
}

/// QEMU's machines that boards name and no image has.
fn machines(catalog: &Catalog) -> Vec<Lack> {
    let boards = catalog
        .boards
        .values()
        .filter(|board| board.qemu_image.is_none());
    let lack = |board: &crate::model::Board| {
        let binary = &board.qemu.as_ref()?.binary;
        if host_program(binary).is_some() {
            return None;
        }
        let x86 = debian_package(binary) == Some("qemu-system-x86");
        Some(Lack {
            what: binary.clone(),
            wanted_for: format!("board `{}`", board.name),
            packages: Packages {
                debian: debian_package(binary).unwrap_or_default(),
                gentoo: "app-emulation/qemu",
                fedora: if x86 { "qemu-system-x86-core" } else { "qemu" },
                arch: if x86 { "qemu-system-x86" } else { "qemu-full" },
            },
        })
    };
    boards.filter_map(lack).collect()
}
