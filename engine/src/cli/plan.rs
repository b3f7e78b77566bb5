//! `engine plan`: what would run, and why.

use clap::Args;
use serde_json::json;

use super::boards::unbooted;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use super::realize::Wanted;
use crate::drive::Foreseen;
use crate::drive::Outlook;
use crate::drive::Standing;
use crate::spec::Kind;
use crate::terminal::Format;
use crate::terminal::Level;
use crate::text::counted;
use crate::text::duration;

const AFTER: &str = "\
A node that waits for another may turn out fresh: if what it waits for comes out as it was before,
nothing below runs again.

Examples:
  engine plan
  engine plan 'linux-6.1/*/*/clang'
  engine plan --resolve              resolve configurations first, so that boots are known";

/// Show what `realize` would run, why, and what it would cost; build nothing
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// First resolve the configurations and match the boards, with all that this needs
    #[arg(long, conflicts_with = "until")]
    resolve: bool,
    /// One JSON object per node, and a last one with the counts
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &PlanArgs) -> Result<Ending, Fault> {
    show(context, &args.wanted, args.resolve, args.json)
}

/// Shows what a run would do; resolves configurations first where that is wanted.
pub(super) fn show(
    context: &Context,
    wanted: &Wanted,
    resolve: bool,
    json: bool,
) -> Result<Ending, Fault> {
    let mut ending = Ending::Good;
    if resolve {
        let session = wanted.lab.session(context, &wanted.addresses)?;
        let mut options = wanted.options(&session, None);
        options.until = Some(Kind::Match);
        options.keep_going = true;
        let observer = context.terminal.observer(Format::Text);
        ending = super::realize::ending(&session.realise(&options, &*observer)?.report, false);
    }
    let session = wanted.lab.session(context, &wanted.addresses)?;
    context.say_left_out(&session, &wanted.addresses, wanted.until)?;
    let outlook = session.outlook(&wanted.addresses, wanted.until, wanted.retry_failed)?;
    let verbose = context.terminal.level() == Level::Verbose;
    let lines = if json {
        as_json(&outlook)
    } else {
        let mut lines = as_text(&outlook, verbose);
        if resolve || verbose {
            lines.extend(boots(&outlook));
        }
        lines
    };
    context.terminal.lines(&lines)?;
    session.matched(&wanted.addresses, wanted.until)?;
    Ok(ending)
}

fn as_text(outlook: &Outlook, verbose: bool) -> Vec<String> {
    let shown = outlook
        .nodes
        .iter()
        .filter(|node| verbose || node.standing != Standing::Fresh);
    let mut lines: Vec<String> = shown.flat_map(told).collect();
    let count = |standing| {
        outlook
            .nodes
            .iter()
            .filter(|node| node.standing == standing)
            .count()
    };
    let (runs, may) = (count(Standing::Runs), count(Standing::MayRun));
    lines.push(format!(
        "{runs} to run, {may} may run, {} fresh",
        count(Standing::Fresh)
    ));
    if outlook.unresolved > 0 {
        let builds = counted(outlook.unresolved, "build", "builds");
        lines.push(format!(
            "boots of {builds}: unknown until their configs are resolved and matched"
        ));
    }
    if runs + may > 0 {
        lines.push(cost(&outlook.nodes));
    }
    lines
}

/// A node and why: one reason beside it, several below it.
fn told(node: &Foreseen) -> Vec<String> {
    let word = match &node.standing {
        Standing::Fresh => "fresh",
        Standing::Runs => "run",
        Standing::MayRun => "may run",
        Standing::Failed(_) => "failed",
        Standing::Skipped(_) => "skipped",
    };
    let reasons = reasons(node);
    let node = format!("{word:<7}  {} {}", node.kind, node.name);
    match &reasons[..] {
        [reason] => vec![format!("{node}: {reason}")],
        reasons => {
            let below = reasons.iter().map(|reason| format!("           {reason}"));
            std::iter::once(node).chain(below).collect()
        }
    }
}

fn reasons(node: &Foreseen) -> Vec<String> {
    let own = format!("{}:{}", node.kind, node.name);
    match &node.standing {
        Standing::Failed(why) | Standing::Skipped(why) => vec![why.clone()],
        _ => node
            .reasons
            .iter()
            .map(|reason| reason.told_of(&own))
            .collect(),
    }
}

/// Each board with the builds that would boot it, and the names of the others.
fn boots(outlook: &Outlook) -> Vec<String> {
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for (board, builds) in &outlook.boards {
        if builds.is_empty() {
            others.push(board.as_str());
            continue;
        }
        let count = counted(builds.len(), "build", "builds");
        lines.push(format!("board {board}: {count} would boot it"));
        lines.extend(builds.iter().map(|build| format!("  {build}")));
    }
    lines.extend(unbooted(&others));
    lines
}

/// What those took that ran before, and what is known of the others: only what ran itself is a bound.
fn cost(nodes: &[Foreseen]) -> String {
    let pending = nodes
        .iter()
        .filter(|node| matches!(node.standing, Standing::Runs | Standing::MayRun));
    let (ran, new): (Vec<&Foreseen>, Vec<&Foreseen>) =
        pending.partition(|node| node.estimate_ms.is_some());
    let mut parts = Vec::new();
    if !ran.is_empty() {
        let known = ran.iter().filter_map(|node| node.estimate_ms).sum();
        let only = if new.is_empty() {
            ""
        } else {
            " for what ran before"
        };
        parts.push(format!("at most {}{only}", duration(known)));
    }
    if !new.is_empty() {
        let count = counted(new.len(), "node", "nodes");
        let like = new.iter().filter_map(|node| node.like_ms);
        let range = like.reduce(|(low, high), (least, most)| (low.min(least), high.max(most)));
        parts.push(match range {
            None => format!("unknown for {count} that never ran"),
            Some((low, high)) if low == high => format!(
                "unknown for {count} that never ran, others of their kind took {}",
                duration(low)
            ),
            Some((low, high)) => format!(
                "unknown for {count} that never ran, others of their kind took {} to {}",
                duration(low),
                duration(high)
            ),
        });
    }
    format!("cost: {}", parts.join("; "))
}

fn as_json(outlook: &Outlook) -> Vec<String> {
    let line = |node: &Foreseen| {
        let standing = match &node.standing {
            Standing::Fresh => "fresh",
            Standing::Runs => "run",
            Standing::MayRun => "may_run",
            Standing::Failed(_) => "failed",
            Standing::Skipped(_) => "skipped",
        };
        json!({
            "v": 1, "kind": node.kind, "name": node.name, "standing": standing,
            "reasons": reasons(node), "estimate_ms": node.estimate_ms, "like_ms": node.like_ms,
        })
    };
    let last = json!({
        "v": 1, "nodes": outlook.nodes.len(), "unresolved_builds": outlook.unresolved,
        "boards": outlook.boards,
    });
    outlook
        .nodes
        .iter()
        .map(line)
        .chain([last])
        .map(|line| line.to_string())
        .collect()
}
