//! `engine doc`: the definition language.

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::eval;

const AFTER: &str = "\
Example:
  engine doc | less";

/// Print the reference of the definition language and its standard library, as Markdown
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct DocArgs {}

pub(super) fn run(context: &Context, _: &DocArgs) -> Result<Ending, Fault> {
    context.terminal.data(eval::reference())?;
    Ok(Ending::Good)
}
