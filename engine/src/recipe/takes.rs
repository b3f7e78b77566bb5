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
/// The slot of what configures, as wide as the CPUs: it ends in a second, and does not stand behind compilers that end in minutes.
const CONFIGURE: &str = "configure";
/// `make`, `conf` and a shell.
const SMALL_MIB: u64 = 256;
/// Packages are unpacked into a layer in memory.
const IMAGE_MIB: u64 = 2048;
/// QEMU beside its guest's memory.
const QEMU_MIB: u64 = 256;

impl Takes {
    /// What the recipes of this module take; so many jobs may be in LAVA labs, and so many run beside each other here.
    pub(super) fn of(spec: &Spec, lava_slots: usize, jobs: usize) -> Self {
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
            Spec::Fetch(_) | Spec::Config(_) => (0, SMALL_MIB),
            Spec::Match(_) | Spec::Lava(_) => (0, 0),
            Spec::Source(_) | Spec::Kconfig(_) | Spec::Rootfs(_) => (1, SMALL_MIB),
            Spec::Base(_) | Spec::Image(_) => (1, IMAGE_MIB),
            Spec::Kernel(_) => (1, BUILD_MIB),
            Spec::Probe(probe) => (1, u64::from(probe.machine.memory_mb) + QEMU_MIB),
            Spec::Boot(boot) => (1, u64::from(boot.machine.memory_mb) + QEMU_MIB),
        };
        let configures = matches!(spec, Spec::Config(_) | Spec::Match(_));
        Self {
            cpus,
            memory_mib,
            slot: configures.then(|| (CONFIGURE.to_owned(), jobs)),
            waits: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::ConfigRecipe;
    use crate::spec::ConfigSpec;
    use crate::spec::KconfigSpec;
    use crate::spec::MatchSpec;

    #[test]
    fn what_configures_waits_for_no_build() {
        let (kernel_arch, make) = (String::new(), BTreeMap::new());
        let config = Spec::Config(ConfigSpec {
            kernel_arch: kernel_arch.clone(),
            make: make.clone(),
            recipe: ConfigRecipe::Tiny,
            fixups: BTreeMap::new(),
            accelerate: None,
        });
        let matching = Spec::Match(MatchSpec {
            matcher: 1,
            boards: BTreeMap::new(),
        });
        for spec in [config, matching] {
            let takes = Takes::of(&spec, 1, 3);
            assert_eq!(takes.cpus, 0);
            assert_eq!(takes.slot, Some(("configure".to_owned(), 3)));
        }
        // It compiles.
        let kconfig = Spec::Kconfig(KconfigSpec {
            kernel_arch,
            make,
            accelerate: None,
        });
        assert_eq!(Takes::of(&kconfig, 1, 3).cpus, 1);
    }
}
