//! What a run still costs: estimates of nodes, the longest path that remains, the time that is left.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::graph::Node;
use crate::graph::NodeId;
use crate::plan::Progress;
use crate::plan::State;
use crate::recipe::Step;

/// What a node is expected to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Milliseconds.
    pub ms: u64,
    /// Whether something like it ran before; else it is a guess.
    pub known: bool,
    /// How many units it counted when it ran before, where it counted: see [`Step`].
    pub units: Option<u64>,
}

/// How far a run is, counted by what work costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// Nodes wanted.
    pub wanted: usize,
    /// Of these, settled ones.
    pub finished: usize,
    /// Milliseconds of work that are done, of what this run had to do.
    pub done_ms: u64,
    /// Milliseconds of work in all.
    pub total_ms: u64,
    /// Milliseconds until the end, about.
    pub left_ms: u64,
    /// Whether work counts whose like never ran.
    pub guessed: bool,
}

/// A node that runs.
pub(super) struct Underway {
    pub since: Instant,
    pub step: Step,
}

/// Estimates of one run's nodes.
pub(super) struct Forecast<'a> {
    estimate: &'a dyn Fn(&Node) -> Estimate,
    costs: Vec<Estimate>,
    /// Milliseconds from a node's start to the end of what follows from it.
    paths: Vec<u64>,
    /// What settled nodes of this run counted for.
    done_ms: u64,
}

impl<'a> Forecast<'a> {
    pub(super) fn new(estimate: &'a dyn Fn(&Node) -> Estimate) -> Self {
        Self {
            estimate,
            costs: Vec::new(),
            paths: Vec::new(),
            done_ms: 0,
        }
    }

    /// Takes in the nodes that are new since the last time.
    pub(super) fn update(&mut self, progress: &Progress<'_>) {
        let graph = progress.graph();
        let known = self.costs.len();
        if graph.len() == known {
            return;
        }
        for id in graph.ids().skip(known) {
            let open = !progress.state(id).is_settled();
            let cost = open.then(|| (self.estimate)(graph.node(id)));
            self.costs.push(cost.unwrap_or_default());
            self.paths.push(0);
        }
        // Ids are in topological order, so what follows from a node has been looked at before it.
        for id in graph.ids().rev().take(graph.len() - known) {
            self.raise(progress, id, 0);
        }
    }

    /// Makes the path of a node at least its own cost and `after`, and those of what it needs accordingly.
    fn raise(&mut self, progress: &Progress<'_>, id: NodeId, after: u64) {
        let mut raised = vec![(id, after)];
        while let Some((id, after)) = raised.pop() {
            let path = self.costs[id.index()].ms + after;
            // What is settled is never started again.
            if path > self.paths[id.index()] {
                self.paths[id.index()] = path;
                let inputs = progress.graph().inputs(id);
                raised.extend(
                    inputs
                        .filter(|(_, from)| !progress.state(*from).is_settled())
                        .map(|(_, from)| (from, path)),
                );
            }
        }
    }

    /// How many units a node is expected to count.
    pub(super) fn units(&self, id: NodeId) -> Option<u64> {
        self.costs.get(id.index())?.units
    }

    /// Milliseconds of the longest path that begins with a node.
    pub(super) fn path(&self, id: NodeId) -> u64 {
        self.paths.get(id.index()).copied().unwrap_or(0)
    }

    /// Counts a node that ran.
    pub(super) fn ran(&mut self, id: NodeId) {
        if let Some(cost) = self.costs.get_mut(id.index()) {
            self.done_ms += std::mem::take(cost).ms;
        }
    }

    /// How far the run is. Linear in the graph.
    pub(super) fn progress(
        &self,
        progress: &Progress<'_>,
        running: &BTreeMap<NodeId, Underway>,
        jobs: usize,
    ) -> RunProgress {
        let mut told = RunProgress {
            done_ms: self.done_ms,
            total_ms: self.done_ms,
            ..RunProgress::default()
        };
        let (mut work_ms, mut longest_ms) = (0, 0);
        for id in progress.wanted() {
            told.wanted += 1;
            let state = progress.state(id);
            if state.is_settled() {
                told.finished += 1;
                continue;
            }
            let cost = self.costs.get(id.index()).copied().unwrap_or_default();
            let mut left = cost.ms;
            let mut known = cost.known;
            if let (Some(underway), State::Stale { .. }) = (running.get(&id), state) {
                let (done, rest, counted) = underway.split(cost.ms);
                told.done_ms += done;
                told.total_ms += done;
                left = rest;
                known |= counted;
            }
            told.guessed |= !known && left > 0;
            told.total_ms += left;
            work_ms += left;
            let after = self.path(id).saturating_sub(cost.ms);
            longest_ms = longest_ms.max(left + after);
        }
        told.left_ms = longest_ms.max(work_ms / (jobs.max(1) as u64));
        told
    }
}

impl Underway {
    /// Milliseconds done and left of a node that was expected to take `cost`, and whether it counts itself.
    fn split(&self, cost: u64) -> (u64, u64, bool) {
        let elapsed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        match self.step.of {
            // The first units say little.
            Some(of) if of > 0 && self.step.done * 20 >= of => {
                let done = self.step.done.min(of);
                let left = u128::from(elapsed) * u128::from(of - done) / u128::from(done.max(1));
                (elapsed, u64::try_from(left).unwrap_or(u64::MAX), true)
            }
            _ => (elapsed.min(cost), cost.saturating_sub(elapsed), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn underway(elapsed_secs: u64, done: u64, of: Option<u64>) -> Underway {
        Underway {
            since: Instant::now()
                .checked_sub(Duration::from_secs(elapsed_secs))
                .unwrap(),
            step: Step {
                done,
                of,
                at: String::new(),
            },
        }
    }

    #[test]
    fn what_counts_itself_is_believed_over_the_history() {
        let seconds = |underway: &Underway, cost: u64| {
            let (done, left, counted) = underway.split(cost * 1000);
            (done / 1000, left / 1000, counted)
        };
        assert_eq!(seconds(&underway(30, 0, None), 100), (30, 70, false));
        assert_eq!(seconds(&underway(200, 0, None), 100), (100, 0, false));
        assert_eq!(seconds(&underway(30, 1, Some(100)), 100), (30, 70, false));
        assert_eq!(seconds(&underway(30, 50, Some(100)), 100), (30, 30, true));
        assert_eq!(seconds(&underway(30, 200, Some(100)), 100), (30, 0, true));
    }
}
