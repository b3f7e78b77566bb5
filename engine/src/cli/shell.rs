//! `engine shell`: look around where a node is built.

use std::io;
use std::io::IsTerminal as _;
use std::thread::available_parallelism;

use clap::Args;

use super::complete::addresses;
use super::context::Context;
use super::context::Patience;
use super::fault::Ending;
use super::fault::Fault;
use crate::origins::Network;
use crate::sandbox::Exit;

const AFTER: &str = "\
The source lies in `/src`, read-only; `/build` is writable and holds the .config where there is one.
`$MAKE_VARIABLES` has the words a kernel build gives to make. What is left in `/build` is lost.

Example:
  engine shell linux-6.1/x86_64/tinyconfig/gcc
  $ make -C /src O=/build $MAKE_VARIABLES init/main.o";

/// Open an interactive shell in the sandbox a node is built in
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct ShellArgs {
    /// An address, or `KIND:NAME`
    #[arg(value_name = "NODE", add = addresses())]
    node: String,
}

pub(super) fn run(context: &Context, args: &ShellArgs) -> Result<Ending, Fault> {
    if !io::stdin().is_terminal() {
        return Err(Fault::user("a shell needs a terminal to talk to"));
    }
    let session = context.session(std::slice::from_ref(&args.node))?;
    let jobs = available_parallelism().map_or(1, usize::from);
    let network = Network {
        patience: Patience::default().duration(),
        offline: false,
    };
    let recipes = session.tools(jobs, network)?;
    match session.shell(&args.node, &recipes)? {
        // The code of a shell's last command says nothing about the session.
        Exit::Code(_) => Ok(Ending::Good),
        Exit::Signal(signal) => Err(Fault::environment(format!(
            "the shell was ended by signal {signal}"
        ))),
        Exit::TimedOut | Exit::Cancelled => Ok(Ending::Undone),
    }
}
