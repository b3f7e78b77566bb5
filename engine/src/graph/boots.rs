//! Boots: a match node's answer becomes nodes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::Graph;
use super::Grown;
use super::Node;
use super::NodeId;
use super::Output;
use super::Slot;
use crate::spec::Closed;
use crate::spec::Kind;

/// A match node's answer, kept inline in its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// Names of the boards whose requirements the .config meets, sorted.
    pub boards: Vec<String>,
}

/// What is known of boots before any .config: all but the kernel.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Boots {
    /// By board; one that no lab here can boot has none.
    pub(super) boards: BTreeMap<String, Vec<Boot>>,
}

/// One suite on one board.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Boot {
    pub suite: String,
    pub rootfs: NodeId,
    /// How the root filesystem is taken.
    pub root: (Slot, Output),
    /// In QEMU on this machine.
    pub qemu: Option<QemuBoot>,
    /// In a LAVA lab.
    pub lava: Option<LavaBoot>,
}

/// A boot in QEMU.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct QemuBoot {
    pub spec: Closed,
    /// Whether the machine asks for a device tree of the build.
    pub dtbs: bool,
    /// The image that QEMU's program is in.
    pub image: Option<NodeId>,
    /// Asks whether KVM boots the kernel, for a board that wants it.
    pub probe: Option<Closed>,
}

/// A boot in a LAVA lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LavaBoot {
    pub spec: Closed,
    /// Whether the machine asks for a device tree of the build.
    pub dtbs: bool,
    /// Whether the root filesystem gets the build's modules.
    pub modules: bool,
    /// What mounts a root over NBD.
    pub nbd: Option<NodeId>,
}

/// In which kind of lab boards are booted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// In QEMU on this machine where the board can be, else in LAVA.
    #[default]
    Usual,
    /// In QEMU on this machine.
    Qemu,
    /// In LAVA.
    Lava,
}

/// Who asks for boots.
pub struct Asked<'a> {
    /// Whether a boot or a probe is wanted, by its address.
    pub wants: &'a dyn Fn(Kind, &str) -> bool,
    /// Where.
    pub place: Place,
}

/// What the boots of one build have in common.
struct Build<'a> {
    name: &'a str,
    kernel: NodeId,
}

impl Boots {
    /// What addresses may have below a build: `BOARD/SUITE`, and `BOARD` alone where no lab here can boot it.
    pub fn endings(&self) -> impl Iterator<Item = String> + '_ {
        self.boards.iter().flat_map(|(board, boots)| {
            let alone = boots.is_empty().then(|| board.clone());
            let suites = boots
                .iter()
                .map(move |boot| format!("{board}/{}", boot.suite));
            alone.into_iter().chain(suites)
        })
    }

    /// Adds the boots of one build: for each matched board, its suites that are wanted by their full address, and the probe that
    /// these need, or that is wanted for itself.
    pub fn add(
        &self,
        graph: &mut Graph,
        match_id: NodeId,
        matched: &Matched,
        asked: &Asked<'_>,
    ) -> Grown {
        let mut grown = Grown::default();
        let name = graph.node(match_id).name.clone();
        let Some(kernel) = kernel_of(graph, match_id) else {
            return grown;
        };
        let build = Build {
            name: &name,
            kernel,
        };
        for board in &matched.boards {
            let boots = self.boards.get(board).map_or(&[][..], Vec::as_slice);
            let possible = boots.iter().any(|boot| boot.at(asked.place).is_some());
            if !possible {
                grown.notes.push(match asked.place {
                    Place::Usual => format!("`{board}` fits, but no lab here can boot it"),
                    Place::Qemu => format!("`{board}` fits, but not QEMU on this machine"),
                    Place::Lava => format!("`{board}` fits, but no LAVA lab boots it"),
                });
            }
            build.boots(graph, board, boots, asked, &mut grown);
        }
        grown
    }
}

/// A boot where it is going to run.
enum At<'a> {
    Qemu(&'a QemuBoot),
    Lava(&'a LavaBoot),
}

impl Boot {
    fn at(&self, place: Place) -> Option<At<'_>> {
        let qemu = || self.qemu.as_ref().map(At::Qemu);
        let lava = || self.lava.as_ref().map(At::Lava);
        match place {
            Place::Usual => qemu().or_else(lava),
            Place::Qemu => qemu(),
            Place::Lava => lava(),
        }
    }
}

impl Build<'_> {
    /// Adds the boots on one board.
    fn boots(
        &self,
        graph: &mut Graph,
        board: &str,
        boots: &[Boot],
        asked: &Asked<'_>,
        grown: &mut Grown,
    ) {
        let mut probed = None;
        for boot in boots {
            let Some(at) = boot.at(asked.place) else {
                continue;
            };
            let name = format!("{}/{board}/{}", self.name, boot.suite);
            let wanted = (asked.wants)(Kind::Boot, &name);
            let mut inputs = vec![
                (Slot::Kernel, self.kernel, Output::Image),
                (boot.root.0, boot.rootfs, boot.root.1),
            ];
            let (spec, dtbs) = match at {
                At::Qemu(boot) => {
                    inputs.extend(boot.image.map(|image| (Slot::Qemu, image, Output::Tar)));
                    (&boot.spec, boot.dtbs)
                }
                At::Lava(boot) => {
                    inputs.extend(boot.nbd.map(|initrd| (Slot::Nbd, initrd, Output::Initrd)));
                    if boot.modules {
                        inputs.push((Slot::Modules, self.kernel, Output::Modules));
                    }
                    (&boot.spec, boot.dtbs)
                }
            };
            if dtbs {
                inputs.push((Slot::Dtbs, self.kernel, Output::Dtbs));
            }
            if let At::Qemu(QemuBoot {
                probe: Some(spec), ..
            }) = at
            {
                let address = format!("{}/{board}", self.name);
                let named = probed.is_none() && (asked.wants)(Kind::Probe, &address);
                if !wanted && !named {
                    continue;
                }
                let probe = *probed.get_or_insert_with(|| {
                    let (name, spec) = (address.into(), spec.clone());
                    graph.add(Node { name, spec }, &inputs)
                });
                if named {
                    grown.added.push(probe);
                }
                inputs.push((Slot::Accel, probe, Output::Answer));
            }
            if wanted {
                let (name, spec) = (name.into(), spec.clone());
                grown.added.push(graph.add(Node { name, spec }, &inputs));
            }
        }
    }
}

/// The kernel of the build that a match node is of: both take the same .config and have the same name.
fn kernel_of(graph: &Graph, match_id: NodeId) -> Option<NodeId> {
    let name = &graph.node(match_id).name;
    let (_, config) = graph.inputs(match_id).next()?;
    graph.dependents(config).find(|id| {
        let node = graph.node(*id);
        node.kind() == Kind::Kernel && node.name == *name
    })
}
