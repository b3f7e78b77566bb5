//! `engine plan`: what would run, and why.

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use super::realize::Wanted;
use crate::drive::Foreseen;
use crate::drive::Outlook;
use crate::drive::Session;
use crate::drive::Standing;
use crate::graph::Kind;
use crate::terminal::Format;
use crate::terminal::Level;

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
    let mut ending = Ending::Good;
    if args.resolve {
        let session = context.session()?;
        let mut options = args.wanted.options(&session, None);
        options.until = Some(Kind::Match);
        options.keep_going = true;
        let observer = context.terminal.observer(Format::Text);
        ending = super::realize::ending(&session.realise(&options, &*observer)?);
    }
    let session = context.session()?;
    let outlook = foresee(&session, args)?;
    let text = if args.json {
        as_json(&outlook)
    } else {
        as_text(&outlook, context.terminal.level() == Level::Verbose)
    };
    context.terminal.data(text)?;
    Ok(ending)
}

fn foresee(session: &Session, args: &PlanArgs) -> Result<Outlook, Fault> {
    let wanted = &args.wanted;
    Ok(session.outlook(&wanted.addresses, wanted.until, wanted.retry_failed)?)
}

fn as_text(outlook: &Outlook, verbose: bool) -> String {
    let mut text = String::new();
    for node in &outlook.nodes {
        let name = format!("{} {}", node.kind, node.name);
        match &node.standing {
            Standing::Fresh if verbose => text.push_str(&format!("fresh    {name}\n")),
            Standing::Fresh => {}
            Standing::Runs => {
                text.push_str(&format!("run      {name}\n"));
                for reason in &node.reasons {
                    text.push_str(&format!("           {reason}\n"));
                }
            }
            Standing::MayRun => text.push_str(&format!("may run  {name}\n")),
            Standing::Failed(why) => text.push_str(&format!("failed   {name}: {why}\n")),
            Standing::Skipped(why) => text.push_str(&format!("skipped  {name}: {why}\n")),
        }
    }
    let count = |wanted: fn(&Standing) -> bool| {
        outlook
            .nodes
            .iter()
            .filter(|node| wanted(&node.standing))
            .count()
    };
    let (runs, may) = (
        count(is_run),
        count(|standing| *standing == Standing::MayRun),
    );
    let fresh = count(|standing| *standing == Standing::Fresh);
    text.push_str(&format!("{runs} to run, {may} may run, {fresh} fresh\n"));
    if outlook.unresolved > 0 {
        text.push_str(&format!(
            "boots of {} builds: unknown until their configs are resolved\n",
            outlook.unresolved
        ));
    }
    if runs + may > 0 {
        text.push_str(&cost(&outlook.nodes));
    }
    text
}

fn is_run(standing: &Standing) -> bool {
    *standing == Standing::Runs
}

/// The time earlier runs took, and for how many nodes nothing is known.
fn cost(nodes: &[Foreseen]) -> String {
    let pending = || {
        nodes
            .iter()
            .filter(|node| matches!(node.standing, Standing::Runs | Standing::MayRun))
    };
    let known: u64 = pending().filter_map(|node| node.estimate_ms).sum();
    let unknown = pending().filter(|node| node.estimate_ms.is_none()).count();
    match (pending().count() - unknown, unknown) {
        (0, _) => "cost: unknown, as nothing like it ran before\n".to_owned(),
        (_, 0) => format!(
            "cost: at most {}, by what earlier runs took\n",
            duration(known)
        ),
        (_, unknown) => format!(
            "cost: at most {}, by what earlier runs took, and {unknown} nodes of unknown cost\n",
            duration(known)
        ),
    }
}

fn duration(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{} min", seconds.div_ceil(60)),
    }
}

fn as_json(outlook: &Outlook) -> String {
    let mut text = String::new();
    for node in &outlook.nodes {
        let (standing, why) = match &node.standing {
            Standing::Fresh => ("fresh", None),
            Standing::Runs => ("run", None),
            Standing::MayRun => ("may_run", None),
            Standing::Failed(why) => ("failed", Some(why)),
            Standing::Skipped(why) => ("skipped", Some(why)),
        };
        let reasons: Vec<String> = node
            .reasons
            .iter()
            .map(ToString::to_string)
            .chain(why.cloned())
            .collect();
        let line = json!({
            "v": 1, "kind": node.kind, "name": node.name, "standing": standing,
            "reasons": reasons, "estimate_ms": node.estimate_ms,
        });
        text.push_str(&format!("{line}\n"));
    }
    let line =
        json!({ "v": 1, "nodes": outlook.nodes.len(), "unresolved_builds": outlook.unresolved });
    text.push_str(&format!("{line}\n"));
    text
}
