//! The graph as DOT, each node coloured by where it stands; a large one by kind.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::graph::DotOptions;
use crate::graph::NodeId;
use crate::graph::Slot;
use crate::plan::Progress;
use crate::plan::State;
use crate::spec::Kind;

/// A graph to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// The text of a `digraph`.
    pub dot: String,
    /// How many nodes it stands for.
    pub nodes: usize,
    /// Whether one box is drawn per kind, as the nodes are more than the limit.
    pub collapsed: bool,
}

/// Draws the nodes that `include` accepts, or one box per kind where they are more than `limit`.
pub fn draw(progress: &Progress<'_>, include: &dyn Fn(NodeId) -> bool, limit: usize) -> Drawing {
    let graph = progress.graph();
    let nodes = graph.ids().filter(|id| include(*id)).count();
    let collapsed = nodes > limit;
    let dot = if collapsed {
        by_kind(progress, include)
    } else {
        let colour = |id| colour(progress.state(id));
        graph.to_dot(&DotOptions {
            include,
            colour: &colour,
        })
    };
    Drawing {
        dot,
        nodes,
        collapsed,
    }
}

fn colour(state: &State) -> &'static str {
    match state {
        State::Unwanted => "white",
        State::Waiting => "lightyellow",
        State::Stale { .. } => "gold",
        State::Done { .. } => "palegreen",
        State::Failed { .. } => "lightcoral",
        State::Broken { .. } => "orange",
        State::Skipped { .. } => "lightgray",
    }
}

/// One box per kind with the count of its nodes, one edge per pair of kinds and slot.
fn by_kind(progress: &Progress<'_>, include: &dyn Fn(NodeId) -> bool) -> String {
    let graph = progress.graph();
    let mut boxes: BTreeMap<Kind, [usize; 2]> = BTreeMap::new();
    let mut edges: BTreeMap<(Kind, Kind, Slot), usize> = BTreeMap::new();
    for id in graph.ids().filter(|id| include(*id)) {
        let kind = graph.node(id).kind();
        let [all, fresh] = boxes.entry(kind).or_default();
        *all += 1;
        *fresh += usize::from(matches!(progress.state(id), State::Done { .. }));
        for (input, from) in graph.inputs(id).filter(|(_, from)| include(*from)) {
            *edges
                .entry((graph.node(from).kind(), kind, input.slot))
                .or_default() += 1;
        }
    }
    let mut text = String::from("digraph engine {\n  rankdir=LR;\n  node [shape=box];\n");
    for (kind, [all, fresh]) in boxes {
        let colour = if fresh == all {
            "palegreen"
        } else {
            "lightyellow"
        };
        let _ = writeln!(
            text,
            "  {kind} [label=\"{kind}\\n{all} nodes, {fresh} fresh\", style=filled, fillcolor={colour}];"
        );
    }
    for ((from, to, slot), count) in edges {
        let _ = writeln!(
            text,
            "  {from} -> {to} [label=\"{} ({count})\"];",
            slot.word()
        );
    }
    text.push_str("}\n");
    text
}
