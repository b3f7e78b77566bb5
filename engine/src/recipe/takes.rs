//! What a node takes of the machine while it runs.

use crate::spec::Spec;

/// What a node takes; the scheduler starts it when all of it is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// CPU tokens it holds from its start to its end. Its own `make` may take more of those that are free.
    pub cpus: usize,
    /// Memory it is expected to need at most, in MiB.
    pub memory_mib: u64,
    /// A slot of something that has few, such as a lab: its name, and how many there are.
    pub slot: Option<(String, usize)>,
    /// It waits for another machine: it runs on no thread of its own ([`super::Execute::wait`]).
    pub waits: bool,
}

/// A compiler, a linker at the end of a kernel, an archive in memory: seen at most 900 MiB on `x86_64`'s defconfig.
const BUILD_MIB: u64 = 1024;
/// The slot of all LAVA labs together.
const LAVA: &str = "lava";
/// `make`, `conf` and a shell.
const SMALL_MIB: u64 = 256;
/// Packages are unpacked into a layer in memory.
const IMAGE_MIB: u64 = 2048;
/// QEMU beside its guest's memory.
const QEMU_MIB: u64 = 256;

impl Takes {
    /// What the recipes of this module take; so many jobs may be in LAVA labs.
    pub(super) fn of(spec: &Spec, lava_slots: usize) -> Self {
        if let Spec::Lava(_) = spec {
            // Which lab it is to be is decided by what they offer then: each has slots of its own.
            let slot = Some((LAVA.to_owned(), lava_slots));
            return Self {
                slot,
                waits: true,
                ..Self::default()
            };
        }
        let (cpus, memory_mib) = match spec {
            // Downloads wait for the network.
            Spec::Fetch(_) => (0, SMALL_MIB),
            Spec::Match(_) => (1, 0),
            Spec::Lava(_) => (0, 0),
            Spec::Source(_) | Spec::Config(_) | Spec::Rootfs(_) => (1, SMALL_MIB),
            Spec::Base(_) | Spec::Image(_) => (1, IMAGE_MIB),
            Spec::Kernel(_) => (1, BUILD_MIB),
            Spec::Probe(probe) => (1, u64::from(probe.machine.memory_mb) + QEMU_MIB),
            Spec::Boot(boot) => (1, u64::from(boot.machine.memory_mb) + QEMU_MIB),
        };
        Self {
            cpus,
            memory_mib,
            slot: None,
            waits: false,
        }
    }
}
