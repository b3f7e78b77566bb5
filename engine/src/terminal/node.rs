//! How a finished node is told to people, and the count of them.

use std::fs;
use std::path::Path;

use store::OutcomeVerdict;

use super::Level;
use super::screen::painted;
use crate::console::printable;
use crate::realise::NodeReport;
use crate::text::duration;

/// How far a run is.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub wanted: usize,
    pub finished: usize,
}

impl Tally {
    /// Counts a finished node. Boots that turn up only now make the run longer.
    pub(super) fn count(&mut self) {
        self.finished += 1;
        self.wanted = self.wanted.max(self.finished);
    }

    /// `[ 3/12]`.
    pub(super) fn mark(&self) -> String {
        let width = self.wanted.to_string().len();
        format!("[{:width$}/{}]", self.finished, self.wanted)
    }
}

/// Whether a finished node is worth a line of its own.
pub(super) fn is_told(node: &NodeReport, level: Level) -> bool {
    let bad = matches!(
        node.verdict,
        OutcomeVerdict::Failed | OutcomeVerdict::Broken
    );
    match level {
        Level::Quiet => bad,
        Level::Normal => bad || (!node.cached && node.verdict == OutcomeVerdict::Succeeded),
        Level::Verbose => true,
    }
}

/// `kernel linux-6.1/x86_64/tinyconfig/gcc ... succeeded in 2m08s`.
pub(super) fn line(node: &NodeReport, colour: bool) -> String {
    let cached = if node.cached { " (cached)" } else { "" };
    let time = if node.cached {
        String::new()
    } else {
        format!(" in {}", duration(node.duration_ms))
    };
    let (word, more) = match node.verdict {
        OutcomeVerdict::Succeeded if node.reason.is_empty() => {
            ("succeeded", format!("{time}{cached}"))
        }
        OutcomeVerdict::Succeeded => ("succeeded", format!("{time}{cached}, {}", node.reason)),
        OutcomeVerdict::Failed => ("failed", format!("{time}{cached}: {}", node.reason)),
        OutcomeVerdict::Broken => ("broken", format!(": {}", node.reason)),
        OutcomeVerdict::Skipped => ("skipped", format!(": {}", node.reason)),
    };
    let word = painted(node.verdict, word, colour);
    format!("{} {} ... {word}{more}", node.kind, node.name)
}

/// The whole log of a node that failed in this run, between lines that mark it.
pub(super) fn failed_log(node: &NodeReport) -> Option<String> {
    let bad = matches!(
        node.verdict,
        OutcomeVerdict::Failed | OutcomeVerdict::Broken
    );
    let path = node.log.as_deref().filter(|_| bad && !node.cached)?;
    let name = format!("{} {}", node.kind, node.name);
    Some(format!(
        "----- log of {name} -----\n{}----- end of log of {name} -----\n",
        log(path)
    ))
}

/// A log as it can be shown: what could command a terminal is left out.
fn log(path: &Path) -> String {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return format!("cannot read `{}`: {error}\n", path.display()),
    };
    let mut text = printable(&bytes);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;
    use crate::spec::Kind;

    /// A node of a run that took 128.4 seconds.
    pub(in crate::terminal) fn node(verdict: OutcomeVerdict, cached: bool) -> NodeReport {
        let bad = verdict != OutcomeVerdict::Succeeded;
        NodeReport {
            kind: Kind::Kernel,
            name: "linux-6.1/x86_64/tinyconfig/gcc".to_owned(),
            verdict,
            cached,
            key: None,
            reason: if bad {
                "a.c:3:1: error: unknown type".to_owned()
            } else {
                String::new()
            },
            log: None,
            duration_ms: 128_400,
        }
    }

    #[test]
    fn a_line_says_what_became_of_it() {
        let lines = [
            line(&node(OutcomeVerdict::Succeeded, false), false),
            line(&node(OutcomeVerdict::Succeeded, true), false),
            line(&node(OutcomeVerdict::Failed, false), false),
            line(&node(OutcomeVerdict::Failed, true), false),
            line(&node(OutcomeVerdict::Broken, false), false),
            line(&node(OutcomeVerdict::Skipped, false), false),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
        kernel linux-6.1/x86_64/tinyconfig/gcc ... succeeded in 2m08s
        kernel linux-6.1/x86_64/tinyconfig/gcc ... succeeded (cached)
        kernel linux-6.1/x86_64/tinyconfig/gcc ... failed in 2m08s: a.c:3:1: error: unknown type
        kernel linux-6.1/x86_64/tinyconfig/gcc ... failed (cached): a.c:3:1: error: unknown type
        kernel linux-6.1/x86_64/tinyconfig/gcc ... broken: a.c:3:1: error: unknown type
        kernel linux-6.1/x86_64/tinyconfig/gcc ... skipped: a.c:3:1: error: unknown type
        ");
    }

    #[test]
    fn only_news_and_faults_are_told() {
        let told = |verdict, cached, level| is_told(&node(verdict, cached), level);
        assert!(told(OutcomeVerdict::Succeeded, false, Level::Normal));
        assert!(!told(OutcomeVerdict::Succeeded, true, Level::Normal));
        assert!(told(OutcomeVerdict::Succeeded, true, Level::Verbose));
        assert!(!told(OutcomeVerdict::Succeeded, false, Level::Quiet));
        assert!(told(OutcomeVerdict::Failed, true, Level::Quiet));
        assert!(!told(OutcomeVerdict::Skipped, false, Level::Normal));
    }

    #[test]
    fn a_log_stands_between_marks_and_commands_no_terminal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, b"one\r\n\x1b[31mtwo\xff").unwrap();
        let mut failed = node(OutcomeVerdict::Failed, false);
        failed.log = Some(path);
        insta::assert_snapshot!(failed_log(&failed).unwrap(), @"
        ----- log of kernel linux-6.1/x86_64/tinyconfig/gcc -----
        one
        two�
        ----- end of log of kernel linux-6.1/x86_64/tinyconfig/gcc -----
        ");
        failed.cached = true;
        assert_eq!(failed_log(&failed), None);
    }

    #[test]
    fn a_tally_grows_with_boots() {
        let mut tally = Tally {
            wanted: 12,
            finished: 2,
        };
        tally.count();
        assert_eq!(tally.mark(), "[ 3/12]");
        tally.finished = 12;
        tally.count();
        assert_eq!(tally.mark(), "[13/13]");
    }
}
