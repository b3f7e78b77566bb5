//! Reads a boot's console as it comes, and judges it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::BootResults;
use super::BootVerdict;
use super::End;
use super::TestOutcome;
use super::TestResult;
use super::findings::Class;
use super::findings::Finding;
use super::findings::Findings;
use super::findings::normal;
use super::ktap::Ktap;
use super::lines::Line;
use super::lines::Lines;
use super::ltp::Ltp;
use super::results::FORMAT;
use super::stamp::Caller;
use crate::model::Judging;
use crate::model::Severity;
use crate::text::regex;

/// What `stdlib/init.c` prints, line by line.
const INIT_REACHED: &str = "engine: init reached";
const KERNEL: &str = "engine: kernel ";
const SUITE_EXITED: &str = "engine: suite exited ";
const SUITE_KILLED: &str = "engine: suite killed by signal ";
const MARKER: &str = "engine: ";

/// Writers of KTAP in the kernel that are told apart.
const MAX_WRITERS: usize = 32;

/// A result behind what was printed without a newline.
static GLUED: LazyLock<Regex> = LazyLock::new(|| regex(r"[^\s#]((?:not )?ok (\d+)(?: .*)?)$"));

/// How the suite ended, as `/init` saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SuiteEnd {
    Exited(i32),
    Killed(i32),
}

/// The reader of one boot's console.
#[derive(Debug, Default)]
pub struct Console {
    lines: Lines,
    log: Log,
}

impl Console {
    /// Starts reading what is to be judged as a suite says.
    pub fn new(judging: Judging) -> Self {
        Self {
            lines: Lines::default(),
            log: Log {
                judging,
                ..Log::default()
            },
        }
    }

    /// Reads more of the console: any bytes, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        let log = &mut self.log;
        self.lines.push(bytes, |line| log.line(line));
    }

    /// Whether `/init` was reached.
    pub fn init_reached(&self) -> bool {
        self.log.init_reached
    }

    /// Whether nothing that counts can come any more: the suite ended, or the kernel panicked.
    /// Some machines halt here instead of ending, so a lab ends them itself after a while.
    pub fn is_over(&self) -> bool {
        self.log.suite_end.is_some() || self.log.findings.panicked()
    }

    /// Whether the kernel said that it failed.
    pub fn has_failed(&self) -> bool {
        self.log.findings.any(self.log.judging.fails_on)
    }

    /// Whether the kernel, or what it started, printed anything.
    pub fn has_kernel(&self) -> bool {
        !self.log.kernel_version.is_empty() || self.log.init_reached
    }

    /// Judges a boot whose tests were driven from outside: by the kernel's own words, the tests, and `error`, which says why whoever drove
    /// them did not get to their end, if they did not.
    pub fn driven(self, tests: Vec<TestResult>, error: String) -> BootResults {
        let mut log = self.all();
        log.read.tests = tests;
        let reason = log.failure();
        let reason = reason.or_else(|| (!error.is_empty()).then(|| error.into()));
        let none = log
            .read
            .tests
            .is_empty()
            .then(|| "no test ran".to_owned().into());
        log.results(reason.or(none))
    }

    /// Judges the boot. `remark` is what the machine's program said beside the console, used to
    /// explain a machine that did not run.
    pub fn finish(self, end: End, remark: &str) -> BootResults {
        self.all().judge(end, remark)
    }

    /// Judges a log from anywhere: whether there was a suite that was to end is known only where `/init` was reached.
    pub fn captured(self) -> BootResults {
        let log = self.all();
        if log.init_reached {
            return log.judge(End::Exited(0), "");
        }
        let why = if log.last_line.is_empty() {
            // Whoever recorded it may have missed it all.
            Some(Why::broken("no console output".to_owned()))
        } else {
            log.failure()
        };
        log.results(why)
    }

    fn all(self) -> Judged {
        let Self { lines, mut log } = self;
        lines.finish(|line| log.line(line));
        log.judged()
    }
}

#[derive(Debug, Default)]
struct Log {
    judging: Judging,
    init_reached: bool,
    suite_end: Option<SuiteEnd>,
    kernel_version: String,
    last_line: String,
    kunit: BTreeMap<Option<Caller>, Ktap>,
    suite: Ktap,
    ltp: Ltp,
    others: Vec<(u64, TestResult)>,
    findings: Findings,
    kernel: Seen,
}

/// What the kernel was seen to do.
#[derive(Debug, Default)]
struct Seen {
    /// It stamps its lines: what has no stamp is not its.
    stamps: bool,
    /// It printed its banner.
    booted: bool,
    /// It was asked to boot again.
    restarts: bool,
}

impl Log {
    fn line(&mut self, line: Line) {
        // What comes after the suite is the machine going down, in whatever way it likes.
        if self.suite_end.is_some() {
            return;
        }
        if line.stamped {
            self.kernel.stamps = true;
            self.kernel_line(line);
        } else if !line.text.trim().is_empty() && !self.user(line) && !self.kernel.stamps {
            self.kernel_line(line);
        }
        // Once user space runs, it is what hangs: drivers that come up late say nothing of it.
        if (!line.stamped || !self.init_reached) && !line.text.trim().is_empty() {
            line.text.clone_into(&mut self.last_line);
        }
    }

    /// Whether `line` is of a protocol of user space.
    fn user(&mut self, line: Line) -> bool {
        let text = line.text;
        if self.suite.line(text, line.number, true) {
            return true;
        }
        if let Some(at) = text.find(MARKER)
            && self.marker(&text[at..])
        {
            return true;
        }
        if text.contains("ok ")
            && let Some(found) = GLUED.captures(text)
            && found[2]
                .parse()
                .is_ok_and(|number| self.suite.awaits(number))
        {
            return self.suite.line(&found[1], line.number, true);
        }
        match self.ltp.line(text) {
            Some(result) => {
                if self.others.len() < super::ktap::MAX_TESTS {
                    self.others.push((line.number, result));
                }
                true
            }
            None => false,
        }
    }

    fn kernel_line(&mut self, line: Line) {
        let text = line.text;
        if text.starts_with("Linux version ") {
            self.banner(&line);
        }
        if line.stamped && self.writer(line.caller).line(text, line.number, false) {
            return;
        }
        self.kernel.restarts |=
            text.starts_with("reboot: ") || text.contains("Starting new kernel");
        self.findings.line(line);
    }

    /// What a caller prints of KTAP; those that are too many share one.
    fn writer(&mut self, caller: Option<Caller>) -> &mut Ktap {
        let is_own = self.kunit.len() < MAX_WRITERS || self.kunit.contains_key(&caller);
        self.kunit.entry(caller.filter(|_| is_own)).or_default()
    }

    fn banner(&mut self, line: &Line) {
        if self.kernel_version.is_empty() {
            line.text.clone_into(&mut self.kernel_version);
        }
        // A program may print it too.
        if !line.stamped && self.init_reached {
            return;
        }
        if self.kernel.booted && !self.kernel.restarts {
            self.findings
                .add(told(Class::Reboot, "unexpected reboot", line.number));
        }
        self.kernel.booted = true;
        self.kernel.restarts = false;
    }

    fn marker(&mut self, text: &str) -> bool {
        if text == INIT_REACHED {
            if self.init_reached && !self.kernel.stamps && !self.kernel.restarts {
                self.findings
                    .add(told(Class::Reboot, "unexpected reboot", 0));
            }
            self.init_reached = true;
        } else if let Some(kernel) = text.strip_prefix(KERNEL) {
            if self.kernel_version.is_empty() {
                kernel.clone_into(&mut self.kernel_version);
            }
        } else if let Some(Ok(status)) = text.strip_prefix(SUITE_EXITED).map(str::parse) {
            self.suite_end = Some(SuiteEnd::Exited(status));
        } else if let Some(Ok(signal)) = text.strip_prefix(SUITE_KILLED).map(str::parse) {
            self.suite_end = Some(SuiteEnd::Killed(signal));
        } else {
            return false;
        }
        true
    }

    /// All that was read, with what was expected marked.
    fn judged(self) -> Judged {
        let (mut problems, mut tests) = (Vec::new(), self.others);
        let skipped = self.suite.skipped().map(str::to_owned);
        for ktap in std::iter::once(self.suite).chain(self.kunit.into_values()) {
            let (more, wrong) = ktap.finish();
            tests.extend(more);
            problems.extend(wrong);
        }
        tests.sort_by_key(|(order, _)| *order);
        let mut findings = self.findings.finish();
        for finding in &mut findings {
            finding.expected = self
                .judging
                .expects
                .iter()
                .any(|title| glob(title, &finding.title));
        }
        Judged {
            judging: self.judging,
            init_reached: self.init_reached,
            suite_end: self.suite_end,
            last_line: self.last_line,
            problems,
            skipped,
            read: BootResults {
                format: FORMAT,
                verdict: BootVerdict::Succeeded,
                reason: String::new(),
                signature: String::new(),
                remark: String::new(),
                tests: tests.into_iter().map(|(_, test)| test).collect(),
                warnings: findings
                    .iter()
                    .filter(|finding| finding.severity == Severity::Warning)
                    .map(|finding| finding.count)
                    .sum(),
                findings,
                kernel_version: self.kernel_version,
            },
        }
    }
}

/// A finding that no line of the kernel's tells.
fn told(class: Class, title: &str, first_line: u64) -> Finding {
    Finding {
        class,
        severity: Severity::Fatal,
        title: title.to_owned(),
        function: String::new(),
        module: String::new(),
        place: None,
        taint: String::new(),
        signature: title.to_owned(),
        expected: false,
        count: 1,
        first_line,
        lines: Vec::new(),
    }
}

/// The title of a suite's death.
fn killed(signal: i32) -> String {
    format!("suite killed by signal {signal}")
}

/// Whether `text` is `pattern`, in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    match last {
        None => rest.is_empty(),
        Some(last) => rest.is_empty() || last.is_empty() || text.ends_with(last),
    }
}

/// Why a boot did not succeed.
struct Why {
    reason: String,
    /// What is equal for failures of one kind, where it is not the reason's own words.
    signature: Option<String>,
    verdict: BootVerdict,
}

impl From<String> for Why {
    fn from(reason: String) -> Self {
        Self {
            reason,
            signature: None,
            verdict: BootVerdict::Failed,
        }
    }
}

impl Why {
    fn broken(reason: String) -> Self {
        Self {
            verdict: BootVerdict::Broken,
            ..reason.into()
        }
    }
}

/// A console that was read to its end.
struct Judged {
    judging: Judging,
    init_reached: bool,
    suite_end: Option<SuiteEnd>,
    last_line: String,
    problems: Vec<String>,
    skipped: Option<String>,
    read: BootResults,
}

impl Judged {
    fn judge(mut self, end: End, remark: &str) -> BootResults {
        let why = self.failure().or_else(|| self.unfinished(end, remark));
        if let Some(SuiteEnd::Killed(signal)) = self.suite_end {
            let finding = told(Class::Segfault, &killed(signal), 0);
            self.read.findings.push(finding);
        }
        self.results(why)
    }

    fn results(mut self, why: Option<Why>) -> BootResults {
        match why {
            None => self.read.remark = self.remark(),
            Some(why) => {
                self.read.verdict = why.verdict;
                self.read.signature = why.signature.unwrap_or_else(|| normal(&why.reason));
                self.read.reason = why.reason;
            }
        }
        self.read
    }

    /// What failed by its own words: the kernel, a test, the suite.
    fn failure(&self) -> Option<Why> {
        self.kernel_failure()
            .or_else(|| self.missing())
            .or_else(|| self.test_failure())
            .or_else(|| self.suite_failure())
    }

    fn failing(&self) -> impl Iterator<Item = &Finding> {
        let from = self.judging.fails_on;
        self.read
            .findings
            .iter()
            .filter(move |finding| !finding.expected && finding.severity >= from)
    }

    fn kernel_failure(&self) -> Option<Why> {
        let mut failing = self.failing();
        let first = failing.next()?;
        let more = match failing.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(Why {
            reason: format!("{}{more}", first.title),
            signature: Some(first.signature.clone()),
            verdict: BootVerdict::Failed,
        })
    }

    /// What the suite expects of the kernel and did not get.
    fn missing(&self) -> Option<Why> {
        let came = |title: &&String| {
            self.read
                .findings
                .iter()
                .any(|finding| glob(title, &finding.title))
        };
        let missing = self.judging.expects.iter().find(|title| !came(title))?;
        Some(format!("`{missing}` was expected of the kernel, and did not come").into())
    }

    fn test_failure(&self) -> Option<Why> {
        let mut failed = self
            .read
            .tests
            .iter()
            .filter(|test| test.result == TestOutcome::Fail);
        let first = failed.next()?;
        let detail = first.detail.lines().next().unwrap_or_default();
        let detail = if detail.is_empty() {
            String::new()
        } else {
            format!(": {detail}")
        };
        let reason = match failed.count() {
            0 => format!("test `{}` failed{detail}", first.name),
            more => format!("test `{}` and {more} more failed{detail}", first.name),
        };
        Some(reason.into())
    }

    fn suite_failure(&self) -> Option<Why> {
        let reason = match self.suite_end {
            Some(SuiteEnd::Killed(signal)) => {
                return Some(Why {
                    signature: Some(killed(signal)),
                    ..format!("suite was killed by signal {signal}").into()
                });
            }
            Some(SuiteEnd::Exited(status)) if status != 0 => {
                Some(format!("suite exited with status {status}"))
            }
            // A suite that was cut off is told by that.
            None if self.init_reached && !self.lost_as_expected() => None,
            _ => {
                let promised = self.judging.reports_tests && self.read.tests.is_empty();
                let none = promised.then(|| "the suite reported no test".to_owned());
                self.problems.first().cloned().or(none)
            }
        };
        reason.map(Why::from)
    }

    /// Whether the machine went down as the suite wanted it.
    fn lost_as_expected(&self) -> bool {
        let lost = |finding: &Finding| finding.expected && finding.severity == Severity::Fatal;
        self.read.findings.iter().any(lost)
    }

    fn unfinished(&mut self, end: End, remark: &str) -> Option<Why> {
        if self.suite_end.is_some() || self.lost_as_expected() {
            return None;
        }
        let last = self.last_line.trim();
        let nothing = last.is_empty();
        let said = |what: &str| match remark.trim() {
            "" => what.to_owned(),
            remark => format!("{what}: {remark}"),
        };
        Some(match end {
            End::Exited(status) if nothing && status != 0 => {
                Why::broken(said(&format!("machine exited with status {status}")))
            }
            End::Killed => Why::broken(said("machine was killed")),
            _ if nothing => {
                let finding = told(Class::NoOutput, "no console output", 0);
                self.read.findings.push(finding);
                "no console output".to_owned().into()
            }
            End::Exited(_) => format!("machine stopped after: {last}").into(),
            End::Silence => format!("hung after: {last}").into(),
            End::Total => format!("took too long, last line: {last}").into(),
        })
    }

    /// What is to be said of a boot that succeeded.
    fn remark(&self) -> String {
        let mut said = Vec::new();
        let told: Vec<&Finding> = self
            .read
            .findings
            .iter()
            .filter(|finding| !finding.expected)
            .collect();
        if let Some(first) = told.first() {
            let more = match told.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            said.push(format!("the kernel told: {}{more}", first.title));
        }
        if self.read.tests.is_empty() && self.suite_end.is_some() {
            said.push(match self.skipped.as_deref() {
                None => "the suite reported no test".to_owned(),
                Some("") => "the suite skipped all its tests".to_owned(),
                Some(why) => format!("the suite skipped all its tests: {why}"),
            });
        }
        said.join("; ")
    }
}
