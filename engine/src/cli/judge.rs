//! `engine judge`: what a console log means.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use serde_json::json;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use crate::console::BootResults;
use crate::console::BootVerdict;
use crate::console::Console;
use crate::console::Finding;
use crate::console::TestOutcome;
use crate::labs::Entry;
use crate::model::Judging;
use crate::model::Severity;

/// Version of a line of `--json`.
const VERSION: u32 = 1;

const AFTER: &str = "\
A log is what a serial line, netconsole, `dmesg` or `journalctl -k` gave, with or without stamps, or
the log of a LAVA job. No project is needed.

Examples:
  engine judge console.log
  lava-cli log 1234 | engine judge -
  engine judge --json captures/*.log
  engine judge --fails-on warning console.log";

/// Judge console logs: what the kernel complained about, and which tests failed
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct JudgeArgs {
    /// Console logs; `-` for standard input
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<String>,
    /// One line of JSON for each log
    #[arg(long)]
    json: bool,
    /// From which severity on a complaint of the kernel fails a log
    #[arg(long, value_name = "SEVERITY", value_parser = severities(), default_value = "error")]
    fails_on: Severity,
    /// A complaint that must come and fails nothing, by its title; `*` stands for anything
    #[arg(long, value_name = "TITLE")]
    expect: Vec<String>,
}

fn severities() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::word))
        .try_map(|word| Severity::of_word(&word).ok_or("no such severity"))
}

pub(super) fn run(context: &Context, args: &JudgeArgs) -> Result<Ending, Fault> {
    let mut ending = Ending::Good;
    for log in &args.logs {
        let results = judged(log, args)?;
        ending = match (results.verdict, ending) {
            (BootVerdict::Failed, _) | (_, Ending::Failed) => Ending::Failed,
            (BootVerdict::Broken, _) | (_, Ending::Undone) => Ending::Undone,
            _ => Ending::Good,
        };
        if args.json {
            context
                .terminal
                .data(format!("{}\n", as_json(log, &results)))?;
        } else {
            context.terminal.lines(&as_text(log, &results))?;
        }
    }
    Ok(ending)
}

fn judged(log: &str, args: &JudgeArgs) -> Result<BootResults, Fault> {
    let judging = Judging {
        fails_on: args.fails_on,
        expects: args.expect.clone(),
        reports_tests: false,
    };
    let path = Path::new(log);
    let mut console = Console::new(judging);
    let read = if log == "-" {
        feed(&mut console, io::stdin().lock())
    } else {
        let file = File::open(path)
            .map_err(|error| Fault::user(format!("cannot open `{log}`: {error}")))?;
        feed(&mut console, BufReader::with_capacity(1 << 16, file))
    };
    read.map_err(Fault::file("read", path))?;
    Ok(console.captured())
}

/// Reads all of a log; of a LAVA job's, what the machine printed.
fn feed(console: &mut Console, mut log: impl BufRead) -> io::Result<()> {
    if log.fill_buf()?.starts_with(b"- {") {
        let mut line = Vec::new();
        while log.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            if let Some(Entry::Console(text)) = Entry::parse(text.trim_end()) {
                console.push(text.as_bytes());
                console.push(b"\n");
            }
            line.clear();
        }
        return Ok(());
    }
    loop {
        let bytes = log.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let read = bytes.len();
        console.push(bytes);
        log.consume(read);
    }
}

fn as_json(log: &str, results: &BootResults) -> String {
    let mut told = json!(results);
    told["version"] = json!(VERSION);
    told["file"] = json!(log);
    if let Some(fields) = told.as_object_mut() {
        fields.remove("format");
    }
    told.to_string()
}

fn as_text(log: &str, results: &BootResults) -> Vec<String> {
    let verdict = match results.verdict {
        BootVerdict::Succeeded => "succeeded",
        BootVerdict::Failed => "failed",
        BootVerdict::Broken => "broken",
    };
    let said = if results.reason.is_empty() {
        &results.remark
    } else {
        &results.reason
    };
    let mut lines = vec![match said.as_str() {
        "" => format!("{log}: {verdict}"),
        said => format!("{log}: {verdict}: {said}"),
    }];
    lines.extend(results.findings.iter().map(told));
    if !results.tests.is_empty() {
        lines.push(format!(
            "  tests    {} passed, {} failed, {} skipped",
            results.count(TestOutcome::Pass),
            results.count(TestOutcome::Fail),
            results.count(TestOutcome::Skip)
        ));
    }
    let failed = results
        .tests
        .iter()
        .filter(|test| test.result == TestOutcome::Fail);
    lines.extend(failed.map(|test| {
        let why = test.detail.lines().next().unwrap_or_default();
        let colon = if why.is_empty() { "" } else { ": " };
        format!("  not ok   {}{colon}{why}", test.name)
    }));
    lines
}

fn told(finding: &Finding) -> String {
    let mut told = vec![finding.title.clone()];
    if !finding.module.is_empty() {
        told.push(format!("in module {}", finding.module));
    }
    if let Some(place) = &finding.place {
        told.push(format!("{}:{}", place.file, place.line));
    }
    if finding.first_line > 0 {
        told.push(format!("line {}", finding.first_line));
    }
    if finding.count > 1 {
        told.push(format!("{} times", finding.count));
    }
    if finding.expected {
        told.push("expected".to_owned());
    }
    format!("  {:7}  {}", finding.severity.word(), told.join(", "))
}
