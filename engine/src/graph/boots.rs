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
    pub spec: Closed,
    pub rootfs: NodeId,
    /// How the root filesystem is taken.
    pub root: (Slot, Output),
    /// Whether the machine asks for a device tree of the build.
    pub dtbs: bool,
    /// The image that QEMU's program is in.
    pub qemu: Option<NodeId>,
    /// Asks whether KVM boots the kernel, for a board that wants it.
    pub probe: Option<Closed>,
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

    /// Adds the boots of one build: for each matched board, its suites that `wants` accepts by their full address, and the probe that
    /// these need, or that is wanted for itself.
    pub fn add(
        &self,
        graph: &mut Graph,
        match_id: NodeId,
        matched: &Matched,
        wants: &dyn Fn(Kind, &str) -> bool,
    ) -> Grown {
        let mut grown = Grown::default();
        let build = graph.node(match_id).name.clone();
        let Some(kernel) = kernel_of(graph, match_id) else {
            return grown;
        };
        for board in &matched.boards {
            let boots = self.boards.get(board).map_or(&[][..], Vec::as_slice);
            if boots.is_empty() {
                grown.notes.push(format!(
                    "`{board}` fits, but has no `qemu`: no lab here can boot it"
                ));
            }
            let mut probed = None;
            for boot in boots {
                let name = format!("{build}/{board}/{}", boot.suite);
                let probe = format!("{build}/{board}");
                let wanted = wants(Kind::Boot, &name);
                let asked = boot.probe.is_some() && probed.is_none() && wants(Kind::Probe, &probe);
                if !wanted && !asked {
                    continue;
                }
                let mut inputs = vec![
                    (Slot::Kernel, kernel, Output::Image),
                    (boot.root.0, boot.rootfs, boot.root.1),
                ];
                if let Some(image) = boot.qemu {
                    inputs.push((Slot::Qemu, image, Output::Tar));
                }
                if boot.dtbs {
                    inputs.push((Slot::Dtbs, kernel, Output::Dtbs));
                }
                if let Some(spec) = &boot.probe {
                    let probe = *probed.get_or_insert_with(|| {
                        let (name, spec) = (probe.into(), spec.clone());
                        graph.add(Node { name, spec }, &inputs)
                    });
                    if asked {
                        grown.added.push(probe);
                    }
                    inputs.push((Slot::Accel, probe, Output::Answer));
                }
                if !wanted {
                    continue;
                }
                let (name, spec) = (name.into(), boot.spec.clone());
                grown.added.push(graph.add(Node { name, spec }, &inputs));
            }
        }
        grown
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
