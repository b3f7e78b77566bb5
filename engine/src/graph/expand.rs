//! Expansion: a match node's answer becomes boot nodes.

use serde::Deserialize;
use serde::Serialize;

use super::Graph;
use super::GraphError;
use super::Kind;
use super::Node;
use super::NodeId;
use super::Output;
use super::Slot;
use super::build::World;

/// A match node's answer, kept inline in its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// Names of the boards whose requirements the .config meets, sorted.
    pub boards: Vec<String>,
}

impl Graph {
    /// Adds the boots of one build: for each matched board with a QEMU machine, its suites that
    /// `wants` accepts by their full address. Gives the new ids.
    pub fn expand(
        &mut self,
        world: &World<'_>,
        match_id: NodeId,
        matched: &Matched,
        wants: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<NodeId>, GraphError> {
        let build = self.node(match_id).name.clone();
        // The builder adds a build's config, kernel and match nodes one after the other.
        let kernel = NodeId::new(match_id.index() - 1);
        let mut added = Vec::new();
        for name in &matched.boards {
            let Some(board) = world.catalog.boards.get(name) else {
                continue;
            };
            let Some(machine) = &board.qemu else { continue };
            for suite in &board.suites {
                let address = format!("{build}/{name}/{suite}");
                if !wants(&address) {
                    continue;
                }
                let rootfs = self
                    .rootfses
                    .get(&format!("{}/{suite}", board.rootfs))
                    .copied();
                let params = self.boot_params.get(&format!("{name}/{suite}")).copied();
                let (Some(rootfs), Some(params)) = (rootfs, params) else {
                    return Err(GraphError::Dangling {
                        kind: Kind::Boot,
                        name: address,
                    });
                };
                let root = match machine.disk {
                    None => (Slot::Initrd, rootfs, Output::Initrd),
                    Some(_) => (Slot::Disk, rootfs, Output::Disk),
                };
                let mut inputs = vec![(Slot::Kernel, kernel, Output::Image), root];
                if !machine.dtb.is_empty() {
                    inputs.push((Slot::Dtbs, kernel, Output::Dtbs));
                }
                let node = Node {
                    kind: Kind::Boot,
                    name: address.into(),
                    params,
                };
                added.push(self.add(node, &inputs));
            }
        }
        Ok(added)
    }
}
