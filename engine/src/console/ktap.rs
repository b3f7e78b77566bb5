//! KTAP and TAP as they are really printed: by `KUnit`, kselftest, TAP 13 and TAP 14 producers.
//!
//! Formats: kernel `Documentation/dev-tools/ktap.rst`, `tools/testing/selftests/kselftest/runner.sh`, <https://testanything.org>.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::Measurement;
use super::TestOutcome;
use super::TestResult;
use crate::text::regex;

/// Results that are kept; more only count.
pub(super) const MAX_TESTS: usize = 20_000;
/// Diagnostic lines that are kept for the test to come, and in the block behind a test.
const MAX_DIAGNOSTICS: usize = 20;
/// Problems that are kept.
const MAX_PROBLEMS: usize = 20;

/// kselftest numbered by `1..2` once.
static RESULT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(not )?ok(?:[ \t]+(\d+)(?:\.\.\d+)?)?(?:[ \t]*- |[ \t]+|$)(.*)$"));
static DIRECTIVE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)^(skip|todo|xfail|timeout|error|exit=\d+)(?:ped|:)?(?:[ \t]+(.*)|$)")
});
/// How kselftest marked results once.
static MARKED: LazyLock<Regex> = LazyLock::new(|| regex(r"^(.*?) *\[ *(PASS|FAIL|SKIP) *\]$"));
static MEASURED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^([A-Za-z][\w. -]*?)\s*[:=]\s*(-?\d+(?:\.\d+)?)\s*([A-Za-z%][\w/%]*)?$")
});

/// One level of tests.
#[derive(Debug, Default)]
struct Level {
    indent: usize,
    /// From `# Subtest:`.
    name: String,
    planned: Option<u64>,
    seen: u64,
    numbers: HashSet<u64>,
    last: u64,
    /// Results are printed with numbers.
    numbered: bool,
    /// The first of its tests.
    first: usize,
    /// A header or a plan said that it is one.
    declared: bool,
}

/// The results of one writer. The kernel (`KUnit`, by task) and user space have one each, because their lines interleave.
#[derive(Debug, Default)]
pub(super) struct Ktap {
    levels: Vec<Level>,
    /// The name of the group that is to be opened below.
    pending: Option<String>,
    diagnostics: Vec<String>,
    measured: Vec<Measurement>,
    /// In a block of YAML behind a result.
    block: bool,
    problems: Vec<String>,
    tests: Vec<(u64, TestResult)>,
    /// `1..0`: nothing was to be run.
    skipped: Option<String>,
}

impl Ktap {
    /// Why no test was run, where that was said.
    pub(super) fn skipped(&self) -> Option<&str> {
        self.skipped.as_deref()
    }

    /// Whether a plan says that result `number` is to come next.
    pub(super) fn awaits(&self, number: u64) -> bool {
        let level = self.levels.last();
        level.is_some_and(|level| {
            level.declared
                && level.last + 1 == number
                && level.planned.is_none_or(|all| number <= all)
        })
    }

    /// Reads line `order` of the log; says whether it was of a protocol. `bare` results count without a header.
    pub(super) fn line(&mut self, line: &str, order: u64, bare: bool) -> bool {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.is_empty() {
            return false;
        }
        if self.block {
            self.detail(text);
            return true;
        }
        if let Some(comment) = text.strip_prefix('#') {
            return self.comment(indent, comment, order, bare);
        }
        self.tap(indent, text, order, bare)
    }

    fn tap(&mut self, indent: usize, text: &str, order: u64, bare: bool) -> bool {
        // Most lines of a log are none of this.
        if !text.starts_with(['K', 'T', '1', 'o', 'n', 'B', '-']) {
            return false;
        }
        if text.starts_with("KTAP version ") || text.starts_with("TAP version ") {
            self.header(indent);
        } else if let Some(plan) = text.strip_prefix("1..") {
            return self.plan(indent, plan, bare);
        } else if let Some(why) = text.strip_prefix("Bail out!") {
            if self.levels.is_empty() && !bare {
                return false;
            }
            let why = why.trim();
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(": {why}")
            };
            self.problem(format!("the tests bailed out{why}"));
        } else if text == "---"
            && !self.tests.is_empty()
            && self
                .levels
                .last()
                .is_some_and(|level| indent > level.indent)
        {
            self.block = true;
        } else if text.starts_with("ok") || text.starts_with("not ok") {
            return self.result(indent, text, order, bare);
        } else {
            return false;
        }
        true
    }

    /// The results, with their order, and what is wrong with them in words.
    pub(super) fn finish(mut self) -> (Vec<(u64, TestResult)>, Vec<String>) {
        self.close(0, None);
        (self.tests, self.problems)
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn header(&mut self, indent: usize) {
        self.close(indent, None);
        self.open(indent);
        if let Some(level) = self.levels.last_mut() {
            level.declared = true;
        }
        self.diagnostics.clear();
    }

    fn open(&mut self, indent: usize) {
        self.levels.push(Level {
            indent,
            name: self.pending.take().unwrap_or_default(),
            first: self.tests.len(),
            ..Level::default()
        });
    }

    /// Makes the level at `indent` the innermost.
    fn at(&mut self, indent: usize) -> Option<&mut Level> {
        self.close(indent + 1, None);
        if self.levels.last().is_none_or(|level| level.indent < indent) {
            self.open(indent);
        }
        self.levels.last_mut()
    }

    /// Closes every level at `indent` or deeper; `parent` is the name of the result that stands for the outermost of them. Says whether
    /// any of them had tests.
    fn close(&mut self, indent: usize, parent: Option<&str>) -> bool {
        let mut any = false;
        while let Some(level) = self.levels.pop_if(|level| level.indent >= indent) {
            let outermost = self.levels.last().is_none_or(|below| below.indent < indent);
            let name = match parent {
                Some(parent) if outermost && !parent.is_empty() => parent,
                _ => level.name.as_str(),
            };
            any |= self.tests.len() > level.first;
            let of = if name.is_empty() {
                String::new()
            } else {
                format!(" of `{name}`")
            };
            let distinct = level.numbers.len() as u64;
            match level.planned {
                Some(planned) if level.seen > planned => self.problem(format!(
                    "{} tests{of} reported, {planned} planned",
                    level.seen
                )),
                Some(planned) if distinct < planned => self.problem(format!(
                    "{distinct} of {planned} planned tests{of} reported"
                )),
                _ => {}
            }
            if !name.is_empty() {
                let name = name.to_owned();
                for (_, test) in &mut self.tests[level.first..] {
                    test.name = format!("{name}/{}", test.name);
                }
            }
        }
        any
    }

    fn comment(&mut self, indent: usize, comment: &str, order: u64, bare: bool) -> bool {
        let inner = comment.trim_start();
        if let Some(name) = inner.strip_prefix("Subtest:") {
            self.subtest(indent, name.trim());
            return true;
        }
        if self.levels.is_empty() && !bare {
            return false;
        }
        // kselftest puts a comment's mark before what a test prints: its own results are below the one that is to come.
        let strict = RESULT
            .captures(inner)
            .is_some_and(|found| found.get(2).is_some())
            || inner.starts_with("TAP version ")
            || inner.starts_with("KTAP version ")
            || (inner.starts_with("1..") && inner[3..].trim().parse::<u64>().is_ok());
        if strict && (!self.levels.is_empty() || inner.starts_with("not ok")) {
            let depth = comment.len() - inner.len();
            return self.tap(indent + 1 + depth, inner, order, bare);
        }
        if inner.starts_with('#') && !self.levels.is_empty() {
            return self.comment(indent + 2, inner.trim_start_matches('#'), order, bare);
        }
        if let Some(found) = MEASURED.captures(inner)
            && self.measured.len() < MAX_DIAGNOSTICS
        {
            self.measured.push(measurement(&found));
        }
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(inner.to_owned());
        }
        !self.levels.is_empty()
    }

    /// `# Subtest: NAME`: at the indent of its tests in `KUnit`, at its parent's in TAP 14.
    fn subtest(&mut self, indent: usize, name: &str) {
        let Some(level) = self.at(indent) else {
            return;
        };
        let is_fresh = level.name.is_empty() && level.seen == 0 && level.planned.is_none();
        level.declared = true;
        if is_fresh && indent > 0 {
            name.clone_into(&mut level.name);
        } else {
            self.pending = Some(name.to_owned());
        }
        self.diagnostics.clear();
    }

    fn plan(&mut self, indent: usize, plan: &str, bare: bool) -> bool {
        let digits: String = plan.chars().take_while(char::is_ascii_digit).collect();
        let rest = plan[digits.len()..].trim();
        let Ok(planned) = digits.parse::<u64>() else {
            return false;
        };
        if !rest.is_empty() && !rest.starts_with('#') || (self.levels.is_empty() && !bare) {
            return false;
        }
        if planned == 0 {
            let why = directive(rest.trim_start_matches('#').trim()).map(|(_, why)| why);
            self.skipped = Some(why.unwrap_or_default());
        }
        if let Some(level) = self.at(indent) {
            level.declared = true;
            level.planned = Some(planned);
        }
        true
    }

    fn result(&mut self, indent: usize, text: &str, order: u64, bare: bool) -> bool {
        let Some(found) = RESULT.captures(text) else {
            return false;
        };
        let ok = found.get(1).is_none();
        let number: Option<u64> = found.get(2).and_then(|number| number.as_str().parse().ok());
        // A failure counts wherever and however it is told.
        let level = self.levels.last();
        let known = level.is_some_and(|level| number.is_some() || !level.numbered);
        let counts = known || bare && (number.is_some() || !ok);
        if !counts {
            return false;
        }
        if self.levels.is_empty() && number.is_none() && ok {
            return false;
        }
        let (name, outcome, why) = outcome(ok, &found[3]);
        let had_tests = self.close(indent + 1, Some(&name));
        let Some(level) = self.at(indent) else {
            return false;
        };
        let number = number.unwrap_or(level.last + 1);
        level.numbered |= found.get(2).is_some();
        level.last = number;
        level.seen += 1;
        let twice = !level.numbers.insert(number);
        if twice {
            self.problem(format!("test number {number} came twice"));
        }
        let name = if name.is_empty() {
            number.to_string()
        } else {
            name
        };
        let diagnostics = std::mem::take(&mut self.diagnostics);
        let measurements = std::mem::take(&mut self.measured);
        // What stands for its subtests is none of its own, unless it alone failed.
        let first = self.tests.len();
        if had_tests {
            let below = format!("{name}/");
            let told = self.tests[..first]
                .iter()
                .rev()
                .take_while(|(_, test)| test.name.starts_with(&below))
                .any(|(_, test)| test.result == TestOutcome::Fail);
            if outcome != TestOutcome::Fail || told {
                return true;
            }
        }
        let detail = match outcome {
            TestOutcome::Pass => String::new(),
            TestOutcome::Skip => why,
            TestOutcome::Fail => Some(why)
                .filter(|why| !why.is_empty())
                .into_iter()
                .chain(diagnostics)
                .collect::<Vec<_>>()
                .join("\n"),
        };
        if self.tests.len() < MAX_TESTS {
            self.tests.push((
                order,
                TestResult {
                    name,
                    result: outcome,
                    detail,
                    measurements,
                },
            ));
        }
        true
    }

    /// A line of the block of YAML behind a result.
    fn detail(&mut self, said: &str) {
        if said == "..." {
            self.block = false;
            return;
        }
        let Some((_, test)) = self.tests.last_mut() else {
            return;
        };
        if let Some(found) = MEASURED.captures(said) {
            if test.measurements.len() < MAX_DIAGNOSTICS {
                test.measurements.push(measurement(&found));
            }
        } else if test.result == TestOutcome::Fail && test.detail.lines().count() < MAX_DIAGNOSTICS
        {
            if !test.detail.is_empty() {
                test.detail.push('\n');
            }
            test.detail.push_str(said);
        }
    }
}

fn measurement(found: &regex::Captures) -> Measurement {
    let (mut name, mut unit) = (
        found[1].to_owned(),
        found.get(3).map_or("", |unit| unit.as_str()),
    );
    // `duration_ms: 12`
    if unit.is_empty()
        && let Some((rest, known)) = name.rsplit_once('_')
        && let Some(known) = ["ns", "us", "ms", "s", "bytes", "percent"]
            .into_iter()
            .find(|unit| *unit == known)
    {
        let length = rest.len();
        unit = known;
        name.truncate(length);
    }
    Measurement {
        name,
        value: found[2].to_owned(),
        unit: unit.to_owned(),
    }
}

/// What a directive says: its word in lower case, and why.
fn directive(text: &str) -> Option<(String, String)> {
    let found = DIRECTIVE.captures(text)?;
    let why = found.get(2).map_or("", |why| why.as_str()).trim();
    Some((found[1].to_lowercase(), why.to_owned()))
}

/// The name of a result, what became of it, and why.
fn outcome(ok: bool, rest: &str) -> (String, TestOutcome, String) {
    let plain = if ok {
        TestOutcome::Pass
    } else {
        TestOutcome::Fail
    };
    let begin = rest.char_indices().find(|(at, c)| {
        *c == '#'
            && rest[..*at]
                .chars()
                .next_back()
                .is_none_or(char::is_whitespace)
            && directive(rest[at + 1..].trim()).is_some()
    });
    let Some((begin, _)) = begin else {
        if let Some(found) = MARKED.captures(rest) {
            let outcome = match &found[2] {
                "SKIP" => TestOutcome::Skip,
                "FAIL" => TestOutcome::Fail,
                _ => plain,
            };
            return (unescaped(&found[1]), outcome, String::new());
        }
        return (unescaped(rest.trim()), plain, String::new());
    };
    let said = rest[begin + 1..].trim();
    let all: Vec<(String, String)> = said
        .split('#')
        .filter_map(|part| directive(part.trim()))
        .collect();
    let name = unescaped(rest[..begin].trim_end());
    let skip = all
        .iter()
        .find(|(word, _)| matches!(word.as_str(), "skip" | "todo" | "xfail"));
    match skip {
        Some((word, why)) if word == "skip" => (name, TestOutcome::Skip, why.clone()),
        Some((word, why)) => (
            name,
            TestOutcome::Skip,
            format!("{} {why}", word.to_uppercase())
                .trim_end()
                .to_owned(),
        ),
        None if all
            .iter()
            .any(|(word, _)| matches!(word.as_str(), "timeout" | "error")) =>
        {
            (name, TestOutcome::Fail, said.to_owned())
        }
        None => (name, plain, said.to_owned()),
    }
}

fn unescaped(name: &str) -> String {
    name.replace("\\#", "#").replace("\\\\", "\\")
}
