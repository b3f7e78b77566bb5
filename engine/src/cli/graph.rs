//! `engine graph`: the graph as a picture.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::complete::addresses;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::DriveError;
use crate::graph::NodeId;
use crate::plan::Selection;
use crate::plan::State;
use crate::report;

/// More nodes than this are a picture nobody can read, and SVG takes long to lay out.
const LIMIT: usize = 300;

const AFTER: &str = "\
Green is fresh, gold would run, yellow waits for another, red failed, white is not wanted by default.

Examples:
  engine graph --svg -o graph.svg
  engine graph linux-6.1/x86_64/tinyconfig/gcc | dot -Tpdf > graph.pdf";

/// Draw the graph as DOT or SVG
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct GraphArgs {
    /// Draw only what these need [default: everything]
    #[arg(value_name = "ADDRESS", add = addresses())]
    addresses: Vec<String>,
    /// SVG instead of DOT
    #[arg(long)]
    svg: bool,
    /// Every node, however many there are
    #[arg(long)]
    full: bool,
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &GraphArgs) -> Result<Ending, Fault> {
    let session = context.session(&args.addresses)?;
    let selection = Selection::of(&args.addresses, None).map_err(DriveError::from)?;
    let progress = session.progress(selection, false)?;
    let all = args.addresses.is_empty();
    let include = |id: NodeId| all || *progress.state(id) != State::Unwanted;
    let limit = if args.full { usize::MAX } else { LIMIT };
    let drawing = report::draw(&progress, &include, limit);
    if drawing.collapsed {
        let nodes = drawing.nodes;
        context.terminal.say(&format!(
            "{nodes} nodes are too many to look at: one box per kind; an ADDRESS draws less, `--full` all"
        ));
    }
    let text = if args.svg {
        report::svg(&drawing.dot)?
    } else {
        drawing.dot
    };
    match &args.output {
        Some(path) => fs::write(path, text).map_err(Fault::file("write", path))?,
        None => context.terminal.data(text)?,
    }
    session.matched(&args.addresses, None)?;
    Ok(Ending::Good)
}
