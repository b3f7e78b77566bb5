//! `engine check`: are the definitions right?

use std::collections::BTreeSet;

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::drive;
use crate::machine::Distribution;
use crate::model::Catalog;
use crate::text::counted;

const AFTER: &str = "\
Examples:
  engine check
  engine check --host
  engine -C definitions/demo check";

/// Evaluate the definitions and say what they declare
///
/// Looks at the project's files alone: not at the store, not at the network.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct CheckArgs {
    /// Say what this machine lacks for what is declared, and how it is installed
    #[arg(long)]
    host: bool,
}

pub(super) fn run(context: &Context, args: &CheckArgs) -> Result<Ending, Fault> {
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
    if args.host {
        return Ok(host(context, catalog));
    }
    Ok(Ending::Good)
}

/// Tells what this machine lacks, and the command that installs what its distribution has.
fn host(context: &Context, catalog: &Catalog) -> Ending {
    let say = |line: &str| context.terminal.say(line);
    let lacks = drive::lacks(catalog);
    if lacks.is_empty() {
        say("this machine has all that is needed");
        return Ending::Good;
    }
    let distribution = Distribution::here();
    let mut packages = BTreeSet::new();
    let mut nowhere = false;
    for lack in &lacks {
        say(&format!(
            "missing: `{}`, for {}",
            lack.what, lack.wanted_for
        ));
        let package = distribution.and_then(|known| known.package(&lack.packages));
        nowhere |= package.is_none();
        packages.extend(package);
    }
    if let Some(distribution) = distribution.filter(|_| !packages.is_empty()) {
        let packages: Vec<&str> = packages.into_iter().collect();
        say(&format!(
            "next: {} {}",
            distribution.install(),
            packages.join(" ")
        ));
    }
    if nowhere {
        say("what no package here has: the table of packages in README.md says more");
    }
    Ending::Undone
}
