//! `engine man`: manual pages.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use clap::Command;
use clap::CommandFactory as _;
use clap_mangen::Man;

use super::command::Cli;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

/// How the section begins.
const SYNOPSIS: &str = ".SH SYNOPSIS\n";

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
    let mut program = Cli::command();
    program.build();
    let unwritten = |error: io::Error| Fault::engine(error.to_string());
    let Some(directory) = &args.directory else {
        context.terminal.data(page(&program).map_err(unwritten)?)?;
        return Ok(Ending::Good);
    };
    fs::create_dir_all(directory).map_err(Fault::file("write", directory))?;
    let commands = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    for command in std::iter::once(&program).chain(commands) {
        let name = command.get_bin_name().unwrap_or_default().replace(' ', "-");
        let path = directory.join(format!("{name}.1"));
        let text = page(command).map_err(unwritten)?;
        fs::write(&path, text).map_err(Fault::file("write", &path))?;
    }
    Ok(Ending::Good)
}

/// A command's page. Its synopsis is the usage that `--help` tells, with the arguments' names.
fn page(command: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    let page = String::from_utf8_lossy(&page);
    let (before, rest) = page.split_once(SYNOPSIS).unwrap_or((&page, ""));
    let after = rest.split_once(".SH ").map_or("", |(_, after)| after);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
    Ok(format!("{before}{SYNOPSIS}{usage}\n.SH {after}"))
}
