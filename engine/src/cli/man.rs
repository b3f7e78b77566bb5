//! `engine man`: manual pages.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use clap::CommandFactory as _;
use clap_mangen::Man;

use super::command::Cli;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

const AFTER: &str = "\
Examples:
  engine man | man -l -
  engine man ~/.local/share/man/man1";

/// Print the manual page, or write one page per command into a directory
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct ManArgs {
    /// Where to; made if it is not there [default: the first page, on standard output]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &ManArgs) -> Result<Ending, Fault> {
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Fault::engine(error.to_string()))?;
        context.terminal.data(page)?;
        return Ok(Ending::Good);
    };
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .map_err(Fault::file("write", directory))?;
    Ok(Ending::Good)
}
