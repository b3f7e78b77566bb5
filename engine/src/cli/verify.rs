//! `engine verify`: is the store what it says?

use clap::Args;
use store::VerifyOptions;
use store::VerifyReport;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use super::size::size;

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
    context.terminal.data(told(&report))?;
    if report.is_clean() || report.repaired {
        return Ok(Ending::Good);
    }
    if !args.repair {
        context.terminal.say("next: `engine verify --repair`");
    }
    Ok(Ending::Undone)
}

fn told(report: &VerifyReport) -> String {
    let mut text = String::new();
    for (digest, what) in &report.bad {
        text.push_str(&format!("damaged: blob `{digest}`: {what}\n"));
    }
    for record in &report.broken {
        text.push_str(&format!(
            "damaged: `{}` needs blob `{}`\n",
            record.name, record.blob
        ));
    }
    for key in &report.unwritten {
        text.push_str(&format!("damaged: the record file of key `{key}`\n"));
    }
    for what in &report.database {
        text.push_str(&format!("damaged: the database: {what}\n"));
    }
    for path in &report.strays {
        text.push_str(&format!(
            "left over by a killed engine, harmless: `{}`\n",
            path.display()
        ));
    }
    let ending = match (report.is_clean(), report.repaired) {
        (true, _) => "all is well",
        (false, true) => "repaired; the next run makes again what is missing",
        (false, false) => "damaged",
    };
    let (blobs, size, records) = (report.blobs, size(report.bytes), report.records);
    text.push_str(&format!(
        "verified {blobs} blobs of {size} and {records} records: {ending}\n"
    ));
    text
}
