//! `engine matrix`: what was built and booted, one row per boot.

use std::fmt::Write;

use clap::Args;

use super::complete::addresses;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive::Matrix;
use crate::drive::MatrixBoot;
use crate::drive::MatrixBuild;
use crate::terminal::table;
use crate::text::counted;
use crate::text::duration;
use crate::text::size;

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
    #[arg(value_name = "ADDRESS", add = addresses())]
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
    let session = context.session(&args.addresses)?;
    let matrix = session.matrix(&args.addresses)?;
    let text = if args.markdown {
        markdown(&matrix)
    } else {
        let head = HEAD.map(str::to_owned).to_vec();
        let rows = matrix.builds.iter().flat_map(plain);
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
        table(&rows)
    };
    for line in session.catalog.not_bootable() {
        context.terminal.say(&line);
    }
    let last = format!("matrix: {}/{} booted\n", matrix.booted, matrix.arches);
    context.terminal.data([text, last].concat())?;
    session.matched(&args.addresses, None)?;
    Ok(if matrix.booted == matrix.arches {
        Ending::Good
    } else {
        Ending::Failed
    })
}

/// A row per boot, and one for a build without any; what is said of the build stands in the first.
fn rows(build: &MatrixBuild, mut of_build: Vec<String>) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = build.boots.iter().map(boot).collect();
    if rows.is_empty() {
        let why = match &build.unmatched {
            Some(state) => format!("boards are not matched: {state}"),
            None => "no board fits".to_owned(),
        };
        rows.push(vec!["-".to_owned(), why, String::new()]);
    }
    for row in &mut rows {
        row.splice(0..0, of_build.iter().cloned());
        of_build.iter_mut().for_each(String::clear);
    }
    rows
}

/// Release, compiler, time and size of a kernel, or why there is none.
fn kernel(build: &MatrixBuild) -> [String; 4] {
    match &build.kernel {
        Ok(kernel) => [
            kernel.release.clone(),
            kernel.compiler.clone(),
            duration(kernel.duration_ms),
            size(kernel.image_bytes),
        ],
        Err(state) => [
            format!("none: {state}"),
            String::new(),
            String::new(),
            String::new(),
        ],
    }
}

fn plain(build: &MatrixBuild) -> Vec<Vec<String>> {
    let [release, _, took, image] = kernel(build);
    let rows = rows(build, vec![build.build.clone(), release, took, image]);
    let short = |row: Vec<String>| row.iter().map(|cell| shortened(cell)).collect();
    rows.into_iter().map(short).collect()
}

fn boot(boot: &MatrixBoot) -> Vec<String> {
    vec![boot.board.clone(), verdict(boot), boot.last_line.clone()]
}

fn verdict(boot: &MatrixBoot) -> String {
    match (&boot.outcome, boot.duration_ms) {
        (Ok(()), Some(took)) => {
            let (passed, ran) = boot.tests;
            format!("ok, {passed} of {ran} tests, {}", duration(took))
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

fn markdown(matrix: &Matrix) -> String {
    let mut text = String::from(
        "| build | kernel | compiler | took | image | fixups that did not stick | board | boot | console's last line |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for build in &matrix.builds {
        let [release, compiler, took, image] = kernel(build);
        let dropped = match &build.dropped[..] {
            [] => "none".to_owned(),
            dropped => dropped.join("; "),
        };
        let of_build = vec![build.build.clone(), release, compiler, took, image, dropped];
        for row in rows(build, of_build) {
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
