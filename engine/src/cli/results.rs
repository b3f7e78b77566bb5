//! `engine results`: what is known.

use clap::Args;

use super::complete::addresses;
use super::context::AtLab;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::ResultLine;
use crate::terminal::table;

const AFTER: &str = "\
With --json, one object per line: `address`, `kind`, `verdict` (succeeded, failed, broken, skipped),
`reason` unless there is none, `cached` (the result is in the store), `key` (where its inputs are known).

Examples:
  engine results
  engine results --json 'linux-6.1/**' | jq -r 'select(.verdict == \"failed\").address'";

/// Show the result of every wanted node, from the store alone
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct ResultsArgs {
    /// Addresses, with `*` and `**` [default: everything that runs by default]
    #[arg(value_name = "ADDRESS", add = addresses())]
    addresses: Vec<String>,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    lab: AtLab,
}

pub(super) fn run(context: &Context, args: &ResultsArgs) -> Result<Ending, Fault> {
    let session = args.lab.session(context, &args.addresses)?;
    let lines = session.results(&args.addresses)?;
    let text = if args.json {
        let lines: Result<Vec<String>, _> = lines.iter().map(serde_json::to_string).collect();
        let lines = lines.map_err(|error| Fault::engine(error.to_string()))?;
        lines.into_iter().map(|line| line + "\n").collect()
    } else {
        let head = ["VERDICT", "KIND", "ADDRESS", "REASON"]
            .map(str::to_owned)
            .to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(head)
            .chain(lines.into_iter().map(row))
            .collect();
        table(&rows)
    };
    context.terminal.data(text)?;
    session.matched(&args.addresses, None)?;
    Ok(Ending::Good)
}

fn row(line: ResultLine) -> Vec<String> {
    vec![
        line.verdict.to_owned(),
        line.kind.to_string(),
        line.address,
        line.reason,
    ]
}
