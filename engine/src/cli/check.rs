//! `engine check`: are the definitions right?

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive;
use crate::text::counted;

const AFTER: &str = "\
Examples:
  engine check
  engine -C definitions/demo check";

/// Evaluate the definitions and say what they declare
///
/// Looks at the project's files alone: not at the store, not at the network.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct CheckArgs {}

pub(super) fn run(context: &Context, _: &CheckArgs) -> Result<Ending, Fault> {
    let checked = drive::check(&context.project)?;
    for line in &checked.log {
        context.terminal.say(line);
    }
    let catalog = &checked.catalog;
    let counts = [
        counted(catalog.sources.len(), "source", "sources"),
        counted(catalog.arches.len(), "arch", "arches"),
        counted(catalog.defconfigs.len(), "configuration", "configurations"),
        counted(catalog.toolchains.len(), "toolchain", "toolchains"),
        counted(catalog.boards.len(), "board", "boards"),
        counted(catalog.suites.len(), "suite", "suites"),
        counted(checked.builds, "build", "builds"),
    ];
    context
        .terminal
        .say(&format!("the definitions are good: {}", counts.join(", ")));
    for line in catalog.not_bootable() {
        context.terminal.say(&line);
    }
    if !checked.unpinned.is_empty() {
        let names: Vec<String> = checked
            .unpinned
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        context
            .terminal
            .say(&format!("not pinned: {}", names.join(", ")));
        context
            .terminal
            .say("next: `engine update` asks the mirror and pins");
    }
    Ok(Ending::Good)
}
