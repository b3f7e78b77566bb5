//! `engine gc`: give disk back.

use clap::Args;
use store::GcOptions;
use store::GcReport;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive;
use crate::text::counted;
use crate::text::size;

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
    context.terminal.lines(&told(&report, args.dry_run))?;
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

fn told(report: &GcReport, dry_run: bool) -> Vec<String> {
    let records = |count| counted(count, "record", "records");
    let blobs = |count| counted(count, "blob", "blobs");
    let scratch = match report.scratch {
        0 => String::new(),
        some => format!(
            ", {}",
            counted(some, "scratch directory", "scratch directories")
        ),
    };
    let objects = match report.objects {
        0 => String::new(),
        some => format!(", {}", counted(some, "object tree", "object trees")),
    };
    let mut lines = vec![
        format!(
            "{}: {}, {} of {}, {}{objects}{scratch}",
            if dry_run { "would remove" } else { "removed" },
            records(report.records),
            blobs(report.blobs),
            size(report.bytes),
            counted(report.unpacked, "unpacked tree", "unpacked trees"),
        ),
        format!(
            "kept: {}, {}",
            records(report.kept_records),
            blobs(report.kept_blobs)
        ),
    ];
    if report.kept_young > 0 {
        let young = blobs(report.kept_young);
        lines.push(format!(
            "{young} of these are new, and a running engine may want them"
        ));
    }
    let stuck = report.stuck.iter();
    lines.extend(stuck.map(|(path, why)| format!("cannot remove `{}`: {why}", path.display())));
    lines
}
