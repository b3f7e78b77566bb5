//! `engine matrix`: what was built and booted, one row per boot.

use std::fmt::Write;

use clap::Args;

use super::amounts::counted;
use super::amounts::size;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::Matrix;
use crate::drive::MatrixBoot;
use crate::drive::MatrixBuild;
use crate::terminal::table;

const AFTER: &str = "\
An arch counts as booted when one of its builds booted on every board that fits it, and on one at
least. The exit code is 0 if all did, else 1.

Examples:
  engine matrix 'linux-6.1/*/boot'
  engine matrix --markdown 'linux-6.1/*/*defconfig' > matrix.md";

/// Show a table of builds and their boots, from the store alone
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct MatrixArgs {
    /// Addresses, with `*` and `**` [default: everything that runs by default]
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// As Markdown, with compilers and the fixups that did not stick
    #[arg(long)]
    markdown: bool,
}

const HEAD: [&str; 7] = [
    "BUILD",
    "KERNEL",
    "TOOK",
    "IMAGE",
    "BOARD",
    "BOOT",
    "LAST LINE",
];

pub(super) fn run(context: &Context, args: &MatrixArgs) -> Result<Ending, Fault> {
    let session = context.session()?;
    let matrix = session.matrix(&args.addresses)?;
    let text = if args.markdown {
        markdown(&matrix)
    } else {
        let head = HEAD.map(str::to_owned).to_vec();
        let short = |row: Vec<String>| row.iter().map(|cell| shortened(cell)).collect();
        let rows = matrix.builds.iter().flat_map(rows).map(short);
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
        table(&rows)
    };
    for line in session.catalog.not_bootable() {
        context.terminal.say(&line);
    }
    let last = format!("matrix: {}/{} booted\n", matrix.booted, matrix.arches);
    context.terminal.data([text, last].concat())?;
    Ok(if matrix.booted == matrix.arches {
        Ending::Good
    } else {
        Ending::Failed
    })
}

/// A row per boot, and one for a build without any; the build is named in its first row.
fn rows(build: &MatrixBuild) -> Vec<Vec<String>> {
    let mut of_build = kernel(build);
    of_build.insert(0, build.build.clone());
    let mut rows: Vec<Vec<String>> = build.boots.iter().map(boot).collect();
    if rows.is_empty() {
        let why = match &build.unmatched {
            Some(state) => format!("boards are not matched: {state}"),
            None => "no board fits".to_owned(),
        };
        rows.push(vec!["-".to_owned(), why]);
    }
    for row in &mut rows {
        row.splice(0..0, of_build.iter().cloned());
        of_build.iter_mut().for_each(String::clear);
    }
    rows
}

/// Release, time and size of a kernel, or why there is none.
fn kernel(build: &MatrixBuild) -> Vec<String> {
    match &build.kernel {
        Ok(kernel) => vec![
            kernel.release.clone(),
            seconds(kernel.duration_ms),
            size(kernel.image_bytes),
        ],
        Err(state) => vec![format!("none: {state}"), String::new(), String::new()],
    }
}

fn boot(boot: &MatrixBoot) -> Vec<String> {
    vec![boot.board.clone(), verdict(boot), boot.last_line.clone()]
}

fn verdict(boot: &MatrixBoot) -> String {
    match (&boot.outcome, boot.duration_ms) {
        (Ok(()), Some(took)) => {
            let (passed, ran) = boot.tests;
            format!("ok, {passed} of {ran} tests, {}", seconds(took))
        }
        (Ok(()), None) => "ok".to_owned(),
        (Err(reason), _) => reason.clone(),
    }
}

/// A cell as wide as a terminal can bear; addresses are shorter.
fn shortened(cell: &str) -> String {
    const MOST: usize = 80;
    match cell.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.to_owned(),
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn markdown(matrix: &Matrix) -> String {
    let mut text = String::from(
        "| build | kernel | compiler | took | image | fixups that did not stick | board | boot | console's last line |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for build in &matrix.builds {
        let compiler = build.kernel.as_ref().map(|kernel| kernel.compiler.clone());
        let mut dropped = build.dropped.join("; ");
        if dropped.is_empty() {
            "none".clone_into(&mut dropped);
        }
        for mut row in rows(build) {
            // A continued row has an empty build.
            let first = !row[0].is_empty();
            let fill = |text: &str| {
                if first {
                    text.to_owned()
                } else {
                    String::new()
                }
            };
            row.insert(2, fill(compiler.as_deref().unwrap_or_default()));
            row.insert(5, fill(&dropped));
            row.resize(9, String::new());
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    let builds = counted(matrix.builds.len(), "build", "builds");
    let _ = writeln!(
        text,
        "\n{builds} on {}",
        counted(matrix.arches, "arch", "arches")
    );
    text
}
