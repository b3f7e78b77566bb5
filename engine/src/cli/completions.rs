//! `engine completions`: for shells.

use clap::Args;
use clap::CommandFactory as _;
use clap::builder::PossibleValuesParser;
use clap_complete::CompleteEnv;
use clap_complete::env::Shells;

use super::command::Cli;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

const AFTER: &str = "\
Addresses are completed by the project that the shell is in.

Example:
  engine completions bash > ~/.local/share/bash-completion/completions/engine";

/// The variable by which a shell's script asks this program for completions.
const ASKS: &str = "ENGINE_COMPLETE";

/// Print a shell's completions
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_parser = PossibleValuesParser::new(Shells::builtins().names()))]
    shell: String,
}

pub(super) fn run(context: &Context, args: &CompletionsArgs) -> Result<Ending, Fault> {
    let shells = Shells::builtins();
    let shell = shells
        .completer(&args.shell)
        .ok_or_else(|| Fault::engine(format!("no completions for `{}`", args.shell)))?;
    let mut script = Vec::new();
    shell
        .write_registration(ASKS, "engine", "engine", "engine", &mut script)
        .map_err(|error| Fault::engine(error.to_string()))?;
    context.terminal.data(script)?;
    Ok(Ending::Good)
}

/// Answers the shell, if it is one that asks; then nothing else is to be done.
pub(super) fn answer() {
    CompleteEnv::with_factory(Cli::command).var(ASKS).complete();
}
