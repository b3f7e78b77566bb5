//! A DOT graph as an SVG picture, laid out here so that Graphviz need not be installed.

use layout::backends::svg::SVGWriter;
use layout::gv::DotParser;
use layout::gv::GraphBuilder;
use thiserror::Error;

/// The layout did not take the graph.
#[derive(Debug, Error)]
#[error("cannot lay the graph out: {0}")]
pub struct SvgError(String);

/// Lays a `digraph` out. Takes more than linear time: some hundred nodes are a lot.
pub fn svg(dot: &str) -> Result<String, SvgError> {
    let graph = DotParser::new(dot).process().map_err(SvgError)?;
    let mut builder = GraphBuilder::new();
    builder.visit_graph(&graph);
    let mut visual = builder.get();
    let mut writer = SVGWriter::new();
    if visual.num_nodes() > 0 {
        visual.do_it(false, false, false, &mut writer);
    }
    Ok(writer.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_become_boxes_with_their_names() {
        let dot = "digraph engine {\n  rankdir=LR;\n  node [shape=box];\n  \
            n0 [label=\"fetch\\nsource/linux-6.1\", style=filled, fillcolor=palegreen];\n  \
            n1 [label=\"source\\nlinux-6.1\", style=filled, fillcolor=gold];\n  \
            n0 -> n1 [label=files];\n}\n";
        let picture = svg(dot).unwrap();
        assert!(picture.starts_with("<?xml") && picture.trim_end().ends_with("</svg>"));
        for part in ["source/linux-6.1", "#98fb98", "files"] {
            assert!(picture.contains(part), "{part} is missing in {picture}");
        }
    }

    #[test]
    fn an_empty_graph_is_an_empty_picture_and_no_graph_is_an_error() {
        assert!(svg("digraph engine {\n}\n").unwrap().contains("<svg"));
        assert!(svg("digraph {").is_err());
    }
}
