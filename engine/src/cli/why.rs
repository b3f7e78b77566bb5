//! `engine why`: what changed.

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

const AFTER: &str = "\
Examples:
  engine why linux-6.1/x86_64/tinyconfig/gcc
  engine why image:kbuild";

/// Explain why a node is stale, or what changed when it was last made
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct WhyArgs {
    /// An address, or `KIND:NAME`
    #[arg(value_name = "NODE")]
    node: String,
}

pub(super) fn run(context: &Context, args: &WhyArgs) -> Result<Ending, Fault> {
    let explanation = context.session()?.why(&args.node)?;
    let mut text = format!("{}: {}\n", explanation.node, explanation.state);
    if let Some(run) = explanation.since {
        text.push_str(&format!("compared with run {run}:\n"));
    }
    for reason in &explanation.reasons {
        text.push_str(&format!("  {reason}\n"));
    }
    if explanation.reasons.is_empty() {
        text.push_str("  nothing changed\n");
    }
    context.terminal.data(text)?;
    Ok(Ending::Good)
}
