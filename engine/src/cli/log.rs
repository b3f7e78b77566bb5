//! `engine log`: what a node said.

use std::fs;

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

const AFTER: &str = "\
Examples:
  engine log linux-6.1/x86_64/tinyconfig/gcc
  engine log config:linux-6.1/x86_64/tinyconfig/gcc";

/// Print the whole log of a node's latest result
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct LogArgs {
    /// An address, or `KIND:NAME`
    #[arg(value_name = "NODE")]
    node: String,
}

pub(super) fn run(context: &Context, args: &LogArgs) -> Result<Ending, Fault> {
    let path = context.session()?.log(&args.node)?;
    let log = fs::read(&path).map_err(Fault::file("read", &path))?;
    context.terminal.log(&log)?;
    Ok(Ending::Good)
}
