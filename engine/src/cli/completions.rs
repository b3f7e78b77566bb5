//! `engine completions`: for shells.

use clap::Args;
use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::generate;

use super::command::Cli;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

const AFTER: &str = "\
Example:
  engine completions bash > ~/.local/share/bash-completion/completions/engine";

/// Print a shell's completions
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub(super) fn run(context: &Context, args: &CompletionsArgs) -> Result<Ending, Fault> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "engine", &mut script);
    context.terminal.data(script)?;
    Ok(Ending::Good)
}
