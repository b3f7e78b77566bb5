//! KTAP, the kernel's test protocol (kernel: Documentation/dev-tools/ktap.rst), TAP 13 included.

use std::sync::LazyLock;

use regex::Regex;

use super::TestOutcome;
use super::TestResult;

/// Results that are kept; more only count.
const MAX_TESTS: usize = 20_000;
/// Diagnostic lines that are kept for the test to come.
const MAX_DIAGNOSTICS: usize = 20;

static RESULT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(not )?ok (\d+)(?: +-)?(?: +(.*))?$").expect("a constant expression")
});
static DIRECTIVE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(SKIP|TODO|XFAIL)\b[: ]*(.*)$").expect("a constant expression"));

/// One level of subtests; the outermost has no name.
#[derive(Debug)]
struct Level {
    indent: usize,
    name: String,
    planned: Option<u64>,
    seen: u64,
}

/// The results of one writer of KTAP. The kernel (`KUnit`) and user space have one each, because
/// their lines interleave.
#[derive(Debug, Default)]
pub(super) struct Ktap {
    levels: Vec<Level>,
    diagnostics: Vec<String>,
    short: Option<String>,
}

impl Ktap {
    /// Reads one line; says whether it was KTAP, and pushes what it gave onto `tests`.
    pub(super) fn line(&mut self, line: &str, tests: &mut Vec<TestResult>) -> bool {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.starts_with("KTAP version ") || text.starts_with("TAP version ") {
            self.open(indent);
            return true;
        }
        if self.levels.is_empty() {
            return false;
        }
        if let Some(comment) = text.strip_prefix('#') {
            self.comment(indent, comment.trim());
        } else if let Some(plan) = text.strip_prefix("1..") {
            self.plan(indent, plan);
        } else if let Some(found) = RESULT.captures(text) {
            let rest = found.get(3).map_or("", |rest| rest.as_str());
            self.result(indent, found.get(1).is_none(), (&found[2], rest), tests);
        } else {
            return false;
        }
        true
    }

    /// The first plan that was not kept, in words; all levels still open count as closed.
    pub(super) fn finish(&mut self) -> Option<String> {
        self.close(0);
        self.short.take()
    }

    fn open(&mut self, indent: usize) {
        self.close(indent);
        self.levels.push(Level {
            indent,
            name: String::new(),
            planned: None,
            seen: 0,
        });
        self.diagnostics.clear();
    }

    /// Closes every level at `indent` or deeper.
    fn close(&mut self, indent: usize) {
        while let Some(level) = self.levels.pop_if(|level| level.indent >= indent) {
            if let Some(planned) = level.planned
                && level.seen < planned
                && self.short.is_none()
            {
                let of = if level.name.is_empty() {
                    String::new()
                } else {
                    format!(" of `{}`", level.name)
                };
                self.short = Some(format!(
                    "{} of {planned} planned tests{of} reported",
                    level.seen
                ));
            }
        }
    }

    fn comment(&mut self, indent: usize, comment: &str) {
        if let Some(name) = comment.strip_prefix("Subtest:") {
            // `KUnit` prints the header before it; older kernels print no header for a subtest.
            let is_new = self
                .levels
                .last()
                .is_none_or(|level| level.indent != indent || level.seen > 0);
            if is_new {
                self.open(indent);
            }
            if let Some(level) = self.levels.last_mut() {
                name.trim().clone_into(&mut level.name);
            }
        } else if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(comment.to_owned());
        }
    }

    fn plan(&mut self, indent: usize, plan: &str) {
        let count: String = plan.chars().take_while(char::is_ascii_digit).collect();
        if let Some(level) = self.levels.iter_mut().rfind(|level| level.indent == indent) {
            level.planned = count.parse().ok();
        }
    }

    fn result(
        &mut self,
        indent: usize,
        ok: bool,
        (number, rest): (&str, &str),
        tests: &mut Vec<TestResult>,
    ) {
        self.close(indent + 1);
        let (name, why) = match rest.split_once('#') {
            Some((name, why)) => (name.trim(), why.trim()),
            None => (rest.trim(), ""),
        };
        let name = if name.is_empty() { number } else { name };
        let mut path: Vec<&str> = self
            .levels
            .iter()
            .map(|level| level.name.as_str())
            .collect();
        path.retain(|part| !part.is_empty());
        path.push(name);
        let name = path.join("/");

        let (result, detail) = match DIRECTIVE.captures(why) {
            Some(found) if &found[1] == "SKIP" => (TestOutcome::Skip, found[2].to_owned()),
            Some(_) => (TestOutcome::Skip, why.to_owned()),
            None if ok => (TestOutcome::Pass, String::new()),
            None => {
                let lines = self.diagnostics.iter().map(String::as_str);
                let why = Some(why).filter(|why| !why.is_empty());
                (
                    TestOutcome::Fail,
                    why.into_iter().chain(lines).collect::<Vec<_>>().join("\n"),
                )
            }
        };
        self.diagnostics.clear();
        if let Some(level) = self.levels.last_mut() {
            level.seen += 1;
        }
        if tests.len() < MAX_TESTS {
            tests.push(TestResult {
                name,
                result,
                detail,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> String {
        let mut ktap = Ktap::default();
        let mut tests = Vec::new();
        for line in log.lines() {
            ktap.line(line, &mut tests);
        }
        let mut text: Vec<String> = tests
            .iter()
            .map(|test| format!("{:?} {} {:?}", test.result, test.name, test.detail))
            .collect();
        text.extend(ktap.finish());
        text.join("\n")
    }

    #[test]
    fn a_flat_suite() {
        insta::assert_snapshot!(read(
            "ok 9 before any header\nKTAP version 1\n1..5\nok 1 a\n# x is 3\n# not 4\nnot ok 2 b # wrong x\n\
             ok 3 - c # SKIP no tmpfs\nnot ok 4 d # TODO later\nok 5\n"
        ), @r#"
        Pass a ""
        Fail b "wrong x\nx is 3\nnot 4"
        Skip c "no tmpfs"
        Skip d "TODO later"
        Pass 5 ""
        "#);
    }

    #[test]
    fn kunit_nests_with_and_without_headers() {
        insta::assert_snapshot!(read(
            "KTAP version 1\n1..2\n    KTAP version 1\n    # Subtest: ext4\n    1..2\n    ok 1 inode\n\
             \x20   # inode2: EXPECTATION FAILED at fs/ext4/x.c:1\n    not ok 2 inode2\nnot ok 1 ext4\n\
             \x20   # Subtest: old\n    1..1\n    ok 1 one\nok 2 old\n"
        ), @r#"
        Pass ext4/inode ""
        Fail ext4/inode2 "inode2: EXPECTATION FAILED at fs/ext4/x.c:1"
        Fail ext4 ""
        Pass old/one ""
        Pass old ""
        "#);
    }

    #[test]
    fn a_plan_that_was_not_kept() {
        insta::assert_snapshot!(read("KTAP version 1\n1..3\nok 1 a\nok 2 b\n"), @r#"
        Pass a ""
        Pass b ""
        2 of 3 planned tests reported
        "#);
    }
}
