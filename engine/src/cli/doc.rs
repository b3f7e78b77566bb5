//! `engine doc`: the definition language.

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::eval;

const AFTER: &str = "\
Examples:
  engine doc | less
  engine doc --explore | less";

/// Print the reference of the definition language and its standard library, as Markdown
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct DocArgs {
    /// The reference of scripts that explore instead
    #[arg(long)]
    explore: bool,
}

pub(super) fn run(context: &Context, args: &DocArgs) -> Result<Ending, Fault> {
    context.terminal.data(if args.explore {
        eval::exploration_reference()
    } else {
        eval::reference()
    })?;
    Ok(Ending::Good)
}
