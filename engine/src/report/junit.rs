//! A run as JUnit XML, for continuous integration servers.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::NonSuccessKind;
use quick_junit::Report;
use quick_junit::SerializeError;
use quick_junit::TestCase;
use quick_junit::TestCaseStatus;
use quick_junit::TestSuite;
use store::OutcomeVerdict;
use thiserror::Error;

use super::node::is_addressed;
use super::node::log_tail;
use crate::realise::NodeReport;
use crate::realise::RunReport;

/// How many lines of its log a failure carries.
const LOG_LINES: usize = 100;

/// Why a run could not be written as XML.
#[derive(Debug, Error)]
#[error("cannot write the JUnit report")]
pub struct JunitError(#[from] SerializeError);

/// Gives the XML: one test suite per source and arch, and `inputs` for what has no address; one
/// test case per node. Failed is `failure`, broken is `error`, both with the last lines of the log.
pub fn junit(run: &RunReport) -> Result<String, JunitError> {
    let mut suites: BTreeMap<String, TestSuite> = BTreeMap::new();
    for node in &run.nodes {
        let name = suite_name(node);
        let suite = suites
            .entry(name)
            .or_insert_with_key(|name| TestSuite::new(name));
        suite.add_test_case(test_case(node));
    }
    let mut report = Report::new("engine");
    report.set_time(Duration::from_millis(run.duration_ms));
    for (_, mut suite) in suites {
        suite.set_time(suite.test_cases.iter().filter_map(|case| case.time).sum());
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

fn suite_name(node: &NodeReport) -> String {
    if is_addressed(node.kind) {
        let parts: Vec<&str> = node.name.splitn(3, '/').take(2).collect();
        parts.join("/")
    } else {
        "inputs".to_owned()
    }
}

fn test_case(node: &NodeReport) -> TestCase {
    let mut status = match node.verdict {
        OutcomeVerdict::Succeeded => TestCaseStatus::success(),
        OutcomeVerdict::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        OutcomeVerdict::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
        OutcomeVerdict::Skipped => TestCaseStatus::skipped(),
    };
    status.set_message(printable(&node.reason));
    if let Some(log) = &node.log {
        let tail = log_tail(log, LOG_LINES)
            .unwrap_or_else(|error| format!("cannot read `{}`: {error}", log.display()));
        status.set_description(printable(&tail));
    }
    let mut case = TestCase::new(node.name.as_str(), status);
    case.set_classname(node.kind.word());
    case.set_time(Duration::from_millis(node.duration_ms));
    if node.cached {
        case.add_property(("cached", "true"));
    }
    case
}

/// Without the two characters that XML forbids and `XmlString` lets through.
fn printable(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::sample;
    use super::*;

    #[test]
    fn suites_are_source_and_arch_and_cases_are_addresses() {
        insta::assert_snapshot!(junit(&sample::run()).unwrap(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="engine" tests="5" skipped="1" failures="1" errors="1" time="65.650">
            <testsuite name="inputs" tests="1" skipped="0" errors="0" failures="0" time="61.400">
                <testcase name="kbuild" classname="image" time="61.400"/>
            </testsuite>
            <testsuite name="linux-6.1/amd64" tests="2" skipped="1" errors="0" failures="1" time="4.250">
                <testcase name="linux-6.1/amd64/tiny/clang" classname="kernel" time="4.250">
                    <failure message="make ended with status 2">cannot read `/nowhere/build.log`: No such file or directory (os error 2)</failure>
                </testcase>
                <testcase name="linux-6.1/amd64/tiny/clang/qemu-pc/general" classname="boot" time="0.000">
                    <skipped message="`kernel:linux-6.1/amd64/tiny/clang` failed"/>
                </testcase>
            </testsuite>
            <testsuite name="linux-6.1/arm" tests="2" skipped="0" errors="1" failures="0" time="3725.000">
                <testcase name="linux-6.1/arm/sunxi_defconfig/gcc" classname="kernel" time="3725.000">
                    <properties>
                        <property name="cached" value="true"/>
                    </properties>
                </testcase>
                <testcase name="linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general" classname="boot" time="0.000">
                    <error message="cannot run `qemu-system-arm`: not found"/>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn a_failure_carries_the_end_of_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("build.log");
        let lines: Vec<String> = (1..=200).map(|line| format!("CC file{line}.o")).collect();
        let lines = lines.join("\n");
        fs::write(
            &log,
            format!("{lines}\n\u{1b}[31merror:\u{1b}[0m <a> & \u{1}]]>\u{ffff}\n"),
        )
        .unwrap();
        let mut run = sample::run();
        run.nodes[3].log = Some(log);
        let xml = junit(&run).unwrap();
        assert!(!xml.contains("file101.o") && xml.contains("file102.o"));
        assert!(
            xml.contains("error: &lt;a&gt; &amp; ]]&gt;\u{fffd}</failure>"),
            "{xml}"
        );
        let read = Report::deserialize_from_str(&xml).unwrap();
        assert_eq!((read.tests, read.failures, read.errors), (5, 1, 1));
    }
}
