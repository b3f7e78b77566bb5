//! What an exploration has come to, at any moment.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use store::Digest;
use store::Records;

use super::coverage::on;
use super::driver::AskedNode;
use super::driver::Budget;
use super::driver::Inner;
use super::driver::content;
use super::tally::Exploration;
use super::tally::Stage;
use super::tally::shared;
use crate::eval::Coverage;
use crate::eval::Refusal;
use crate::graph::NodeId;
use crate::graph::Output;
use crate::plan::State;
use crate::text::counted;
use crate::text::duration;

impl Inner {
    /// Waits for all that the script asked for.
    pub(super) fn finish(&mut self) -> Result<(), Refusal> {
        // What a minimisation tried has said what it had to.
        let configs = self.configs.iter().filter(|config| !config.probe);
        let builds = self.builds.iter().chain(&self.boots);
        let builds = builds.filter(|asked| !asked.probe);
        let nodes: Vec<NodeId> = configs
            .map(|config| config.config)
            .chain(builds.map(|asked| asked.node))
            .collect();
        // What was begun ends also where the budget has no room for more.
        let ended = self.ended.take();
        for node in nodes {
            self.outcome(node)?;
        }
        self.ended = ended;
        Ok(())
    }

    /// One line on how far it is.
    pub(super) fn headline(&self) -> String {
        let decided = self
            .configs
            .iter()
            .filter(|config| self.graph.state(config.matching).is_some());
        let (decided, tried) = (decided.count(), self.configs.len());
        let (builds, boots) = (self.stage(&self.builds), self.stage(&self.boots));
        let ended = |stage: Stage| stage.all() - stage.open;
        let failed = builds.failed + builds.flaky + boots.failed + boots.flaky;
        let mut line = format!(
            "exploration: {decided} of {tried} configs decided, {} of {} built, {} of {} booted",
            ended(builds),
            builds.all(),
            ended(boots),
            boots.all(),
        );
        if failed > 0 {
            let clusters = counted(self.clusters(None).len(), "cluster", "clusters");
            line = format!("{line}, {failed} failed in {clusters}");
        }
        let elapsed = self.start.elapsed();
        match self.budget {
            Budget::Endless => {}
            Budget::Builds(most) => line = format!("{line}; a budget of {most} builds"),
            Budget::Time(most) => {
                let left = most.saturating_sub(elapsed);
                let done = real(ended(builds).saturating_sub(builds.cached));
                let more = done * left.as_secs_f64() / elapsed.as_secs_f64().max(1.0);
                let left = duration(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
                line = format!("{line}; {left} left, about {more:.0} builds more");
            }
        }
        line
    }

    fn stage(&self, asked: &[AskedNode]) -> Stage {
        let mut stage = Stage::default();
        for asked in asked.iter().filter(|asked| !asked.probe) {
            let told = self.told(asked.node);
            stage.count(told.verdict);
            match self.graph.state(asked.node) {
                Some(State::Done { cached: true, .. } | State::Failed { cached: true, .. }) => {
                    stage.cached += 1;
                }
                Some(State::Done { duration_ms, .. } | State::Failed { duration_ms, .. }) => {
                    stage.ms += duration_ms;
                }
                _ => {}
            }
        }
        stage
    }

    /// How many symbols are on in a configuration that are on in none of those that were asked to be built before.
    pub(super) fn gain(&mut self, index: usize) -> Result<usize, Refusal> {
        let Some(config) = self.resolved(index)? else {
            return Ok(0);
        };
        let place = |index: usize, inner: &Self| {
            let config = &inner.configs[index];
            (config.source.clone(), config.arch.clone())
        };
        let of = place(index, self);
        for build in self.surveyed..self.builds.len() {
            let built = self.builds[build].of;
            if let Some(config) = self.resolved(built)? {
                let symbols = on(&config).map(str::to_owned);
                self.built
                    .entry(place(built, self))
                    .or_default()
                    .extend(symbols);
            }
        }
        self.surveyed = self.builds.len();
        let built = self.built.get(&of);
        let new = |symbol: &&str| built.is_none_or(|built| !built.contains(*symbol));
        Ok(on(&config).filter(new).count())
    }

    /// How much of an arch the builds and boots that were asked for cover, once they have ended.
    pub(super) fn covered(&mut self, arch: &str) -> Result<Coverage, Refusal> {
        let asked = self.builds.iter().chain(&self.boots);
        let nodes: Vec<NodeId> = asked.map(|asked| asked.node).collect();
        for node in nodes {
            self.wait(node)?;
        }
        for build in 0..self.builds.len() {
            self.resolved(self.builds[build].of)?;
        }
        Ok(self.covers(arch))
    }

    /// How much of an arch what has ended covers.
    fn covers(&self, arch: &str) -> Coverage {
        let mut built = BTreeSet::new();
        let mut booted = BTreeSet::new();
        let mut objects = BTreeSet::new();
        let done = |asked: &AskedNode, of: usize| match self.graph.state(asked.node) {
            Some(State::Done { key, .. }) if self.configs[of].arch == arch => {
                let config = self.settled(of).ok().flatten();
                config.map(|config| (*key, config))
            }
            _ => None,
        };
        for build in &self.builds {
            if let Some((key, config)) = done(build, build.of) {
                built.extend(on(&config).map(str::to_owned));
                objects.extend(super::coverage::objects(&self.store, &key));
            }
        }
        for boot in &self.boots {
            if let Some((_, config)) = done(boot, self.builds[boot.of].of) {
                booted.extend(on(&config).map(str::to_owned));
            }
        }
        Coverage {
            built: built.len(),
            booted: booted.len(),
            objects: objects.len(),
        }
    }

    /// How many of these have the result of another.
    fn shared(&self, asked: &[AskedNode]) -> usize {
        let asked = asked.iter().filter(|asked| !asked.probe);
        shared(asked.filter_map(|asked| self.graph.state(asked.node)?.key()))
    }

    /// What it came to.
    pub(super) fn report(&self, script: &str, records: &Records) -> Exploration {
        let configs: Vec<_> = self.configs.iter().filter(|config| !config.probe).collect();
        let state = |node| self.graph.state(node);
        let digests = configs.iter().filter_map(|config| {
            let digest = content(state(config.config)?, Output::Config)?;
            Some((digest, config.matching))
        });
        let digests: BTreeMap<Digest, NodeId> = digests.collect();
        let fits = |node: &&NodeId| {
            let record = state(**node).and_then(State::key);
            let record = record.and_then(|key| self.store.record(&key).ok().flatten());
            let facts = record.map(|record| record.facts).unwrap_or_default();
            crate::plan::matched("", &facts).is_ok_and(|matched| !matched.boards.is_empty())
        };
        let made = |node| match state(node) {
            Some(
                State::Done {
                    cached: false,
                    duration_ms,
                    ..
                }
                | State::Failed {
                    cached: false,
                    duration_ms,
                    ..
                },
            ) => Some(*duration_ms),
            _ => None,
        };
        let cached = |node| {
            matches!(
                state(node),
                Some(State::Done { cached: true, .. } | State::Failed { cached: true, .. })
            )
        };
        let times: Vec<u64> = configs
            .iter()
            .filter_map(|config| made(config.config))
            .collect();
        // What was decided before anybody waited took as long as the longest at least.
        let longest = Duration::from_millis(times.iter().copied().max().unwrap_or(0).max(1));
        let deciding = self.deciding.max(longest).as_secs_f64();
        let decided = real(times.len()) * 60.0 / deciding;
        let of = self
            .builds
            .iter()
            .map(|build| &*self.configs[build.of].arch);
        let arches: BTreeSet<&str> = of.collect();
        Exploration {
            script: script.to_owned(),
            ended: self.ended.unwrap_or_default().to_owned(),
            wall_ms: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            tried: configs.len(),
            tried_cached: configs
                .iter()
                .filter(|config| cached(config.config))
                .count(),
            unresolved: configs
                .iter()
                .filter(|config| matches!(state(config.config), Some(State::Failed { .. })))
                .count(),
            matched: digests.values().filter(fits).count(),
            distinct: digests.len(),
            builds: self.stage(&self.builds),
            boots: self.stage(&self.boots),
            shared_builds: self.shared(&self.builds),
            shared_boots: self.shared(&self.boots),
            config_ms: times.iter().sum(),
            decided_a_minute: decided,
            clusters: self.clusters(Some(records)),
            culprits: self.culprits.clone(),
            coverage: arches
                .into_iter()
                .map(|arch| (arch.to_owned(), self.covers(arch)))
                .collect(),
        }
    }
}

/// A count to reckon with; what is beyond 32 bits is as much.
fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
