//! What a script asks for, as nodes of a running graph; what became of them, as values.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use store::Digest;
use store::Store;

use super::super::DriveError;
use super::asked::Graph;
use super::asked::Over;
use super::tally::Culprits;
use crate::eval::Coverage;
use crate::eval::Culprit;
use crate::eval::Explorer;
use crate::eval::Outcome;
use crate::eval::Random;
use crate::eval::Refusal;
use crate::eval::Thing;
use crate::graph::GraphError;
use crate::graph::NodeId;
use crate::graph::Output;
use crate::kconfig::Config;
use crate::kconfig::Value;
use crate::model::BuildError;
use crate::model::Catalog;
use crate::model::Derived;
use crate::model::Mutation;
use crate::plan::State;
use crate::plan::matched;
use crate::recipe::Tools;
use crate::spec::Kind;
use crate::text::did_you_mean;

/// How much an exploration may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Until the script's end.
    Endless,
    /// So long.
    Time(Duration),
    /// So many kernels that had no result before.
    Builds(usize),
}

/// How often the state of the whole is told.
const EVERY: Duration = Duration::from_secs(30);
/// Longer than this no configuration takes: where none was decided for longer, none was asked for.
const PAUSE: Duration = Duration::from_secs(2);
/// A configuration that was asked for.
pub(super) struct AskedConfig {
    pub source: String,
    pub arch: String,
    pub toolchain: String,
    pub derived: Derived,
    pub address: String,
    pub config: NodeId,
    pub matching: NodeId,
    /// A minimisation asked for it, and the script did not.
    pub probe: bool,
    pub resolved: OnceCell<Option<Arc<Config>>>,
}

/// A build or a boot that was asked for.
pub(super) struct AskedNode {
    /// What it is made of: a configuration, or a build.
    pub of: usize,
    pub address: String,
    pub node: NodeId,
    /// A minimisation asked for it, and the script did not.
    pub probe: bool,
}

/// The explorer of one run.
pub(super) struct Driver(Mutex<Inner>);

pub(super) struct Inner {
    pub graph: Graph,
    pub store: Arc<Store>,
    pub catalog: Arc<Catalog>,
    pub tools: Arc<Tools>,
    pub budget: Budget,
    pub start: Instant,
    told: Instant,
    last_told: String,
    /// Random configurations that are asked for ahead of the script.
    pub ahead: usize,
    pub last: Option<Random>,
    /// Why nothing more is asked for.
    pub ended: Option<&'static str>,
    pub configs: Vec<AskedConfig>,
    pub builds: Vec<AskedNode>,
    pub boots: Vec<AskedNode>,
    pub by_address: BTreeMap<(Kind, String), usize>,
    /// When the last configuration was decided that had no result before.
    pub decided: Instant,
    /// How long it took to decide those, without the time in which none was.
    pub deciding: Duration,
    pub culprits: Vec<Culprits>,
    /// Whether a minimisation asks.
    pub probing: bool,
    /// Symbols that are on in what was asked to be built, by source and arch; and how many builds were looked at for it.
    pub built: BTreeMap<(String, String), BTreeSet<String>>,
    pub surveyed: usize,
}

impl Driver {
    pub(super) fn new(
        graph: Graph,
        store: Arc<Store>,
        catalog: Arc<Catalog>,
        tools: Arc<Tools>,
        budget: Budget,
    ) -> Self {
        let now = Instant::now();
        Self(Mutex::new(Inner {
            graph,
            store,
            catalog,
            ahead: 2 * tools.make_jobs,
            tools,
            budget,
            start: now,
            told: now,
            last_told: String::new(),
            last: None,
            ended: None,
            configs: Vec::new(),
            builds: Vec::new(),
            boots: Vec::new(),
            by_address: BTreeMap::new(),
            decided: now,
            deciding: Duration::ZERO,
            culprits: Vec::new(),
            probing: false,
            built: BTreeMap::new(),
            surveyed: 0,
        }))
    }

    /// What was asked for. Only the script's thread asks, so nobody waits for it.
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Over> for Refusal {
    fn from(_: Over) -> Self {
        Self::Over
    }
}

pub(super) fn mistake(message: impl Into<String>) -> Refusal {
    Refusal::Mistake {
        message: message.into(),
        help: None,
    }
}

pub(super) fn misnamed<'n>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n String> + Clone,
) -> Refusal {
    let similar = did_you_mean(name, known.clone().map(String::as_str));
    let help = similar.map_or_else(
        || {
            known
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        },
        |similar| format!("did you mean `{similar}`?"),
    );
    Refusal::Mistake {
        message: format!("there is no {what} `{name}`"),
        help: Some(help),
    }
}

/// An address that is no build's is the script's mistake.
pub(super) fn refused(error: DriveError) -> Refusal {
    match error {
        DriveError::Graph(GraphError::NoBuild { address, source }) => {
            let help = match &source {
                BuildError::Unknown { similar, .. } => similar.clone(),
                _ => None,
            };
            Refusal::Mistake {
                message: format!("`{address}` is no build: {source}"),
                help: help.map(|similar| format!("did you mean `{similar}`?")),
            }
        }
        error => mistake(error.to_string()),
    }
}

impl Inner {
    /// Waits until a node is settled, telling now and then how far the whole is.
    pub(super) fn wait(&mut self, id: NodeId) -> Result<State, Over> {
        self.graph.ask(id)?;
        loop {
            self.look()?;
            if let Some(state) = self.graph.state(id) {
                return Ok(state.clone());
            }
            if let Some(settled) = self.graph.next()? {
                let (kind, _) = self.graph.name(settled);
                let made = matches!(
                    self.graph.state(settled),
                    Some(State::Done { cached: false, .. })
                );
                if kind == Kind::Match && made {
                    self.deciding += self.decided.elapsed().min(PAUSE);
                    self.decided = Instant::now();
                }
            }
        }
    }

    /// Ends the run when the time is over; tells how far it is every now and then.
    pub(super) fn look(&mut self) -> Result<(), Over> {
        if self.ended.is_some() {
            return Err(Over);
        }
        if let Budget::Time(most) = self.budget
            && self.start.elapsed() >= most
        {
            let reason = "the time of the budget is used up";
            self.ended = Some(reason);
            self.graph.stop(reason);
            return Err(Over);
        }
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            let line = self.headline();
            if line != self.last_told {
                self.graph.note(&line);
                self.last_told = line;
            }
        }
        Ok(())
    }

    /// A configuration that was asked for before, or is new.
    pub(super) fn asked_config(
        &mut self,
        source: &str,
        arch: &str,
        derived: &Derived,
        toolchain: &str,
    ) -> Result<usize, Refusal> {
        let component = self.graph.component(derived);
        let address = format!("{source}/{arch}/{component}/{toolchain}");
        let key = (Kind::Config, address.clone());
        if let Some(index) = self.by_address.get(&key) {
            self.configs[*index].probe &= self.probing;
            return Ok(*index);
        }
        let mut node = |kind| self.graph.build(kind, &address).map_err(refused);
        let (config, matching) = (node(Kind::Config)?, node(Kind::Match)?);
        let index = self.configs.len();
        self.by_address.insert(key, index);
        self.configs.push(AskedConfig {
            source: source.to_owned(),
            arch: arch.to_owned(),
            toolchain: toolchain.to_owned(),
            derived: derived.clone(),
            address,
            config,
            matching,
            probe: self.probing,
            resolved: OnceCell::new(),
        });
        Ok(index)
    }

    /// Asks for a configuration and its boards.
    fn ask_config(&mut self, index: usize) -> Result<(Thing, String), Refusal> {
        self.look()?;
        let (config, address) = (&self.configs[index], self.configs[index].address.clone());
        let (node, matching) = (config.config, config.matching);
        // What is not asked for itself is not told of.
        self.graph.ask(node)?;
        self.graph.ask(matching)?;
        Ok((Thing::Config(index), address))
    }

    /// The resolved .config of a configuration.
    pub(super) fn resolved(&mut self, index: usize) -> Result<Option<Arc<Config>>, Refusal> {
        if self.configs[index].resolved.get().is_none() {
            self.wait(self.configs[index].config)?;
        }
        self.settled(index)
    }

    /// The same, if it has ended.
    pub(super) fn settled(&self, index: usize) -> Result<Option<Arc<Config>>, Refusal> {
        let asked = &self.configs[index];
        if let Some(resolved) = asked.resolved.get() {
            return Ok(resolved.clone());
        }
        let Some(state) = self.graph.state(asked.config) else {
            return Ok(None);
        };
        let resolved = match content(state, Output::Config) {
            None => None,
            Some(digest) => {
                let text = self
                    .store
                    .read(&digest)
                    .map_err(|error| mistake(error.to_string()))?;
                let config = Config::parse(&String::from_utf8_lossy(&text));
                Some(Arc::new(
                    config.map_err(|error| mistake(error.to_string()))?,
                ))
            }
        };
        Ok(asked.resolved.get_or_init(|| resolved).clone())
    }

    /// The boards that fit a configuration; of one that could not be resolved, none.
    pub(super) fn matching(&mut self, index: usize) -> Result<Vec<String>, Refusal> {
        let state = self.wait(self.configs[index].matching)?;
        let State::Done { key, .. } = state else {
            return Ok(Vec::new());
        };
        let record = self
            .store
            .record(&key)
            .map_err(|error| mistake(error.to_string()))?;
        let facts = record.map(|record| record.facts).unwrap_or_default();
        let found = matched(&self.configs[index].address, &facts);
        Ok(found.map_err(|error| mistake(error.to_string()))?.boards)
    }

    /// The node that a thing's outcome is that of.
    pub(super) fn node(&self, thing: Thing) -> NodeId {
        match thing {
            Thing::Config(index) => self.configs[index].config,
            Thing::Build(index) => self.builds[index].node,
            Thing::Boot(index) => self.boots[index].node,
        }
    }

    /// The address of a thing.
    pub(super) fn address(&self, thing: Thing) -> &str {
        match thing {
            Thing::Config(index) => &self.configs[index].address,
            Thing::Build(index) => &self.builds[index].address,
            Thing::Boot(index) => &self.boots[index].address,
        }
    }
}

/// A node's output, if it is done.
pub(super) fn content(state: &State, wanted: Output) -> Option<Digest> {
    let State::Done { content, .. } = state else {
        return None;
    };
    let mut content = content.iter();
    content
        .find(|(output, _)| *output == wanted)
        .map(|(_, digest)| *digest)
}

impl Explorer for Driver {
    fn randconfig(&self, random: Random) -> Result<(Thing, String), Refusal> {
        let mut inner = self.inner();
        let (source, arch, derived, toolchain) = inner.random(&random)?;
        let index = inner.asked_config(&source, &arch, &derived, &toolchain)?;
        let asked = inner.ask_config(index)?;
        inner.look_ahead(&random);
        Ok(asked)
    }

    fn config(&self, address: &str) -> Result<(Thing, String), Refusal> {
        let mut inner = self.inner();
        let names: Vec<&str> = address.split('/').collect();
        let [source, arch, configuration, toolchain] = names[..] else {
            return Err(mistake(format!(
                "`{address}` is no build: {}",
                BuildError::Components
            )));
        };
        let derived = if Derived::is_meant(configuration) {
            configuration
                .parse()
                .map_err(|error| mistake(format!("`{address}` is no build: {error}")))?
        } else {
            Derived::declared(configuration)
        };
        let index = inner.asked_config(source, arch, &derived, toolchain)?;
        inner.ask_config(index)
    }

    fn with(
        &self,
        config: Thing,
        symbols: BTreeMap<String, Value>,
    ) -> Result<(Thing, String), Refusal> {
        self.derived(config, |derived| {
            if !derived.mutations.is_empty() {
                return Err(mistake(
                    "a mutant takes no symbols: set them before it is made",
                ));
            }
            derived.symbols.extend(symbols);
            Ok(())
        })
    }

    fn mutate(&self, config: Thing, mutation: Mutation) -> Result<(Thing, String), Refusal> {
        self.derived(config, |derived| {
            derived.mutations.push(mutation);
            Ok(())
        })
    }

    fn resolved(&self, config: Thing) -> Result<Option<Arc<Config>>, Refusal> {
        self.inner().resolved(index(config))
    }

    fn matching(&self, config: Thing) -> Result<Vec<String>, Refusal> {
        self.inner().matching(index(config))
    }

    fn build(&self, config: Thing) -> Result<(Thing, String), Refusal> {
        let mut inner = self.inner();
        let build = inner.ask_build(index(config))?;
        Ok((Thing::Build(build), inner.builds[build].address.clone()))
    }

    fn boot(
        &self,
        build: Thing,
        board: Option<&str>,
        suite: Option<&str>,
    ) -> Result<(Thing, String), Refusal> {
        let mut inner = self.inner();
        let boot = inner.ask_boot(index(build), board, suite)?;
        Ok((Thing::Boot(boot), inner.boots[boot].address.clone()))
    }

    fn outcome(&self, thing: Thing) -> Result<Outcome, Refusal> {
        let mut inner = self.inner();
        let node = inner.node(thing);
        inner.outcome(node)
    }

    fn minimize(&self, failed: Thing, baseline: Thing) -> Result<Vec<Culprit>, Refusal> {
        self.inner().minimize(failed, index(baseline))
    }

    fn gain(&self, config: Thing) -> Result<usize, Refusal> {
        self.inner().gain(index(config))
    }

    fn coverage(&self, arch: &str) -> Result<Coverage, Refusal> {
        self.inner().covered(arch)
    }

    fn say(&self, line: &str) {
        self.inner().graph.note(line);
    }
}

impl Driver {
    /// A configuration that is made from another.
    fn derived(
        &self,
        config: Thing,
        change: impl FnOnce(&mut Derived) -> Result<(), Refusal>,
    ) -> Result<(Thing, String), Refusal> {
        let mut inner = self.inner();
        let asked = &inner.configs[index(config)];
        let (source, arch, toolchain) = (
            asked.source.clone(),
            asked.arch.clone(),
            asked.toolchain.clone(),
        );
        let mut derived = asked.derived.clone();
        change(&mut derived)?;
        let index = inner.asked_config(&source, &arch, &derived, &toolchain)?;
        inner.ask_config(index)
    }
}

/// The explorer's number of a thing.
pub(super) fn index(thing: Thing) -> usize {
    match thing {
        Thing::Config(index) | Thing::Build(index) | Thing::Boot(index) => index,
    }
}
