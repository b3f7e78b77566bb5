//! `engine update`: which bytes names stand for.

use clap::Args;

use super::context::Context;
use super::context::Patience;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive;
use crate::drive::UpdateMode;
use crate::terminal::Level;
use crate::text::counted;

const AFTER: &str = "\
Examples:
  engine update                      pin all that is declared at its newest version
  engine update source/linux-6.1     only this
  engine update --if-gone            only what a run could not download any more";

/// Ask the mirrors what there is now, and pin it in `engine.lock`
///
/// Nothing else moves pins. What is built changes with the lock file alone: commit it.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct UpdateArgs {
    /// Pins, such as `source/linux-6.1` or `image/kbuild` [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Move only pins that are missing, answer an older definition, or are gone from the mirror
    #[arg(long)]
    if_gone: bool,
    #[command(flatten)]
    patience: Patience,
}

pub(super) fn run(context: &Context, args: &UpdateArgs) -> Result<Ending, Fault> {
    let mode = if args.if_gone {
        UpdateMode::OnlyGone
    } else {
        UpdateMode::Newest
    };
    let store = context.store()?;
    let note = |line: &str| context.terminal.say(line);
    let changes = drive::update(
        &context.project,
        &store,
        &args.names,
        mode,
        args.patience.duration(),
        &note,
    )?;
    for change in &changes {
        let name = &change.name;
        let new = change.lines.iter().all(|line| line.starts_with('+'));
        context.terminal.say(&match change.lines.len() {
            0 => format!("`{name}` is as it was"),
            count if new => format!("`{name}` pinned: {}", counted(count, "file", "files")),
            _ => format!("`{name}` moved:"),
        });
        if !new || context.terminal.level() == Level::Verbose {
            for line in &change.lines {
                context.terminal.say(&format!("  {line}"));
            }
        }
    }
    if changes.is_empty() {
        context
            .terminal
            .say("nothing to update: every pin is usable");
    }
    Ok(Ending::Good)
}
