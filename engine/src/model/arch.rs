//! Architectures, their defconfigs and the CONFIG fixups on top of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::ByVersion;
use super::FamilyName;
use super::ProjectFile;
use crate::kconfig::Value;
use crate::kconfig::Versions;

/// A kernel architecture with what is built for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arch {
    /// Second component of a build address: Gentoo's name, such as `amd64` or `hppa`, or the kernel's.
    pub name: String,
    /// The kernel's `ARCH=`.
    pub kernel_arch: String,
    /// Boot image below the build directory, such as `arch/x86/boot/bzImage`.
    pub kernel_image: ByVersion<String>,
    /// Make targets that give it (and `modules` where the config has modules).
    pub make_targets: ByVersion<Vec<String>>,
    /// Names of the declared toolchains to build with.
    pub toolchains: Vec<String>,
    /// Names of the declared sources to build; empty means all.
    pub sources: Vec<String>,
    /// Key and certificate (PEM) that sign the modules of builds whose `.config` would have the build make a random one; else the
    /// engine's own, which is no secret.
    pub signing_key: Option<ProjectFile>,
    /// Why nothing can boot it, where that is known; it is told wherever boots are.
    pub not_bootable: Option<String>,
}

/// One configuration to build for an arch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defconfig {
    /// Name of the declared arch.
    pub arch: String,
    /// Third component of a build address.
    pub name: String,
    /// How the .config is begun.
    pub recipe: ByVersion<ConfigRecipe>,
    /// Changes on top, in order; a later one wins.
    pub fixups: Vec<Fixup>,
    /// Toolchain names to build with; empty means the arch's.
    pub toolchains: Vec<String>,
    /// What its builds need beside what is in the toolchain's image, by the family of that image; sorted.
    pub packages: BTreeMap<FamilyName, Vec<String>>,
    /// Builds of it run only when an address names it.
    pub manual: bool,
}

impl Defconfig {
    /// Names of the toolchains that it is built with: its own, else its arch's.
    pub fn toolchains_in<'a>(&'a self, arch: &'a Arch) -> &'a [String] {
        if self.toolchains.is_empty() {
            &arch.toolchains
        } else {
            &self.toolchains
        }
    }
}

/// How a .config is begun, before fixups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigRecipe {
    /// A make target of the arch, such as `multi_v7_defconfig` or `defconfig`.
    Defconfig {
        /// The make target.
        target: String,
    },
    /// `allnoconfig` with the kernel's tiny fragments, fixups given as `KCONFIG_ALLCONFIG`, so that nothing else is switched on.
    Tiny,
    /// `randconfig`: a pure function of source, toolchain, seed, probability and the fixups (given as `KCONFIG_ALLCONFIG`).
    Randconfig {
        /// `KCONFIG_SEED`.
        seed: u32,
        /// `KCONFIG_PROBABILITY`, such as `20:30`; empty for the kernel's default.
        probability: String,
    },
    /// The .config of another node (input `parent`) with a part of its switches changed ([`mutate`](crate::kconfig::mutate)), completed by
    /// `olddefconfig`.
    Mutant {
        /// Which are changed, and to what.
        seed: u32,
        /// How many of 10,000, about.
        share: u32,
        /// Symbols on which at least so many percent of the objects of another kernel (input `objects`) depend stay as they are; 0: none
        /// but those of the fixups.
        spare: u32,
    },
    /// A whole .config as a project file, completed by `olddefconfig`.
    File {
        /// The file.
        file: ProjectFile,
    },
}

/// A group of symbol assignments with one strength.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixup {
    /// How hard it is meant.
    pub strength: Strength,
    /// The kernel versions it is meant for.
    pub versions: Versions,
    /// Symbol without `CONFIG_` to the value asked for.
    pub symbols: BTreeMap<String, Value>,
}

/// What it means when a fixup's value is not in the final .config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// The config node fails.
    Must,
    /// The same; what the symbol depends on is set too, where that is plain.
    Satisfy,
    /// It is reported.
    Want,
    /// It is applied and checked only where the arch has the symbol.
    IfPresent,
}
