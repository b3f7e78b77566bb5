//! `engine show`: one node laid open.

use clap::Args;
use serde_json::json;

use super::complete::addresses;
use super::context::AtLab;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::NodeView;
use crate::report::readable;
use crate::terminal::table;
use crate::text::duration;
use crate::text::size;

const AFTER: &str = "\
Examples:
  engine show config:linux-6.1/x86_64/tinyconfig/gcc
  engine show --json image:kbuild";

/// Show a node's spec, inputs, key and outputs
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct ShowArgs {
    /// An address, or `KIND:NAME`
    #[arg(value_name = "NODE", add = addresses())]
    node: String,
    /// Write one JSON object, with every text in full
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    lab: AtLab,
}

pub(super) fn run(context: &Context, args: &ShowArgs) -> Result<Ending, Fault> {
    let view = args
        .lab
        .session(context, std::slice::from_ref(&args.node))?
        .show(&args.node)?;
    if args.json {
        let mut object = json!(view);
        object["v"] = json!(1);
        context.terminal.lines(&[object.to_string()])?;
    } else {
        context.terminal.data(text(&view))?;
    }
    Ok(Ending::Good)
}

/// How much of a digest people are shown.
const SHORT: usize = 12;

fn text(view: &NodeView) -> String {
    let short = |digest: &str| digest.get(..SHORT).unwrap_or(digest).to_owned();
    let took = view
        .duration_ms
        .map_or_else(String::new, |ms| format!(", made in {}", duration(ms)));
    let key = view
        .key
        .as_deref()
        .unwrap_or("unknown until its inputs are");
    let mut text = format!(
        "{}: {}{took}\nkey  {key}\nspec, revision {} of its recipe\n{}",
        view.node,
        view.state,
        view.revision,
        readable(&view.spec, 2)
    );
    let inputs = view.inputs.iter().map(|input| {
        let content = input.content.as_deref().map_or("?".to_owned(), short);
        vec![
            format!("  {}", input.slot),
            content,
            format!("{} of {}", input.output, input.node),
        ]
    });
    let outputs = view.outputs.iter().map(|output| {
        let bytes = output.bytes.map_or("not in the store".to_owned(), size);
        vec![format!("  {}", output.name), short(&output.content), bytes]
    });
    for (title, rows) in [
        ("inputs", inputs.collect::<Vec<_>>()),
        ("outputs", outputs.collect()),
    ] {
        if !rows.is_empty() {
            text.push_str(title);
            text.push('\n');
            text.push_str(&table(&rows));
        }
    }
    if let Some(facts) = &view.facts {
        text.push_str("facts\n");
        text.push_str(&readable(facts, 2));
    }
    text
}
