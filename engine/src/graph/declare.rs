//! From a catalog and its pins to specs and the part of the graph that is known before any .config is resolved.
//!
//! This is the one place where declarations become specs. Whatever a recipe needs is put into its spec here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

use super::Boots;
use super::Graph;
use super::Node;
use super::NodeId;
use super::Output;
use super::Slot;
use super::boots::Boot;
use super::boots::LavaBoot;
use super::boots::QemuBoot;
use crate::lock::Lock;
use crate::lock::LockError;
use crate::matching::MATCHER_REVISION;
use crate::model::Accel;
use crate::model::Board;
use crate::model::Build;
use crate::model::BuildError;
use crate::model::Catalog;
use crate::model::Derived;
use crate::model::LabKind;
use crate::model::LavaDevice;
use crate::model::LavaMethod;
use crate::model::MOST_BYTES;
use crate::model::QemuMachine;
use crate::model::RootfsFormat;
use crate::model::SourceOrigin;
use crate::model::Suite;
use crate::model::Toolchain;
use crate::origins::abi_of;
use crate::origins::family;
use crate::origins::fetch_pin;
use crate::origins::origin;
use crate::origins::requests;
use crate::spec::Accelerate;
use crate::spec::BaseSpec;
use crate::spec::BoardNeeds;
use crate::spec::BootSpec;
use crate::spec::Closed;
use crate::spec::ConfigSpec;
use crate::spec::FetchSpec;
use crate::spec::ImageSpec;
use crate::spec::KconfigSpec;
use crate::spec::KernelSpec;
use crate::spec::Kind;
use crate::spec::LavaSpec;
use crate::spec::MatchSpec;
use crate::spec::ProbeSpec;
use crate::spec::RootfsSpec;
use crate::spec::SourceSpec;
use crate::spec::Spec;

/// The user of images that builds.
const USER: &str = "buildbot";
/// A guest that KVM runs at all reaches `/init` in a second or two.
const PROBE_SECS: u32 = 20;

/// What of the worker's machine decides what nodes are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// uid of the `buildbot` user in images.
    pub uid: u32,
    /// Its gid.
    pub gid: u32,
    /// What each of QEMU's programs that boards ask for says of its version; those that are installed.
    pub qemus: BTreeMap<String, String>,
    /// Processor and kernel, for what KVM does on them; empty where no board asks for KVM.
    pub host: String,
}

/// What a graph is made of.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The declarations.
    pub catalog: &'a Catalog,
    /// What names stand for.
    pub lock: &'a Lock,
    /// Where the nodes are going to be made.
    pub worker: &'a Worker,
}

/// Why no graph can be made.
#[derive(Debug, Error)]
pub enum GraphError {
    /// A pin is missing or answers another definition.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An address that is no build's.
    #[error("`{address}` is no build: {source}")]
    NoBuild {
        /// The address.
        address: String,
        /// Why not.
        source: BuildError,
    },
    /// A name does not resolve; evaluation should have said so.
    #[error("`{kind}:{name}` refers to something that is not declared")]
    Dangling {
        /// Kind of the node.
        kind: Kind,
        /// Its name.
        name: String,
    },
}

/// Everything declared: nodes up to and including the match nodes, and what boots will follow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Declared {
    /// The nodes.
    pub graph: Graph,
    /// The boots that match nodes add.
    pub boots: Boots,
}

impl Declared {
    /// Makes the nodes of a world.
    pub fn new(world: &World<'_>) -> Result<Self, GraphError> {
        for (name, request) in requests(world.catalog) {
            world.lock.pin(&name, &request)?;
        }
        let mut declare = Declare::new(*world, Made::default());
        for build in world.catalog.builds() {
            declare.build(&build.to_string())?;
        }
        let mut boots = Boots::default();
        for board in world.catalog.boards.values() {
            let boot = |suite: &String| declare.boot(board, suite);
            let found: Result<Vec<_>, _> = board.suites.iter().map(boot).collect();
            let found = found?.into_iter().flatten().collect();
            boots.boards.insert(board.name.clone(), found);
        }
        for image in world.catalog.images.keys() {
            declare.image(image)?;
        }
        let graph = declare.made.graph;
        Ok(Self { graph, boots })
    }
}

/// Adds nodes, remembering what was added under which name.
pub(super) struct Declare<'a> {
    world: World<'a>,
    pub made: Made,
}

/// What was added, and under which name.
#[derive(Default)]
pub(super) struct Made {
    pub graph: Graph,
    pub shared: BTreeMap<(Kind, String), NodeId>,
    /// The one spec of all match nodes.
    pub matching: Option<Closed>,
    /// Configurations that are too long to be written out, by their names.
    pub private: BTreeMap<String, Derived>,
    /// Specs by kind and digest, so that equal ones are one.
    pub specs: BTreeMap<(Kind, store::Digest), Closed>,
}

type Inputs = Vec<(Slot, NodeId, Output)>;

impl Made {
    /// The third component of the address of a configuration; of one that is too long to be written out, the name under which it is kept.
    pub fn component(&mut self, derived: &Derived) -> String {
        let text = derived.to_string();
        if text.len() <= MOST_BYTES {
            return text;
        }
        let name = derived.private_name(&store::Digest::of(text.as_bytes()).short());
        self.private.insert(name.clone(), derived.clone());
        name
    }
}

impl<'a> Declare<'a> {
    /// Adds to what was made.
    pub fn new(world: World<'a>, made: Made) -> Self {
        Self { world, made }
    }

    fn closed(&mut self, spec: Spec) -> Closed {
        let closed = Closed::from(spec);
        let kept = self.made.specs.entry((closed.kind(), closed.digest()));
        kept.or_insert(closed).clone()
    }

    fn node(&mut self, name: &str, spec: Spec, inputs: &[(Slot, NodeId, Output)]) -> NodeId {
        let (name, spec) = (name.into(), self.closed(spec));
        self.made.graph.add(Node { name, spec }, inputs)
    }

    fn shared(
        &mut self,
        kind: Kind,
        name: &str,
        make: impl FnOnce(&mut Self) -> Result<(Spec, Inputs), GraphError>,
    ) -> Result<NodeId, GraphError> {
        if let Some(id) = self.made.shared.get(&(kind, name.to_owned())) {
            return Ok(*id);
        }
        let (spec, inputs) = make(self)?;
        let id = self.node(name, spec, &inputs);
        self.made.shared.insert((kind, name.to_owned()), id);
        Ok(id)
    }

    /// What a pin or a tarball's own digest says.
    fn fetch(&mut self, name: &str) -> Result<NodeId, GraphError> {
        self.shared(Kind::Fetch, name, |this| {
            let spec = this.fetch_spec(name);
            let spec = spec.ok_or_else(|| dangling(Kind::Fetch, name))?;
            Ok((Spec::Fetch(spec), Vec::new()))
        })
    }

    fn fetch_spec(&self, name: &str) -> Option<FetchSpec> {
        let sources = &self.world.catalog.sources;
        let source = || sources.get(name.strip_prefix("source/")?);
        if let Some(pin) = self.world.lock.pins.get(name) {
            let depth = match source().map(|source| &source.origin) {
                Some(SourceOrigin::Git(git)) => git.depth,
                _ => 1,
            };
            return Some(fetch_pin(pin, depth));
        }
        origin(&source()?.origin).fetch()
    }

    fn source(&mut self, name: &str) -> Result<NodeId, GraphError> {
        self.shared(Kind::Source, name, |this| {
            let source = this.world.catalog.sources.get(name);
            let source = source.ok_or_else(|| dangling(Kind::Source, name))?;
            let spec = SourceSpec {
                form: origin(&source.origin).form(),
                version: source.version.clone(),
                patches: source.patches.clone(),
            };
            let fetch = this.fetch(&format!("source/{name}"))?;
            let inputs = vec![(Slot::Files, fetch, Output::Files)];
            Ok((Spec::Source(spec), inputs))
        })
    }

    fn base(&mut self, name: &str) -> Result<NodeId, GraphError> {
        self.shared(Kind::Base, name, |this| {
            let base = this.world.catalog.bases.get(name);
            let origin = base
                .ok_or_else(|| dangling(Kind::Base, name))?
                .origin
                .clone();
            let fetch = this.fetch(&format!("base/{name}"))?;
            let inputs = vec![(Slot::Files, fetch, Output::Files)];
            let keys = this.pinned_keys(&format!("base/{name}"));
            Ok((Spec::Base(BaseSpec { origin, keys }), inputs))
        })
    }

    fn pinned_keys(&self, pin: &str) -> Option<String> {
        self.world.lock.pins.get(pin)?.keys.clone()
    }

    fn image(&mut self, name: &str) -> Result<NodeId, GraphError> {
        self.shared(Kind::Image, name, |this| {
            let catalog = this.world.catalog;
            let image = catalog.images.get(name);
            let base = image.and_then(|image| catalog.bases.get(&image.base));
            let (Some(image), Some(base)) = (image, base) else {
                return Err(dangling(Kind::Image, name));
            };
            let spec = ImageSpec {
                family: base.origin.family(),
                packages: image.packages.clone(),
                settings: family(base.origin.family()).settings(&base.origin),
                keys: this.pinned_keys(&format!("image/{name}")),
                user: USER.to_owned(),
                uid: this.world.worker.uid,
                gid: this.world.worker.gid,
            };
            let base = this.base(&image.base)?;
            let fetch = this.fetch(&format!("image/{name}"))?;
            let inputs = vec![
                (Slot::Base, base, Output::Tar),
                (Slot::Files, fetch, Output::Files),
            ];
            Ok((Spec::Image(spec), inputs))
        })
    }

    /// Adds config, kernel and match node of a build; gives the last.
    pub fn build(&mut self, name: &str) -> Result<NodeId, GraphError> {
        let catalog = self.world.catalog;
        let names: Vec<&str> = name.split('/').collect();
        let private = names.get(2).and_then(|name| self.made.private.get(*name));
        let build = match (private, &names[..]) {
            (Some(derived), [source, arch, _, toolchain]) => {
                catalog.build_of(source, arch, derived, toolchain)
            }
            _ => catalog.build(name),
        };
        let build = build.map_err(|source| GraphError::NoBuild {
            address: name.to_owned(),
            source,
        })?;
        let toolchain = build.toolchain;
        let source = name.split('/').next().unwrap_or_default();
        let source = (Slot::Source, self.source(source)?, Output::Tar);
        let image = (Slot::Image, self.image(&build.image)?, Output::Tar);
        let mut inputs = vec![source, image];
        if let Some((native, _)) = toolchain.accelerator(catalog) {
            inputs.push((Slot::Native, self.image(&native.image)?, Output::Tar));
        }
        let accelerate = accelerate(toolchain, catalog);
        let kconfig = self.kconfig(name, &build, accelerate.clone(), &inputs)?;
        let spec = Spec::Config(config_spec(&build, accelerate.clone()));
        let mut of_config = inputs.clone();
        of_config.push((Slot::Kconfig, kconfig, Output::Tar));
        if let Some(parent) = &build.parent {
            let config = self.parent(Kind::Config, name, parent)?;
            of_config.push((Slot::Parent, config, Output::Config));
        }
        if let Some(measured) = &build.measured {
            let kernel = self.parent(Kind::Kernel, name, measured)?;
            of_config.push((Slot::Objects, kernel, Output::Objects));
        }
        let config = self.node(name, spec, &of_config);
        let config = (Slot::Config, config, Output::Config);
        inputs.push(config);
        let spec = Spec::Kernel(kernel_spec(&build, accelerate));
        let kernel = self.node(name, spec, &inputs);
        let catalog = self.world.catalog;
        let matching = self
            .made
            .matching
            .get_or_insert_with(|| Spec::Match(match_spec(catalog)).into());
        let node = Node {
            name: name.into(),
            spec: matching.clone(),
        };
        let id = self.made.graph.add(node, &[config]);
        let build = [
            (Kind::Config, config.1),
            (Kind::Kernel, kernel),
            (Kind::Match, id),
        ];
        let shared = build.map(|(kind, id)| ((kind, name.to_owned()), id));
        self.made.shared.extend(shared);
        Ok(id)
    }

    /// A node of the build that another is a mutant of: the address with another configuration.
    fn parent(&mut self, kind: Kind, name: &str, parent: &Derived) -> Result<NodeId, GraphError> {
        let mut names: Vec<String> = name.split('/').map(str::to_owned).collect();
        if let Some(configuration) = names.get_mut(2) {
            *configuration = self.made.component(parent);
        }
        let node = (kind, names.join("/"));
        if !self.made.shared.contains_key(&node) {
            self.build(&node.1)?;
        }
        let found = self.made.shared.get(&node).copied();
        found.ok_or_else(|| dangling(kind, &node.1))
    }

    /// Shared by the builds of a source and toolchain, but for those in an image of their own.
    fn kconfig(
        &mut self,
        address: &str,
        build: &Build<'_>,
        accelerate: Option<Accelerate>,
        inputs: &Inputs,
    ) -> Result<NodeId, GraphError> {
        let names: Vec<&str> = address.split('/').collect();
        let name = match names[..] {
            [source, arch, _, toolchain] if build.image == build.toolchain.image => {
                format!("{source}/{arch}/{toolchain}")
            }
            _ => address.to_owned(),
        };
        self.shared(Kind::Kconfig, &name, |_| {
            let spec = KconfigSpec {
                kernel_arch: build.kernel_arch.to_owned(),
                make: build.toolchain.make_variables(),
                accelerate,
            };
            Ok((Spec::Kconfig(spec), inputs.clone()))
        })
    }

    fn rootfs(&mut self, rootfs: &str, suite: &Suite) -> Result<NodeId, GraphError> {
        let name = format!("{rootfs}/{}", suite.name);
        self.shared(Kind::Rootfs, &name, |this| {
            let catalog = this.world.catalog;
            let rootfs = catalog.rootfses.get(rootfs);
            let toolchain = rootfs.and_then(|rootfs| catalog.toolchains.get(&rootfs.toolchain));
            let (Some(rootfs), Some(toolchain)) = (rootfs, toolchain) else {
                return Err(dangling(Kind::Rootfs, &name));
            };
            let spec = RootfsSpec {
                cc: toolchain.c_compiler(),
                abi: rootfs.abi,
                init: rootfs.init.text.clone(),
                suite: suite.program.as_ref().map(|program| program.text.clone()),
                shell: suite
                    .program
                    .is_none()
                    .then(|| rootfs.shell.clone())
                    .flatten(),
                libc: rootfs.libc.as_ref().map(|libc| libc.text.clone()),
                format: rootfs.format,
            };
            let image = this.image(&toolchain.image)?;
            let inputs = vec![(Slot::Image, image, Output::Tar)];
            Ok((Spec::Rootfs(spec), inputs))
        })
    }

    /// What is known of a boot; nothing where no lab here boots the board.
    fn boot(&mut self, board: &Board, suite: &str) -> Result<Option<Boot>, GraphError> {
        let declared = self.world.catalog.suites.get(suite);
        let suite =
            declared.ok_or_else(|| dangling(Kind::Boot, &format!("{}/{suite}", board.name)))?;
        let rootfs = self.rootfs(&board.rootfs, suite)?;
        let format = self.world.catalog.rootfses.get(&board.rootfs);
        let format = format.map(|rootfs| rootfs.format).unwrap_or_default();
        let qemu = self.qemu_boot(board, suite)?;
        let lava = self.lava_boot(board, suite)?;
        if qemu.is_none() && lava.is_none() {
            return Ok(None);
        }
        Ok(Some(Boot {
            suite: suite.name.clone(),
            rootfs,
            root: match format {
                RootfsFormat::Initramfs => (Slot::Initrd, Output::Initrd),
                RootfsFormat::Ext2 => (Slot::Disk, Output::Disk),
                RootfsFormat::Tar => (Slot::Nfsroot, Output::Nfsroot),
            },
            qemu,
            lava,
        }))
    }

    /// A boot in QEMU on this machine, which is a lab unless others alone are declared.
    fn qemu_boot(&mut self, board: &Board, suite: &Suite) -> Result<Option<QemuBoot>, GraphError> {
        let mut labs = self.world.catalog.labs.values();
        let here = labs.len() == 0 || labs.any(|lab| lab.kind == LabKind::Qemu);
        let machine = board
            .qemu
            .as_ref()
            .filter(|_| here && suite.program.is_some());
        let Some(machine) = machine else {
            return Ok(None);
        };
        let image = board.qemu_image.as_ref();
        let image = image.map(|image| self.image(image)).transpose()?;
        let version = match image {
            Some(_) => None,
            None => self.world.worker.qemus.get(&machine.binary).cloned(),
        };
        let boot = BootSpec {
            machine: machine.clone(),
            version: version.clone(),
            accel: board.accel,
            silence_secs: suite.silence_secs,
            total_secs: suite.total_secs,
            judging: suite.judging.clone(),
        };
        let probe = (board.accel == Accel::Kvm).then(|| self.probe(machine, version));
        Ok(Some(QemuBoot {
            spec: self.closed(Spec::Boot(boot)),
            dtbs: !machine.dtb.is_empty(),
            image,
            probe,
        }))
    }

    /// A boot in a LAVA lab, where one that may boot the board is declared.
    fn lava_boot(&mut self, board: &Board, suite: &Suite) -> Result<Option<LavaBoot>, GraphError> {
        let mut labs = self.world.catalog.labs.values();
        let may = |device: &LavaDevice| {
            labs.any(|lab| {
                let named = device.labs.is_empty() || device.labs.contains(&lab.name);
                named && matches!(lab.kind, LabKind::Lava(_))
            })
        };
        let Some(device) = board.lava.clone().filter(may) else {
            return Ok(None);
        };
        let initrd = device.initrd.clone();
        let nbd = initrd
            .map(|rootfs| self.rootfs(&rootfs, suite))
            .transpose()?;
        let by_qemu = device.method == LavaMethod::Qemu;
        Ok(Some(LavaBoot {
            dtbs: !device.dtb.is_empty(),
            modules: device.modules,
            nbd,
            spec: self.closed(Spec::Lava(LavaSpec {
                device,
                machine: board.qemu.clone().filter(|_| by_qemu),
                tests: suite.definitions.clone(),
                silence_secs: suite.silence_secs,
                total_secs: suite.total_secs,
                judging: suite.judging.clone(),
            })),
        }))
    }

    fn probe(&mut self, machine: &QemuMachine, version: Option<String>) -> Closed {
        self.closed(Spec::Probe(ProbeSpec {
            machine: machine.clone(),
            version,
            host: self.world.worker.host.clone(),
            limit_secs: PROBE_SECS,
        }))
    }
}

fn config_spec(build: &Build<'_>, accelerate: Option<Accelerate>) -> ConfigSpec {
    ConfigSpec {
        kernel_arch: build.kernel_arch.to_owned(),
        make: build.toolchain.make_variables(),
        recipe: build.recipe.clone(),
        fixups: build.fixups.clone(),
        accelerate,
    }
}

fn kernel_spec(build: &Build<'_>, accelerate: Option<Accelerate>) -> KernelSpec {
    KernelSpec {
        kernel_arch: build.kernel_arch.to_owned(),
        make: build.toolchain.make_variables(),
        image: build.kernel_image.to_owned(),
        targets: build.make_targets.to_vec(),
        signing_key: build.signing_key.map(str::to_owned),
        accelerate,
    }
}

fn accelerate(toolchain: &Toolchain, catalog: &Catalog) -> Option<Accelerate> {
    let (native, prefix) = toolchain.accelerator(catalog)?;
    let base = &native.base(catalog)?.origin;
    let family = family(base.family());
    let host = family.abi(base.arch())?;
    Some(Accelerate {
        prefix: prefix.to_owned(),
        native: host,
        emulated: abi_of(toolchain, toolchain.base(catalog)?)?,
        libraries: family.libraries(host)?,
    })
}

fn match_spec(catalog: &Catalog) -> MatchSpec {
    let boards = catalog.boards.values().map(|board| {
        let needs = BoardNeeds {
            requires: board.requires.clone(),
            abi: catalog.abi(board),
        };
        (board.name.clone(), needs)
    });
    MatchSpec {
        matcher: MATCHER_REVISION,
        boards: boards.collect(),
    }
}

fn dangling(kind: Kind, name: &str) -> GraphError {
    GraphError::Dangling {
        kind,
        name: name.to_owned(),
    }
}
