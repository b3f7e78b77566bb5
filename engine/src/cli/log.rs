//! `engine log`: what a node said.

use std::fs;
use std::fs::File;
use std::io::Read as _;
use std::thread;
use std::time::Duration;

use clap::Args;
use store::RunId;

use super::complete::addresses;
use super::context::AtLab;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::NodeLog;
use crate::drive::Session;

const AFTER: &str = "\
Examples:
  engine log linux-6.1/x86_64/tinyconfig/gcc
  engine log --follow linux-6.1/x86_64/tinyconfig/gcc   while another engine builds it
  engine log --run 12 config:linux-6.1/x86_64/tinyconfig/gcc";

/// Print the whole log of a node's latest result
///
/// What could command a terminal is left out, unless `--raw` is given.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct LogArgs {
    /// An address, or `KIND:NAME`
    #[arg(value_name = "NODE", add = addresses())]
    node: String,
    /// Go on with what a running engine adds, until the node is done
    #[arg(short, long, conflicts_with = "run")]
    follow: bool,
    /// Print that of an earlier run, by its number
    #[arg(long, value_name = "N")]
    run: Option<i64>,
    /// Every byte as it was written
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    lab: AtLab,
}

/// How often a log that grows is looked at.
const TICK: Duration = Duration::from_millis(200);

pub(super) fn run(context: &Context, args: &LogArgs) -> Result<Ending, Fault> {
    let session = args
        .lab
        .session(context, std::slice::from_ref(&args.node))?;
    if args.follow {
        if let Some(log) = session.running_log(&args.node)? {
            follow(context, args, &session, &log)?;
            return Ok(Ending::Good);
        }
        context.terminal.say("no engine is at it now");
    }
    let log = match args.run {
        Some(run) => session.log_of_run(&args.node, RunId(run))?,
        None => session.log(&args.node)?,
    };
    if let Some(whose) = &log.whose {
        context.terminal.say(whose);
    }
    let bytes = fs::read(&log.path).map_err(Fault::file("read", &log.path))?;
    context.terminal.log(&bytes, args.raw)?;
    Ok(Ending::Good)
}

/// Prints what is there and what comes, until nobody is at the node any more.
fn follow(
    context: &Context,
    args: &LogArgs,
    session: &Session,
    log: &NodeLog,
) -> Result<(), Fault> {
    let unreadable = || Fault::file("read", &log.path);
    let mut file = File::open(&log.path).map_err(unreadable())?;
    let mut bytes = Vec::new();
    loop {
        let runs = match &log.running {
            Some(key) => session.runs(key)?,
            None => false,
        };
        file.read_to_end(&mut bytes).map_err(unreadable())?;
        // Whole lines, so that no character is cut.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let end = if runs {
            whole.map_or(0, |end| end + 1)
        } else {
            bytes.len()
        };
        context.terminal.log(&bytes[..end], args.raw)?;
        bytes.drain(..end);
        if !runs {
            return Ok(());
        }
        thread::sleep(TICK);
    }
}
