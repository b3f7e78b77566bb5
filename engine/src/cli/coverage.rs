//! `engine coverage`: how much of each arch was ever built and booted.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::complete::addresses;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::ArchCoverage;
use crate::report;
use crate::report::Line;
use crate::terminal::table;

const AFTER: &str = "\
Counted are symbols that are `y` or `m` in a kernel that was built, in one that booted too, and the object files of kernels, as far
as their builds list them (Linux 6.1 and later). What is in the store counts, derived builds too.

Examples:
  engine coverage
  engine coverage 'linux-6.1/x86_64/**' --svg coverage.svg";

/// Tell how many symbols and object files were ever built and booted
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct CoverageArgs {
    /// Only these builds, with `*` and `**` [default: all of the project]
    #[arg(value_name = "ADDRESS", add = addresses())]
    addresses: Vec<String>,
    /// Also draw how it grew from kernel to kernel
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// One line of JSON for each arch, with the whole curve
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &CoverageArgs) -> Result<Ending, Fault> {
    let session = context.session(&[])?;
    let arches = session.coverage(&args.addresses)?;
    if arches.is_empty() {
        context
            .terminal
            .say("no kernel of these addresses was built yet");
    }
    let text = if args.json {
        let line = |arch: &ArchCoverage| {
            json!({ "v": 1, "arch": arch.arch, "curve": arch.curve }).to_string() + "\n"
        };
        arches.iter().map(line).collect()
    } else {
        shown(&arches)
    };
    context.terminal.data(text)?;
    if let Some(file) = &args.svg {
        fs::write(file, report::curves(&lines(&arches))).map_err(Fault::file("write", file))?;
    }
    Ok(Ending::Good)
}

fn shown(arches: &[ArchCoverage]) -> String {
    let head = ["ARCH", "KERNELS", "SYMBOLS BUILT", "BOOTED", "OBJECTS"].map(str::to_owned);
    let row = |arch: &ArchCoverage| {
        let all = arch.curve.last().copied().unwrap_or_default();
        vec![
            arch.arch.clone(),
            arch.curve.len().to_string(),
            all.built.to_string(),
            all.booted.to_string(),
            all.objects.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head.to_vec())
        .chain(arches.iter().map(row))
        .collect();
    if rows.len() > 1 {
        table(&rows)
    } else {
        String::new()
    }
}

/// The symbols that were built and booted of each arch, from kernel to kernel.
fn lines(arches: &[ArchCoverage]) -> Vec<Line> {
    let line = |name: String, values: Vec<usize>| Line { name, values };
    let both = |arch: &ArchCoverage| {
        let values = |of: fn(&crate::eval::Coverage) -> usize| arch.curve.iter().map(of).collect();
        [
            line(format!("{} built", arch.arch), values(|at| at.built)),
            line(format!("{} booted", arch.arch), values(|at| at.booted)),
        ]
    };
    arches.iter().flat_map(both).collect()
}
