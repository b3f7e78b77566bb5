//! The catalog: everything that was declared, by name. Evaluation has checked that every reference resolves.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::Abi;
use super::Arch;
use super::Base;
use super::Board;
use super::Defconfig;
use super::Image;
use super::Lab;
use super::Rootfs;
use super::Source;
use super::Suite;
use super::Toolchain;
use crate::kconfig::Predicate;

/// All declarations. Maps are keyed by the declared name; defconfigs by (arch, name).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// Kernel sources.
    pub sources: BTreeMap<String, Source>,
    /// Base root filesystems.
    pub bases: BTreeMap<String, Base>,
    /// Images made of bases.
    pub images: BTreeMap<String, Image>,
    /// Compilers.
    pub toolchains: BTreeMap<String, Toolchain>,
    /// Architectures.
    pub arches: BTreeMap<String, Arch>,
    /// Configurations, by arch name and defconfig name.
    pub defconfigs: BTreeMap<(String, String), Defconfig>,
    /// Boards.
    pub boards: BTreeMap<String, Board>,
    /// Labs.
    pub labs: BTreeMap<String, Lab>,
    /// Root filesystems.
    pub rootfses: BTreeMap<String, Rootfs>,
    /// Test suites.
    pub suites: BTreeMap<String, Suite>,
}

impl Catalog {
    /// A line for each arch that nothing can boot, with the reason.
    pub fn not_bootable(&self) -> impl Iterator<Item = String> + '_ {
        self.arches.values().filter_map(|arch| {
            let reason = arch.not_bootable.as_ref()?;
            Some(format!("{} is not boot-testable: {reason}", arch.name))
        })
    }

    /// The ABI of a board's root filesystem.
    pub fn abi(&self, board: &Board) -> Option<Abi> {
        self.rootfses.get(&board.rootfs).map(|rootfs| rootfs.abi)
    }

    /// What a .config must meet to boot on a board: what the board requires, and what the programs of
    /// its root filesystem do.
    pub fn requires(&self, board: &Board) -> Predicate {
        match self.abi(board) {
            Some(abi) => board.requires.clone() & abi.requires(),
            None => board.requires.clone(),
        }
    }
}
