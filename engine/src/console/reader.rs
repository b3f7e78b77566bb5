//! Reads a boot's console as it comes, and judges it.

use super::BootResults;
use super::BootVerdict;
use super::End;
use super::TestOutcome;
use super::TestResult;
use super::failure;
use super::ktap::Ktap;
use super::lines::Line;
use super::lines::Lines;
use super::results::FORMAT;

/// Failure lines that are kept.
const MAX_FAILURES: usize = 32;
/// Lines kept after the first failure line.
const MAX_TRACE: usize = 48;

/// What `stdlib/init.c` prints, line by line.
const INIT_REACHED: &str = "engine: init reached";
const KERNEL: &str = "engine: kernel ";
const SUITE_EXITED: &str = "engine: suite exited ";
const SUITE_KILLED: &str = "engine: suite killed by signal ";

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
    /// Starts reading.
    pub fn new() -> Self {
        Self::default()
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
        self.log.suite_end.is_some() || self.log.panic.is_some()
    }

    /// Whether the kernel said that it failed.
    pub fn has_failed(&self) -> bool {
        !self.log.failures.is_empty()
    }

    /// Whether the kernel, or what it started, printed anything.
    pub fn has_kernel(&self) -> bool {
        !self.log.kernel_version.is_empty() || self.log.init_reached
    }

    /// Judges a boot whose tests were driven from outside: by the kernel's own words, the tests, and `error`, which says why whoever drove
    /// them did not get to their end, if they did not.
    pub fn driven(self, tests: Vec<TestResult>, error: String) -> BootResults {
        let Self { lines, mut log } = self;
        lines.finish(|line| log.line(line));
        log.tests = tests;
        let reason = log.kernel_failure().or_else(|| log.test_failure());
        let reason = reason.or_else(|| (!error.is_empty()).then_some(error));
        let none = || log.tests.is_empty().then(|| "no test ran".to_owned());
        let (verdict, reason) = match reason.or_else(none) {
            Some(reason) => (BootVerdict::Failed, reason),
            None => (BootVerdict::Succeeded, String::new()),
        };
        log.results(verdict, reason)
    }

    /// Judges the boot. `remark` is what the machine's program said beside the console, used to
    /// explain a machine that did not run.
    pub fn finish(self, end: End, remark: &str) -> BootResults {
        let Self { lines, mut log } = self;
        lines.finish(|line| log.line(line));
        log.judge(end, remark)
    }
}

#[derive(Debug, Default)]
struct Log {
    init_reached: bool,
    suite_end: Option<SuiteEnd>,
    kernel_version: String,
    last_line: String,
    kunit: Ktap,
    suite: Ktap,
    tests: Vec<TestResult>,
    panic: Option<String>,
    failures: Vec<String>,
    trace: Vec<String>,
    in_trace: bool,
    warnings: u32,
}

impl Log {
    fn line(&mut self, line: Line) {
        // What comes after the suite is the machine going down, in whatever way it likes.
        if self.suite_end.is_some() || line.text.trim().is_empty() {
            return;
        }
        let ktap = if line.stamped {
            &mut self.kunit
        } else {
            &mut self.suite
        };
        if !ktap.line(&line.text, &mut self.tests) && !self.marker(&line.text) {
            self.kernel_line(&line.text);
        }
        // Once user space runs, it is what hangs: drivers that come up late say nothing of it.
        if !line.stamped || !self.init_reached {
            self.last_line = line.text;
        }
    }

    fn marker(&mut self, text: &str) -> bool {
        if text == INIT_REACHED {
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

    fn kernel_line(&mut self, line: &str) {
        let text = line.trim_start();
        if text.starts_with("Linux version ") && self.kernel_version.is_empty() {
            text.clone_into(&mut self.kernel_version);
        }
        if failure::is_warning(text) {
            self.warnings = self.warnings.saturating_add(1);
        }
        let is_failure = failure::is_failure(text);
        if self.in_trace && self.trace.len() < MAX_TRACE {
            self.trace.push(line.to_owned());
            self.in_trace = !failure::ends_trace(text);
        }
        if !is_failure {
            return;
        }
        if self.failures.is_empty() {
            self.in_trace = true;
        }
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(text.to_owned());
        }
        if self.panic.is_none() && text.contains(failure::PANIC) {
            self.panic = Some(text.to_owned());
        }
    }

    fn judge(mut self, end: End, remark: &str) -> BootResults {
        let (verdict, reason) = self.verdict(end, remark);
        self.results(verdict, reason)
    }

    fn results(self, verdict: BootVerdict, reason: String) -> BootResults {
        let signature = match (verdict, self.failures.first()) {
            (BootVerdict::Succeeded, _) => String::new(),
            (_, Some(first)) => failure::signature(first, &self.trace),
            (_, None) => failure::signature(&reason, &[]),
        };
        BootResults {
            format: FORMAT,
            verdict,
            reason,
            signature,
            tests: self.tests,
            failures: self.failures,
            trace: self.trace,
            warnings: self.warnings,
            kernel_version: self.kernel_version,
        }
    }

    fn verdict(&mut self, end: End, remark: &str) -> (BootVerdict, String) {
        if let Some(reason) = self.kernel_failure() {
            return (BootVerdict::Failed, reason);
        }
        let Some(suite_end) = self.suite_end else {
            return self.unfinished(end, remark);
        };
        let reason = self.test_failure().or_else(|| match suite_end {
            SuiteEnd::Exited(0) => self.suite.finish().or_else(|| self.kunit.finish()),
            SuiteEnd::Exited(status) => Some(format!("suite exited with status {status}")),
            SuiteEnd::Killed(signal) => Some(format!("suite was killed by signal {signal}")),
        });
        match reason {
            Some(reason) => (BootVerdict::Failed, reason),
            None => (BootVerdict::Succeeded, String::new()),
        }
    }

    /// The panic, with the line that led to it when there is one; else the first failure line.
    fn kernel_failure(&self) -> Option<String> {
        let first = self.failures.first()?;
        Some(match &self.panic {
            Some(panic) if panic != first => format!("{panic} (first: {first})"),
            _ => first.clone(),
        })
    }

    fn test_failure(&self) -> Option<String> {
        let mut failed = self
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
        Some(match failed.count() {
            0 => format!("test `{}` failed{detail}", first.name),
            more => format!("test `{}` and {more} more failed{detail}", first.name),
        })
    }

    fn unfinished(&self, end: End, remark: &str) -> (BootVerdict, String) {
        let last = self.last_line.trim();
        let nothing = last.is_empty();
        let said = |what: &str| match remark.trim() {
            "" => what.to_owned(),
            remark => format!("{what}: {remark}"),
        };
        match end {
            End::Exited(status) if nothing && status != 0 => (
                BootVerdict::Broken,
                said(&format!("machine exited with status {status}")),
            ),
            End::Killed => (BootVerdict::Broken, said("machine was killed")),
            _ if nothing => (BootVerdict::Failed, "no console output".to_owned()),
            End::Exited(_) => (
                BootVerdict::Failed,
                format!("machine stopped after: {last}"),
            ),
            End::Silence => (BootVerdict::Failed, format!("hung after: {last}")),
            End::Total => (
                BootVerdict::Failed,
                format!("took too long, last line: {last}"),
            ),
        }
    }
}
