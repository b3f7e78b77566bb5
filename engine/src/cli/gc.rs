//! `engine gc`: give disk back.

use clap::Args;
use store::GcOptions;
use store::GcReport;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use super::size::size;
use crate::drive;

const AFTER: &str = "\
Safe beside a running engine: what it uses stays. To remove everything, remove the store's directory.

Examples:
  engine gc --dry-run
  engine gc --keep-runs 1      keep only what is current now";

/// Remove results that no recent run had as current
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct GcArgs {
    /// How many of the newest runs keep what was current in them
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    keep_runs: u32,
    /// Only say what would go
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(context: &Context, args: &GcArgs) -> Result<Ending, Fault> {
    let store = context.store()?;
    let options = GcOptions {
        keep_runs: args.keep_runs,
        dry_run: args.dry_run,
    };
    let report = drive::collect(&store, options)?;
    context.terminal.data(told(&report, args.dry_run))?;
    let held: u64 = store
        .disk_usage()
        .iter()
        .map(|(_, usage)| usage.bytes)
        .sum();
    context.terminal.say(&format!(
        "store: {}, {}",
        store.root().display(),
        size(held)
    ));
    Ok(if report.stuck.is_empty() {
        Ending::Good
    } else {
        Ending::Undone
    })
}

fn told(report: &GcReport, dry_run: bool) -> String {
    let mut text = format!(
        "{}: {} records, {} blobs of {}, {} unpacked trees\nkept: {} records, {} blobs\n",
        if dry_run { "would remove" } else { "removed" },
        report.records,
        report.blobs,
        size(report.bytes),
        report.unpacked,
        report.kept_records,
        report.kept_blobs,
    );
    if report.kept_young > 0 {
        text.push_str(&format!(
            "{} of the kept blobs are new and a running engine may want them\n",
            report.kept_young
        ));
    }
    for (path, why) in &report.stuck {
        text.push_str(&format!("cannot remove `{}`: {why}\n", path.display()));
    }
    text
}
