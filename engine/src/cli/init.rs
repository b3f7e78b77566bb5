//! `engine init`: a project to begin with.

use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::eval;

const AFTER: &str = "\
Example:
  engine init kernels && cd kernels && engine update && engine realize";

/// Write the demo project into a directory
///
/// The files are a small, complete project: one kernel source, one arch, two configurations, two
/// compilers and two boards. No file that is there is overwritten.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct InitArgs {
    /// Where to; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
}

/// What git is not to see: links into the store.
const IGNORED: &str = "/results/\n";

pub(super) fn run(context: &Context, args: &InitArgs) -> Result<Ending, Fault> {
    let files: Vec<(PathBuf, &str)> = eval::demo()
        .iter()
        .map(|(path, text)| (args.directory.join(path), *text))
        .collect();
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(
            Fault::user(format!("`{}` is there already", path.display()))
                .help("`engine init DIR` writes into another directory"),
        );
    }
    for (path, text) in &files {
        write(path, text).map_err(Fault::file("write", path))?;
    }
    let ignore = args.directory.join(".gitignore");
    if ignore.exists() {
        context
            .terminal
            .say("`.gitignore` is there already; let it have the line `/results/`");
    } else {
        write(&ignore, IGNORED).map_err(Fault::file("write", &ignore))?;
    }
    let (count, place) = (files.len(), args.directory.display());
    context
        .terminal
        .say(&format!("wrote {count} files into `{place}`"));
    context
        .terminal
        .say("next: `engine check`, `engine update` to pin packages, `engine realize`");
    Ok(Ending::Good)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    File::create_new(path)?.write_all(text.as_bytes())
}
