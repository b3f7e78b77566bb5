//! Nodes and edges, and the graph that holds them.

use std::collections::BTreeMap;
use std::fmt;

use petgraph::Direction;
use petgraph::graph::DiGraph;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde::Deserialize;
use serde::Serialize;
use store::Digest;

/// Dense id of a node in one graph.
pub type NodeId = NodeIndex<u32>;

/// What a node is. The order is that of the chain, which is also how lists are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pinned files, downloaded.
    Fetch,
    /// A kernel source tarball with its patches applied.
    Source,
    /// A base root filesystem.
    Base,
    /// A base with the `buildbot` user and more packages.
    Image,
    /// A resolved .config and the outcome of every fixup.
    Config,
    /// A compiled kernel.
    Kernel,
    /// Which boards a resolved .config fits.
    Match,
    /// A root filesystem.
    Rootfs,
    /// One kernel booted on one board with one suite.
    Boot,
}

impl Kind {
    /// Every kind, in the order of the chain.
    pub const ALL: [Self; 9] = [
        Self::Fetch,
        Self::Source,
        Self::Base,
        Self::Image,
        Self::Config,
        Self::Kernel,
        Self::Match,
        Self::Rootfs,
        Self::Boot,
    ];

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The word used in node names, events and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Source => "source",
            Self::Base => "base",
            Self::Image => "image",
            Self::Config => "config",
            Self::Kernel => "kernel",
            Self::Match => "match",
            Self::Rootfs => "rootfs",
            Self::Boot => "boot",
        }
    }

    /// Raised when a change of the engine changes what this kind of node gives for equal inputs.
    pub fn revision(self) -> u32 {
        match self {
            Self::Match => crate::matching::MATCHER_REVISION,
            Self::Rootfs => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

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
    /// The resolved .config.
    Config,
    /// The kernel's boot image.
    Kernel,
    /// The device trees of the build.
    Dtbs,
    /// The initramfs.
    Initrd,
    /// The image of the disk that is booted.
    Disk,
    /// The tar of the image whose compiler and tools are put into another.
    Native,
}

impl Slot {
    /// The word used in key manifests and explanations.
    pub fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Source => "source",
            Self::Base => "base",
            Self::Image => "image",
            Self::Config => "config",
            Self::Kernel => "kernel",
            Self::Dtbs => "dtbs",
            Self::Initrd => "initrd",
            Self::Disk => "disk",
            Self::Native => "native",
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
}

impl Output {
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

/// One node. Everything else about it is found in the catalog by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its name within its kind: a declared name, or an address.
    pub name: Box<str>,
    /// Digest of its canonical parameters.
    pub params: Digest,
}

impl Node {
    /// `KIND:NAME`, unique in a graph.
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }
}

/// The graph. Node ids are in topological order: inputs are added before what takes them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Graph {
    pub(super) nodes: DiGraph<Node, Input, u32>,
    /// Rootfs nodes by name, for expansion.
    pub(super) rootfses: BTreeMap<String, NodeId>,
    /// Digest of the parameters of a boot, by `BOARD/SUITE`: the same for every build.
    pub(super) boot_params: BTreeMap<String, Digest>,
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
            node.kind == kind && &*node.name == name
        })
    }

    pub(super) fn add(&mut self, node: Node, inputs: &[(Slot, NodeId, Output)]) -> NodeId {
        let rootfs = (node.kind == Kind::Rootfs).then(|| node.name.to_string());
        let id = self.nodes.add_node(node);
        if let Some(name) = rootfs {
            self.rootfses.insert(name, id);
        }
        for (slot, from, output) in inputs {
            self.nodes.add_edge(
                *from,
                id,
                Input {
                    slot: *slot,
                    output: *output,
                },
            );
        }
        id
    }
}
