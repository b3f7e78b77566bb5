//! `engine boards`: which boards fit which builds.

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::BoardWhy;
use crate::matching::BoardVerdict;
use crate::terminal::table;

const AFTER: &str = "\
Examples:
  engine boards
  engine boards 'linux-6.1/*/*/gcc'
  engine boards --why linux-6.1/x86_64/tinyconfig/gcc qemu-pc-disk";

/// Show which boards each resolved configuration can boot on
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct BoardsArgs {
    /// Addresses of builds, with `*` and `**` [default: all]
    #[arg(value_name = "ADDRESS", conflicts_with = "why")]
    addresses: Vec<String>,
    /// Name the exact symbols that keep a board from a build
    #[arg(long, num_args = 2, value_names = ["BUILD", "BOARD"])]
    why: Vec<String>,
}

pub(super) fn run(context: &Context, args: &BoardsArgs) -> Result<Ending, Fault> {
    let session = context.session()?;
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
        let text: String = found.iter().map(|build| why(build, board)).collect();
        context.terminal.data(text)?;
        return Ok(Ending::Good);
    }
    let builds = session.boards(&args.addresses)?;
    let boards: Vec<&String> = session.catalog.boards.keys().collect();
    let head = std::iter::once("BUILD".to_owned()).chain(boards.iter().map(|name| (*name).clone()));
    let mut rows: Vec<Vec<String>> = vec![head.collect()];
    rows.extend(builds.iter().map(|build| row(build, &boards)));
    context.terminal.data(table(&rows))?;
    if builds.iter().any(|build| build.boards.is_err()) {
        context
            .terminal
            .say("`?`: the .config is not resolved; `engine plan --resolve` resolves it");
    }
    Ok(Ending::Good)
}

fn row(build: &BoardWhy, boards: &[&String]) -> Vec<String> {
    let cell = |board: &&String| match &build.boards {
        Err(_) => "?",
        Ok(verdicts) => match find(verdicts, board) {
            Some(verdict) if verdict.matched => "match",
            _ => "no",
        },
    };
    let cells = boards.iter().map(|board| cell(board).to_owned());
    std::iter::once(build.build.clone()).chain(cells).collect()
}

fn why(build: &BoardWhy, board: &str) -> String {
    let name = &build.build;
    let verdicts = match &build.boards {
        Err(state) => return format!("{name} on {board}: the .config is not known: {state}\n"),
        Ok(verdicts) => verdicts,
    };
    match find(verdicts, board) {
        Some(verdict) if verdict.matched => format!("{name} on {board}: match\n"),
        verdict => {
            let reasons = verdict
                .map(|verdict| &verdict.reasons[..])
                .unwrap_or_default();
            let reasons: String = reasons
                .iter()
                .map(|reason| format!("  {reason}\n"))
                .collect();
            format!("{name} on {board}: no match\n{reasons}")
        }
    }
}

fn find<'v>(verdicts: &'v [BoardVerdict], board: &str) -> Option<&'v BoardVerdict> {
    verdicts.iter().find(|verdict| verdict.board == board)
}
