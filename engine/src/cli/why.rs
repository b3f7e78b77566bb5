//! `engine why`: what changed.

use clap::Args;

use super::complete::addresses;
use super::context::AtLab;
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
    #[arg(value_name = "NODE", add = addresses())]
    node: String,
    #[command(flatten)]
    lab: AtLab,
}

pub(super) fn run(context: &Context, args: &WhyArgs) -> Result<Ending, Fault> {
    let explanation = args
        .lab
        .session(context, std::slice::from_ref(&args.node))?
        .why(&args.node)?;
    let mut lines = vec![format!("{}: {}", explanation.node, explanation.state)];
    if let Some(run) = explanation.since {
        lines.push(format!("compared with run {run}:"));
    }
    let reasons = explanation.reasons.iter();
    lines.extend(reasons.map(|reason| format!("  {}", reason.told_of(&explanation.node))));
    if explanation.reasons.is_empty() {
        lines.push("  nothing changed".to_owned());
    }
    context.terminal.lines(&lines)?;
    Ok(Ending::Good)
}
