//! The graph as DOT, the input language of Graphviz.

use std::fmt::Write as _;

use super::Graph;
use super::NodeId;

/// What of a graph to draw, and how.
pub struct DotOptions<'a> {
    /// Which nodes.
    pub include: &'a dyn Fn(NodeId) -> bool,
    /// Fill colour of a node, such as `palegreen`.
    pub colour: &'a dyn Fn(NodeId) -> &'static str,
}

impl Graph {
    /// The text of a `digraph`, one node per line, edges from input to dependent.
    pub fn to_dot(&self, options: &DotOptions<'_>) -> String {
        let mut text = String::from("digraph engine {\n  rankdir=LR;\n  node [shape=box];\n");
        for id in self.ids().filter(|id| (options.include)(*id)) {
            let node = self.node(id);
            let _ = writeln!(
                text,
                "  n{} [label=\"{}\\n{}\", style=filled, fillcolor={}];",
                id.index(),
                node.kind(),
                node.name.replace('"', "\\\""),
                (options.colour)(id)
            );
        }
        for id in self.ids().filter(|id| (options.include)(*id)) {
            let mut inputs: Vec<_> = self
                .inputs(id)
                .filter(|(_, from)| (options.include)(*from))
                .collect();
            inputs.sort_by_key(|(input, _)| input.slot);
            for (input, from) in inputs {
                let slot = input.slot.word();
                let _ = writeln!(
                    text,
                    "  n{} -> n{} [label={slot}];",
                    from.index(),
                    id.index()
                );
            }
        }
        text.push_str("}\n");
        text
    }
}
