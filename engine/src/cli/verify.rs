//! `engine verify`: is the store what it says?

use clap::Args;
use store::VerifyOptions;
use store::VerifyReport;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::text::counted;
use crate::text::size;

const AFTER: &str = "\
Without --repair nothing is changed, and damage ends in exit code 3. With it, damaged files are set
aside in `quarantine`, and what needs them is made again by the next run.

Examples:
  engine verify
  engine verify --repair";

/// Hash every file of the store again and look at every record
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct VerifyArgs {
    /// Set what is damaged aside, so that it is made again
    #[arg(long)]
    repair: bool,
}

pub(super) fn run(context: &Context, args: &VerifyArgs) -> Result<Ending, Fault> {
    let report = context.store()?.verify(VerifyOptions {
        repair: args.repair,
    })?;
    context.terminal.lines(&told(&report))?;
    if report.is_clean() || report.repaired {
        return Ok(Ending::Good);
    }
    if !args.repair {
        context.terminal.say("next: `engine verify --repair`");
    }
    Ok(Ending::Undone)
}

fn told(report: &VerifyReport) -> Vec<String> {
    let bad = report.bad.iter();
    let mut lines: Vec<String> = bad
        .map(|(digest, what)| format!("damaged: blob `{digest}`: {what}"))
        .collect();
    let broken = report.broken.iter();
    lines.extend(
        broken.map(|record| format!("damaged: `{}` needs blob `{}`", record.name, record.blob)),
    );
    let unwritten = report.unwritten.iter();
    lines.extend(unwritten.map(|key| format!("damaged: the record file of key `{key}`")));
    lines.extend(
        report
            .database
            .iter()
            .map(|what| format!("damaged: the database: {what}")),
    );
    let strays = report.strays.iter().map(|path| path.display());
    lines.extend(strays.map(|path| format!("left over by a killed engine, harmless: `{path}`")));
    let ending = match (report.is_clean(), report.repaired) {
        (true, _) => "all is well",
        (false, true) => "repaired; the next run makes again what is missing",
        (false, false) => "damaged",
    };
    let blobs = counted(report.blobs, "blob", "blobs");
    let records = counted(report.records, "record", "records");
    let size = size(report.bytes);
    lines.push(format!(
        "verified {blobs} of {size} and {records}: {ending}"
    ));
    lines
}
