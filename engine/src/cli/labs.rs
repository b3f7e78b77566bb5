//! `engine labs`: who we are in each lab, and what it has; `engine labs gather` takes what became of jobs left there.

use std::collections::BTreeMap;

use clap::Args;
use clap::Subcommand;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::context::Context;
use super::context::variable;
use super::fault::Ending;
use super::fault::Fault;
use super::realize;
use crate::drive::LabView;
use crate::labs::Outlook;
use crate::terminal::table;
use crate::text::counted;

const AFTER: &str = "\
Examples:
  engine labs
  engine realize --submit-only && engine labs gather     two machines may do one each, on one store";

/// Show each lab: who we are there, its device types and devices, its queue, and which boards it boots
#[derive(Debug, Args)]
#[command(after_help = AFTER, args_conflicts_with_subcommands = true)]
pub(super) struct LabsArgs {
    /// Print one JSON object per lab
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<LabsCommand>,
}

#[derive(Debug, Subcommand)]
enum LabsCommand {
    /// Wait for jobs that were submitted by `--submit-only` or by a run that was ended, and take their results
    Gather(GatherArgs),
}

/// What is gathered, and how.
#[derive(Debug, Args)]
struct GatherArgs {
    #[command(flatten)]
    realize: realize::RealizeArgs,
    /// Cancel and forget jobs whose boots are others now, as the definitions have changed
    #[arg(long)]
    forget: bool,
}

pub(super) fn run(context: &Context, args: &LabsArgs) -> Result<Ending, Fault> {
    if let Some(LabsCommand::Gather(args)) = &args.command {
        return gather(context, args);
    }
    let session = context.session(&[])?;
    let labs = session.labs(variable)?;
    if args.json {
        let lines: Vec<String> = labs.iter().map(|lab| as_json(lab).to_string()).collect();
        context.terminal.lines(&lines)?;
    } else if labs.is_empty() {
        context
            .terminal
            .say("no lab is declared: boards boot in QEMU on this machine");
    } else {
        let told: Vec<String> = labs.iter().map(told).collect();
        context.terminal.data(told.join("\n"))?;
    }
    let down = labs.iter().any(|lab| matches!(lab.outlook, Some(Err(_))));
    Ok(if down { Ending::Undone } else { Ending::Good })
}

fn gather(context: &Context, args: &GatherArgs) -> Result<Ending, Fault> {
    let session = args.realize.wanted.lab.session(context, &[])?;
    let tickets = session.submitted();
    if tickets.is_empty() {
        context.terminal.say("no job of this project is in a lab");
        return Ok(Ending::Good);
    }
    for ticket in &tickets {
        let job = ticket
            .job
            .map_or_else(|| "job".to_owned(), |job| format!("job {job}"));
        let (name, lab) = (&ticket.name, &ticket.lab);
        context
            .terminal
            .say(&format!("{name}: {job} of lab `{lab}`"));
    }
    let names = tickets.into_iter().map(|ticket| ticket.name).collect();
    let ending = realize::realise(context, &args.realize, names)?;
    let left = session.submitted();
    if args.forget {
        for line in session.forget(&left, variable)? {
            context.terminal.say(&line);
        }
    } else if !left.is_empty() {
        let jobs = counted(left.len(), "job is", "jobs are");
        context.terminal.say(&format!(
            "{jobs} of other definitions than these, or of another lab: `engine labs gather --forget` cancels them"
        ));
    }
    Ok(ending)
}

/// One object for a lab, whatever its kind.
fn as_json(lab: &LabView) -> Value {
    let boards = lab.boards.iter().map(|(board, good)| {
        let good = match good {
            Ok(count) => json!({ "good": count }),
            Err(why) => json!({ "good": 0, "reason": why }),
        };
        (board.clone(), good)
    });
    let mut object = json!({
        "name": lab.name,
        "kind": if lab.url.is_some() { "lava" } else { "qemu" },
        "boards": boards.collect::<Map<String, Value>>(),
    });
    if let (Some(url), Some(user)) = (&lab.url, &lab.user) {
        object["url"] = json!(url);
        object["user"] = json!(user);
    }
    match &lab.outlook {
        Some(Ok(Outlook { version, offer })) => {
            object["version"] = json!(version);
            object["types"] = json!(offer.types);
            object["devices"] = json!(offer.devices);
            object["queue"] = json!(offer.queue);
        }
        Some(Err(why)) => object["error"] = json!(why),
        None => {}
    }
    object
}

fn told(lab: &LabView) -> String {
    let name = &lab.name;
    let Some(outlook) = &lab.outlook else {
        let boards: Vec<&str> = lab.boards.keys().map(String::as_str).collect();
        return format!(
            "{name}: QEMU on this machine\n  boards: {}\n",
            boards.join(", ")
        );
    };
    let url = lab.url.as_deref().unwrap_or_default();
    let user = lab.user.as_deref().unwrap_or_default();
    let Outlook { version, offer } = match outlook {
        Ok(outlook) => outlook,
        Err(why) => return format!("{name}: {url}\n  cannot be used: {why}\n"),
    };
    let head = ["TYPE", "DEVICES", "QUEUE"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    for device_type in &offer.types {
        let of_type = offer
            .devices
            .iter()
            .filter(|device| device.device_type == *device_type);
        let mut words: BTreeMap<String, usize> = BTreeMap::new();
        for device in of_type {
            let offline = if device.online {
                ""
            } else {
                " (worker offline)"
            };
            *words
                .entry(format!("{}{offline}", device.health))
                .or_default() += 1;
        }
        let words: Vec<String> = words
            .iter()
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let queue = offer.queue.get(device_type).copied().unwrap_or(0);
        rows.push(vec![
            device_type.clone(),
            words.join(", "),
            queue.to_string(),
        ]);
    }
    let devices = table(&rows)
        .lines()
        .fold(String::new(), |text, line| text + "  " + line + "\n");
    let boards = lab.boards.iter().map(|(board, good)| match good {
        Ok(count) => format!(
            "  {board}: {}\n",
            counted(*count, "good device", "good devices")
        ),
        Err(why) => format!("  {board}: {why}\n"),
    });
    let boards: String = boards.collect();
    format!("{name}: {url} (LAVA {version}), ordinary user `{user}`\n{devices}{boards}")
}
