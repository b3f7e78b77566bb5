//! `engine explore`: let a script look for failures in configurations.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::context::AtLab;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use super::realize::Means;
use crate::drive::Budget;
use crate::drive::Exploration;
use crate::drive::ExploreOptions;
use crate::drive::RunOptions;
use crate::drive::Stage;
use crate::eval::Coverage;
use crate::recipe::Neighbours;
use crate::terminal::Format;
use crate::terminal::table;
use crate::text::counted;
use crate::text::duration;

const AFTER: &str = "\
The script asks for configurations, builds and boots, and sees what came of them: `engine doc --explore` is its reference.
What it learnt stays in the store, so the same script run again goes on where it stopped. A new failure makes the exit code 1.

Examples:
  engine explore hour.rhai --budget 1h
  engine explore planted.rhai --set seeds=50 --budget '20 builds'";

/// Explore configurations by a script, and minimise what fails
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct ExploreArgs {
    /// The script, in a project's directory
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,
    /// What `setting(NAME, …)` gives in the script
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// How much it may take: a time (`90s`, `30m`, `2h`), or new kernels (`200 builds`)
    #[arg(long, value_name = "BUDGET", value_parser = budget)]
    budget: Option<Budget>,
    /// Run recorded failures again
    #[arg(long)]
    retry_failed: bool,
    /// Build every kernel from nothing, not from the objects of the one that is most like it
    #[arg(long)]
    clean: bool,
    /// Write what it came to as JSON to standard output, and nothing else
    #[arg(long)]
    json: bool,
    /// Where the links to results go [default: `results` in the project]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    #[command(flatten)]
    means: Means,
    #[command(flatten)]
    lab: AtLab,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write `NAME=VALUE`")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn budget(text: &str) -> Result<Budget, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let wrong = "write a time, such as `30m`, or `200 builds`";
    let number: u64 = number.parse().map_err(|_| wrong)?;
    let secs = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "build" | "builds" => {
            return Ok(Budget::Builds(
                usize::try_from(number).unwrap_or(usize::MAX),
            ));
        }
        _ => return Err(wrong.to_owned()),
    };
    Ok(Budget::Time(Duration::from_secs(
        number.saturating_mul(secs),
    )))
}

pub(super) fn run(context: &Context, args: &ExploreArgs) -> Result<Ending, Fault> {
    let script = fs::canonicalize(&args.script).map_err(|error| {
        Fault::user(format!("cannot find `{}`: {error}", args.script.display()))
    })?;
    let context = context.clone().of_file(&script);
    let session = args.lab.session(&context, &[])?;
    let below = script.strip_prefix(&session.project).map_err(|_| {
        let project = session.project.display();
        Fault::user(format!(
            "`{}` is not in the project `{project}`",
            script.display()
        ))
    })?;
    let explore = ExploreOptions {
        script: below.display().to_string(),
        settings: args.set.iter().cloned().collect::<BTreeMap<_, _>>(),
        budget: args.budget.unwrap_or(Budget::Endless),
    };
    let options = RunOptions {
        // What is named only keeps the run from being taken for one of everything.
        patterns: vec![explore.script.clone()],
        retry_failed: args.retry_failed,
        neighbours: (!args.clean).then(Neighbours::default),
        ..args.means.options(&session, args.results.as_deref())
    };
    let observer = context.terminal.observer(Format::Text);
    let explored = session.explore(&options, &explore, &*observer)?;
    let found = &explored.exploration;
    if !explored.mistakes.is_empty() {
        context.terminal.complain(&explored.mistakes);
    }
    if explored.mistakes.is_empty() || found.tried > 0 {
        tell(&context, args, &options.results, below, found)?;
    }
    for name in &explored.unused {
        context.terminal.say(&format!(
            "`--set {name}=…`: the script asks for no such setting"
        ));
    }
    explored.kept?;
    if !explored.mistakes.is_empty() {
        return Err(Fault::user("").quiet());
    }
    let interrupted = explored.report.interrupted && found.ended.is_empty();
    let new = found.clusters.iter().any(|cluster| cluster.class == "new");
    Ok(match (interrupted, new) {
        (true, _) => Ending::Undone,
        (_, true) => Ending::Failed,
        _ => Ending::Good,
    })
}

/// Prints what it came to, and keeps it among the results.
fn tell(
    context: &Context,
    args: &ExploreArgs,
    results: &Path,
    script: &Path,
    found: &Exploration,
) -> Result<(), Fault> {
    let json =
        serde_json::to_string_pretty(found).map_err(|error| Fault::engine(error.to_string()))?;
    if args.json {
        context.terminal.data(format!("{json}\n"))?;
    } else {
        context.terminal.data(told(found))?;
    }
    let report = report_file(results, script);
    let kept = report.parent().map_or(Ok(()), fs::create_dir_all);
    kept.and_then(|()| fs::write(&report, json + "\n"))
        .map_err(Fault::file("write", &report))?;
    context
        .terminal
        .say(&format!("report: {}", report.display()));
    Ok(())
}

/// `results/explore/SCRIPT.json`
fn report_file(results: &Path, script: &Path) -> PathBuf {
    results.join("explore").join(script.with_extension("json"))
}

/// What it came to, as text.
fn told(found: &Exploration) -> String {
    let mut lines = vec![format!(
        "configs  {} asked for ({} had a result), {} different, {} fit a board, {} could not be resolved; {:.1} a minute",
        found.tried,
        found.tried_cached,
        found.distinct,
        found.matched,
        found.unresolved,
        found.decided_a_minute,
    )];
    lines.push(format!(
        "builds   {}",
        stage(&found.builds, found.shared_builds)
    ));
    lines.push(format!(
        "boots    {}",
        stage(&found.boots, found.shared_boots)
    ));
    lines.push(format!(
        "time     {} configuring, {} building, {} booting; {} in all",
        duration(found.config_ms),
        duration(found.builds.ms),
        duration(found.boots.ms),
        duration(found.wall_ms),
    ));
    for (
        arch,
        Coverage {
            built,
            booted,
            objects,
        },
    ) in &found.coverage
    {
        lines.push(format!(
            "covered  {arch}: {built} symbols built, {booted} booted, {objects} object files"
        ));
    }
    if !found.ended.is_empty() {
        lines.push(format!("ended    {}", found.ended));
    }
    let mut text = lines.join("\n") + "\n";
    text += &clusters(found);
    for culprits in &found.culprits {
        text = format!(
            "{text}\n{}: {} fails by\n",
            culprits.address, culprits.signature
        );
        for fragment in &culprits.fragments {
            let symbols = fragment
                .symbols
                .iter()
                .map(|(symbol, value)| format!("{symbol}={value}"));
            let verified = if fragment.verified {
                "built again"
            } else {
                "not seen again"
            };
            text = format!(
                "{text}  {}\n    {} ({verified}; {}, {} with a result)\n",
                symbols.collect::<Vec<_>>().join(" "),
                fragment.address,
                counted(fragment.probes, "probe", "probes"),
                fragment.cached,
            );
        }
    }
    text
}

/// The failures by signature: a table, then the reason and the first address of each.
fn clusters(found: &Exploration) -> String {
    if found.clusters.is_empty() {
        return String::new();
    }
    let head = ["CLASS", "FAILED", "ON", "SIGNATURE"]
        .map(str::to_owned)
        .to_vec();
    let mut rows = vec![head];
    for cluster in &found.clusters {
        let axes: Vec<&str> = cluster.axes.iter().map(String::as_str).collect();
        rows.push(vec![
            cluster.class.to_owned(),
            format!("{} of {}", cluster.failed, cluster.runs),
            axes.join(" "),
            cluster.signature.clone(),
        ]);
    }
    let mut text = format!("\n{}", table(&rows));
    for cluster in &found.clusters {
        let more = cluster.addresses.len() - 1;
        let more = if more > 0 {
            format!(", and {more} more")
        } else {
            String::new()
        };
        let address = cluster.addresses.first().map_or("", String::as_str);
        text = format!(
            "{text}\n{}\n  {}\n  {address}{more}\n",
            cluster.signature, cluster.reason
        );
        if !cluster.symbols.is_empty() {
            text = format!(
                "{text}  all have {}; nothing that succeeded has\n",
                cluster.symbols.join(" ")
            );
        }
    }
    text
}

fn stage(stage: &Stage, shared: usize) -> String {
    let counts = [
        (stage.succeeded, "succeeded"),
        (stage.failed, "failed"),
        (stage.flaky, "flaky"),
        (stage.broken, "broken"),
        (stage.skipped, "skipped"),
        (stage.open, "not ended"),
        (shared, "shared with an equal one"),
        (stage.cached, "had a result"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match stage.all() {
        0 => "none".to_owned(),
        all => format!("{all} asked for: {}", counts.join(", ")),
    }
}
