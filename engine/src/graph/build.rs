//! From a catalog and its pins to the part of the graph that is known before any .config is resolved.

use std::collections::BTreeMap;

use serde_json::Value;
use store::Digest;
use thiserror::Error;

use super::Graph;
use super::Kind;
use super::Node;
use super::NodeId;
use super::Output;
use super::Slot;
use super::params::params;
use crate::lock::Lock;
use crate::lock::LockError;
use crate::lock::requests;
use crate::model::Board;
use crate::model::BuildAddress;
use crate::model::Catalog;
use crate::model::Suite;

/// What a graph is made of.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The declarations.
    pub catalog: &'a Catalog,
    /// What names stand for.
    pub lock: &'a Lock,
    /// uid of the `buildbot` user in images.
    pub worker_uid: u32,
}

/// Why no graph can be made.
#[derive(Debug, Error)]
pub enum GraphError {
    /// A pin is missing or answers another definition.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A name does not resolve; evaluation should have said so.
    #[error("`{kind}:{name}` refers to something that is not declared")]
    Dangling {
        /// Kind of the node.
        kind: Kind,
        /// Its name.
        name: String,
    },
}

impl<'a> World<'a> {
    /// Board and suite of a boot address, or of its last two components.
    pub fn boot(&self, address: &str) -> Option<(&'a Board, &'a Suite)> {
        let (rest, suite) = address.rsplit_once('/')?;
        let board = rest.rsplit('/').next()?;
        Some((
            self.catalog.boards.get(board)?,
            self.catalog.suites.get(suite)?,
        ))
    }
}

/// Adds nodes, remembering what was added under which name.
struct Builder<'a> {
    world: World<'a>,
    graph: Graph,
    shared: BTreeMap<(Kind, String), NodeId>,
    match_params: Digest,
}

impl Graph {
    /// The graph of everything declared, up to and including the match nodes.
    pub fn new(world: &World<'_>) -> Result<Self, GraphError> {
        for (name, request) in requests(world.catalog) {
            world.lock.pin(&name, &request)?;
        }
        let match_params = params(world, Kind::Match, "")
            .as_ref()
            .map_or_else(|| Digest::of(b""), digest);
        let mut builder = Builder {
            world: *world,
            graph: Self::default(),
            shared: BTreeMap::new(),
            match_params,
        };
        for build in world.catalog.builds() {
            builder.build(&build)?;
        }
        for board in world.catalog.boards.values() {
            for suite in &board.suites {
                builder.rootfs(&board.rootfs, suite)?;
                let name = format!("{}/{suite}", board.name);
                let params = params(world, Kind::Boot, &name).map(|params| digest(&params));
                let params = params.ok_or_else(|| dangling(Kind::Boot, &name))?;
                builder.graph.boot_params.insert(name, params);
            }
        }
        for image in world.catalog.images.keys() {
            builder.image(image)?;
        }
        Ok(builder.graph)
    }
}

pub(super) fn digest(params: &Value) -> Digest {
    Digest::of(params.to_string().as_bytes())
}

impl Builder<'_> {
    fn node(
        &mut self,
        kind: Kind,
        name: &str,
        inputs: &[(Slot, NodeId, Output)],
    ) -> Result<NodeId, GraphError> {
        let params = if kind == Kind::Match {
            self.match_params
        } else {
            digest(&params(&self.world, kind, name).ok_or_else(|| dangling(kind, name))?)
        };
        Ok(self.graph.add(
            Node {
                kind,
                name: name.into(),
                params,
            },
            inputs,
        ))
    }

    fn shared(
        &mut self,
        kind: Kind,
        name: &str,
        inputs: impl FnOnce(&mut Self) -> Result<Vec<(Slot, NodeId, Output)>, GraphError>,
    ) -> Result<NodeId, GraphError> {
        if let Some(id) = self.shared.get(&(kind, name.to_owned())) {
            return Ok(*id);
        }
        let inputs = inputs(self)?;
        let id = self.node(kind, name, &inputs)?;
        self.shared.insert((kind, name.to_owned()), id);
        Ok(id)
    }

    fn fetch(&mut self, name: &str) -> Result<NodeId, GraphError> {
        self.shared(Kind::Fetch, name, |_| Ok(Vec::new()))
    }

    fn source(&mut self, name: &str) -> Result<NodeId, GraphError> {
        self.shared(Kind::Source, name, |this| {
            let fetch = this.fetch(&format!("source/{name}"))?;
            Ok(vec![(Slot::Files, fetch, Output::Files)])
        })
    }

    fn base(&mut self, name: &str) -> Result<NodeId, GraphError> {
        self.shared(Kind::Base, name, |this| {
            let fetch = this.fetch(&format!("base/{name}"))?;
            Ok(vec![(Slot::Files, fetch, Output::Files)])
        })
    }

    fn image(&mut self, name: &str) -> Result<NodeId, GraphError> {
        self.shared(Kind::Image, name, |this| {
            let image = this.world.catalog.images.get(name);
            let image = image.ok_or_else(|| dangling(Kind::Image, name))?;
            let base = this.base(&image.base)?;
            let fetch = this.fetch(&format!("image/{name}"))?;
            Ok(vec![
                (Slot::Base, base, Output::Tar),
                (Slot::Files, fetch, Output::Files),
            ])
        })
    }

    fn rootfs(&mut self, rootfs: &str, suite: &str) -> Result<NodeId, GraphError> {
        let name = format!("{rootfs}/{suite}");
        self.shared(Kind::Rootfs, &name, |this| {
            let catalog = this.world.catalog;
            let toolchain = catalog
                .rootfses
                .get(rootfs)
                .and_then(|r| catalog.toolchains.get(&r.toolchain));
            let toolchain = toolchain.ok_or_else(|| dangling(Kind::Rootfs, rootfs))?;
            Ok(vec![(
                Slot::Image,
                this.image(&toolchain.image)?,
                Output::Tar,
            )])
        })
    }

    fn build(&mut self, build: &BuildAddress) -> Result<(), GraphError> {
        let name = build.to_string();
        let toolchain = self.world.catalog.toolchains.get(&build.toolchain);
        let toolchain = toolchain.ok_or_else(|| dangling(Kind::Kernel, &name))?;
        let source = (Slot::Source, self.source(&build.source)?, Output::Tar);
        let image = (Slot::Image, self.image(&toolchain.image)?, Output::Tar);
        let mut inputs = vec![source, image];
        if let Some((native, _)) = toolchain.accelerator(self.world.catalog) {
            inputs.push((Slot::Native, self.image(&native.image)?, Output::Tar));
        }
        let config = self.node(Kind::Config, &name, &inputs)?;
        let config = (Slot::Config, config, Output::Config);
        inputs.push(config);
        self.node(Kind::Kernel, &name, &inputs)?;
        self.node(Kind::Match, &name, &[config])?;
        Ok(())
    }
}

fn dangling(kind: Kind, name: &str) -> GraphError {
    GraphError::Dangling {
        kind,
        name: name.to_owned(),
    }
}
