//! Nodes and edges, and the graph that holds them.

use petgraph::Direction;
use petgraph::graph::DiGraph;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde::Deserialize;
use serde::Serialize;

use crate::spec::Closed;
use crate::spec::Kind;
use crate::spec::Spec;

/// Dense id of a node in one graph.
pub type NodeId = NodeIndex<u32>;

/// The role an input plays for the node that takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// Downloaded files.
    Files,
    /// The source tarball.
    Source,
    /// The base's tar.
    Base,
    /// The image's tar.
    Image,
    /// kconfig's host program.
    Kconfig,
    /// The resolved .config.
    Config,
    /// The resolved .config that another is a mutant of.
    Parent,
    /// The list of objects of the kernel of that.
    Objects,
    /// The kernel's boot image.
    Kernel,
    /// The device trees of the build.
    Dtbs,
    /// The initramfs.
    Initrd,
    /// The image of the disk that is booted.
    Disk,
    /// The tarball of the root filesystem that is mounted over NFS.
    Nfsroot,
    /// The initramfs that mounts a root over NBD.
    Nbd,
    /// The tarball of the build's modules.
    Modules,
    /// The tar of the image whose compiler and tools are put into another.
    Native,
    /// The tar of the image that QEMU's program is in.
    Qemu,
    /// What a probe says of KVM.
    Accel,
}

impl Slot {
    /// The word used in key manifests and explanations.
    pub fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Source => "source",
            Self::Base => "base",
            Self::Image => "image",
            Self::Kconfig => "kconfig",
            Self::Config => "config",
            Self::Parent => "parent",
            Self::Objects => "objects",
            Self::Kernel => "kernel",
            Self::Dtbs => "dtbs",
            Self::Initrd => "initrd",
            Self::Disk => "disk",
            Self::Nfsroot => "nfsroot",
            Self::Nbd => "nbd",
            Self::Modules => "modules",
            Self::Native => "native",
            Self::Qemu => "qemu",
            Self::Accel => "accel",
        }
    }
}

/// The output of a node that another takes; its word is the output's name in the store's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// A tree of downloaded files.
    Files,
    /// A tarball.
    Tar,
    /// A .config.
    Config,
    /// A kernel boot image.
    Image,
    /// A tarball of device trees.
    Dtbs,
    /// An initramfs.
    Initrd,
    /// The image of a disk.
    Disk,
    /// The tarball of a root filesystem.
    Nfsroot,
    /// The list of a kernel's objects.
    Objects,
    /// A tarball of modules.
    Modules,
    /// A probe's answer.
    Answer,
}

impl Output {
    /// Every output that some node takes.
    pub const ALL: [Self; 11] = [
        Self::Files,
        Self::Tar,
        Self::Config,
        Self::Image,
        Self::Dtbs,
        Self::Initrd,
        Self::Disk,
        Self::Nfsroot,
        Self::Objects,
        Self::Modules,
        Self::Answer,
    ];

    /// The output's name in records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Tar => "tar",
            Self::Config => "config",
            Self::Image => "image",
            Self::Dtbs => "dtbs.tar",
            Self::Initrd => "initrd",
            Self::Disk => "disk",
            Self::Nfsroot => "nfsroot",
            Self::Objects => "objects.json",
            Self::Modules => "modules.tar",
            Self::Answer => "answer",
        }
    }
}

/// An edge: which output of the upstream node fills which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The role at the node that takes it.
    pub slot: Slot,
    /// The output taken.
    pub output: Output,
}

/// One node: a name to speak of it, and the spec that says all it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name within its kind: a declared name, an address, or what its maker calls it. No part of its key.
    pub name: Box<str>,
    /// What it is.
    pub spec: Closed,
}

impl Node {
    /// What kind of node it is.
    pub fn kind(&self) -> Kind {
        self.spec.kind()
    }

    /// What is said about it.
    pub fn spec(&self) -> &Spec {
        self.spec.spec()
    }

    /// `KIND:NAME`, unique in a graph.
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.kind(), self.name)
    }
}

/// The graph. Node ids are in topological order: inputs are added before what takes them.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(super) nodes: DiGraph<Node, Input, u32>,
}

impl Graph {
    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ids in topological order.
    pub fn ids(
        &self,
    ) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + Clone + use<> {
        (0..self.nodes.node_count()).map(NodeIndex::new)
    }

    /// The node of an id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// A node's inputs.
    pub fn inputs(&self, id: NodeId) -> impl Iterator<Item = (Input, NodeId)> + '_ {
        self.nodes
            .edges_directed(id, Direction::Incoming)
            .map(|edge| (*edge.weight(), edge.source()))
    }

    /// The nodes that take an output of this one.
    pub fn dependents(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.neighbors_directed(id, Direction::Outgoing)
    }

    /// Finds a node by kind and name; linear.
    pub fn find(&self, kind: Kind, name: &str) -> Option<NodeId> {
        self.ids().find(|id| {
            let node = self.node(*id);
            node.kind() == kind && &*node.name == name
        })
    }

    /// Adds a node. Its inputs are there already, and no node of its kind has its name: who makes names sees to that.
    pub fn add(&mut self, node: Node, inputs: &[(Slot, NodeId, Output)]) -> NodeId {
        let id = self.nodes.add_node(node);
        for (slot, from, output) in inputs {
            let input = Input {
                slot: *slot,
                output: *output,
            };
            self.nodes.add_edge(*from, id, input);
        }
        id
    }
}
