//! What tests of the Linux Test Project print: one line a result, no protocol around it.
//!
//! Formats: LTP `lib/tst_test.c` (`file.c:12: TPASS: …`), `lib/tst_res.c` and `testcases/lib/test.sh` (`name 1 TPASS: …`).

use std::sync::LazyLock;

use regex::Regex;

use super::TestOutcome;
use super::TestResult;
use crate::text::regex;

static RESULT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:([\w.+-]+?)(?:\.c|\.sh|\.h)?:\d+|([\w.+-]+) +(\d+)) ?:? +T(PASS|FAIL|BROK|CONF)(?: *\+ *\w+)? *: *(.*)$",
    )
});

/// The test results of LTP's programs.
#[derive(Debug, Default)]
pub(super) struct Ltp {
    program: String,
    count: u32,
}

impl Ltp {
    /// The result that `line` tells: `PROGRAM/NUMBER`, counted from 1 for each program.
    pub(super) fn line(&mut self, line: &str) -> Option<TestResult> {
        if !line.contains(" T") {
            return None;
        }
        let found = RESULT.captures(line)?;
        let program = found.get(1).or_else(|| found.get(2))?.as_str();
        if program == self.program {
            self.count += 1;
        } else {
            program.clone_into(&mut self.program);
            self.count = 1;
        }
        let (result, detail) = match &found[4] {
            "PASS" => (TestOutcome::Pass, String::new()),
            "CONF" => (TestOutcome::Skip, found[5].to_owned()),
            _ => (TestOutcome::Fail, format!("T{}: {}", &found[4], &found[5])),
        };
        Some(TestResult {
            name: format!("{program}/{}", self.count),
            result,
            detail,
            measurements: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let mut ltp = Ltp::default();
        let log = "tst_test.c:1558: TINFO: Timeout per run is 0h 00m 30s\ndup01.c:45: TPASS: dup() passed\n\
                   dup01.c:51: TFAIL: st_ino differ\nacct01.c:90: TCONF: no BSD accounting\nfs_bind01 1 TPASS: bind\n\
                   fs_bind01 2 TBROK: mount failed\nSummary:\npassed   1\nreboot: To TPASS or not";
        let read: Vec<String> = log
            .lines()
            .filter_map(|line| ltp.line(line))
            .map(|test| format!("{:?} {} {:?}", test.result, test.name, test.detail))
            .collect();
        insta::assert_snapshot!(read.join("\n"), @r#"
        Pass dup01/1 ""
        Fail dup01/2 "TFAIL: st_ino differ"
        Skip acct01/1 "no BSD accounting"
        Pass fs_bind01/1 ""
        Fail fs_bind01/2 "TBROK: mount failed"
        "#);
    }
}
