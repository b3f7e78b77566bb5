//! `engine serve`: results over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::serve::Roots;
use crate::serve::Server;

const AFTER: &str = "\
Examples:
  engine serve                              on this machine alone
  engine serve --listen 0.0.0.0:8000        for labs; the lab's `artifacts_url` names it";

/// Serve results by address and blobs by digest over HTTP, read-only
///
/// Labs download what they boot from here. Everything in the store can be read by whoever knows its digest.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct ServeArgs {
    /// Address and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// The tree of links to results [default: `results` in the project]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &ServeArgs) -> Result<Ending, Fault> {
    let results = args.results.clone();
    let roots = Roots {
        store: context.store()?,
        results: Some(results.unwrap_or_else(|| context.project.join("results"))),
    };
    let listen = args.listen;
    let server = Server::start(listen, roots)
        .map_err(|error| Fault::environment(format!("cannot listen on {listen}: {error}")))?;
    context
        .terminal
        .data(format!("{}/results/\n", server.url()))?;
    context.terminal.say("serves until it is ended");
    // A signal ends the process: what is served is never written.
    loop {
        std::thread::park();
    }
}
