//! `engine boards`: which boards fit which builds.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use super::complete::addresses;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::BoardWhy;
use crate::spec::Kind;
use crate::terminal::table;

const AFTER: &str = "\
Examples:
  engine boards
  engine boards 'linux-6.1/*/*/gcc'
  engine boards --why linux-6.1/x86_64/tinyconfig/gcc qemu-pc-disk
  engine boards --config /boot/config-6.1.0-18-amd64";

/// Show which boards each resolved configuration can boot on
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct BoardsArgs {
    /// Addresses of builds, with `*` and `**` [default: all]
    #[arg(value_name = "ADDRESS", conflicts_with = "why", add = addresses())]
    addresses: Vec<String>,
    /// Name the exact symbols that keep a board from a build
    #[arg(long, num_args = 2, value_names = ["BUILD", "BOARD"])]
    why: Vec<String>,
    /// Match a .config that somebody has, perhaps compressed by gzip, and say what keeps it from the other boards
    #[arg(long, value_name = "FILE", conflicts_with_all = ["addresses", "why"])]
    config: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &BoardsArgs) -> Result<Ending, Fault> {
    let session = context.session(&[&args.addresses[..], &args.why].concat())?;
    if let Some(path) = &args.config {
        let found = session.boards_of(path)?;
        let boards = found.boards.iter().flatten();
        let (fit, others): (Vec<_>, Vec<_>) = boards.partition(|verdict| verdict.matched);
        for verdict in fit.iter().chain(&others) {
            context
                .terminal
                .lines(&session.told(&found, &verdict.board))?;
        }
        return Ok(if fit.is_empty() {
            Ending::Failed
        } else {
            Ending::Good
        });
    }
    if let [build, board] = &args.why[..] {
        if !session.catalog.boards.contains_key(board) {
            let known: Vec<String> = session
                .catalog
                .boards
                .keys()
                .map(|name| format!("`{name}`"))
                .collect();
            return Err(Fault::user(format!("`{board}` is no board"))
                .help(format!("declared are: {}", known.join(", "))));
        }
        let found = session.boards(std::slice::from_ref(build))?;
        let lines = found.iter().flat_map(|build| session.told(build, board));
        let lines: Vec<String> = lines.collect();
        context.terminal.lines(&lines)?;
        return Ok(Ending::Good);
    }
    context.say_left_out(&session, &args.addresses, Some(Kind::Config))?;
    let builds = session.boards(&args.addresses)?;
    let head = ["BUILD", "BOARDS"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(builds.iter().map(row))
        .collect();
    context.terminal.data(table(&rows))?;
    let unresolved = builds.iter().any(|build| build.boards.is_err());
    if args.addresses.is_empty() && !unresolved {
        let fitted: BTreeSet<&str> = builds.iter().flat_map(fitting).collect();
        let boards = session.catalog.boards.keys().map(String::as_str);
        let idle: Vec<&str> = boards.filter(|board| !fitted.contains(board)).collect();
        if let Some(line) = unbooted(&idle) {
            context.terminal.say(&line);
        }
    }
    for line in session.catalog.not_bootable() {
        context.terminal.say(&line);
    }
    if unresolved {
        context
            .terminal
            .say("`?`: the .config is not resolved; `engine plan --resolve` resolves it");
    }
    session.matched(&args.addresses, None)?;
    Ok(Ending::Good)
}

fn row(build: &BoardWhy) -> Vec<String> {
    let fitting = fitting(build);
    let boards = if build.boards.is_err() {
        "?".to_owned()
    } else if fitting.is_empty() {
        "none".to_owned()
    } else {
        fitting.join(", ")
    };
    vec![build.build.clone(), boards]
}

/// Tells the boards that no build fits, if there are any.
pub(super) fn unbooted(boards: &[&str]) -> Option<String> {
    let told = || {
        format!(
            "boards that none of these builds boots: {}",
            boards.join(", ")
        )
    };
    (!boards.is_empty()).then(told)
}

/// Names of the boards a build fits, as far as it is known.
fn fitting(build: &BoardWhy) -> Vec<&str> {
    let verdicts = build.boards.iter().flatten();
    let matched = verdicts.filter(|verdict| verdict.matched);
    matched.map(|verdict| verdict.board.as_str()).collect()
}
