//! A run as JUnit XML, for continuous integration servers.
//!
//! It keeps to what both schemas allow that such servers check: that of Jenkins' xUnit plugin (`junit-10.xsd`) and that of Ant's
//! reports (`JUnit.xsd` of the JUnit-Schema project), which is why every suite has `properties`, `system-out` and `system-err`, and no
//! case has.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use chrono::DateTime;
use quick_xml::Writer;
use quick_xml::events::BytesDecl;
use quick_xml::events::BytesText;
use quick_xml::events::Event;
use store::OutcomeVerdict;
use thiserror::Error;

use super::node::is_addressed;
use super::node::log_tail;
use crate::console::BootResults;
use crate::console::Finding;
use crate::console::TestOutcome;
use crate::console::TestResult;
use crate::console::printable;
use crate::realise::NodeReport;
use crate::realise::RunReport;

/// How many lines of its log a failure carries.
const LOG_LINES: usize = 100;

/// Why a run could not be written as XML.
#[derive(Debug, Error)]
#[error("cannot write the JUnit report")]
pub struct JunitError(#[from] io::Error);

/// One test case.
struct Case {
    name: String,
    class: String,
    ms: u64,
    verdict: OutcomeVerdict,
    cached: bool,
    message: String,
    text: String,
}

/// Gives the XML: one test suite per source and arch, and `inputs` for what has no address; one test case per node, with its kind as
/// class, and one per test of a boot, with the boot's address as class. Failed is `failure`, broken is `error`, both with the last lines
/// of the log; what the kernel complained about is the `system-err` of its suite. `boots` are by their address; `host` is the machine's name.
pub fn junit(
    run: &RunReport,
    boots: &BTreeMap<String, BootResults>,
    host: &str,
) -> Result<String, JunitError> {
    let mut suites: BTreeMap<String, (Vec<Case>, Vec<String>)> = BTreeMap::new();
    for node in &run.nodes {
        let (cases, told) = suites.entry(suite_name(node)).or_default();
        cases.push(of_node(node));
        if let Some(boot) = boots.get(&node.name) {
            cases.extend(boot.tests.iter().map(|test| of_test(node, test)));
            let findings = boot.findings.iter();
            told.extend(findings.map(|finding| of_finding(node, finding)));
        }
    }
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 4);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("testsuites")
        .write_inner_content(|writer| {
            for (id, (name, (cases, told))) in suites.iter().enumerate() {
                write_suite(writer, (id, name), cases, told, run.started_ms, host)?;
            }
            Ok(())
        })?;
    let mut text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    text.push('\n');
    Ok(text)
}

fn suite_name(node: &NodeReport) -> String {
    if is_addressed(node.kind) {
        let parts: Vec<&str> = node.name.splitn(3, '/').take(2).collect();
        parts.join("/")
    } else {
        "inputs".to_owned()
    }
}

fn of_node(node: &NodeReport) -> Case {
    let log = node.log.as_ref().map(|log| {
        log_tail(log, LOG_LINES)
            .unwrap_or_else(|error| format!("cannot read `{}`: {error}", log.display()))
    });
    Case {
        name: node.name.clone(),
        class: node.kind.word().to_owned(),
        ms: node.duration_ms,
        verdict: node.verdict,
        cached: node.cached,
        message: node.reason.clone(),
        text: log.unwrap_or_default(),
    }
}

fn of_test(boot: &NodeReport, test: &TestResult) -> Case {
    let first = test.detail.lines().next().unwrap_or_default();
    Case {
        name: test.name.clone(),
        class: boot.name.clone(),
        ms: 0,
        verdict: match test.result {
            TestOutcome::Pass => OutcomeVerdict::Succeeded,
            TestOutcome::Fail => OutcomeVerdict::Failed,
            TestOutcome::Skip => OutcomeVerdict::Skipped,
        },
        cached: boot.cached,
        message: first.to_owned(),
        text: test.detail.clone(),
    }
}

/// A line such as `ADDRESS: warning: WARNING in foo`.
fn of_finding(boot: &NodeReport, finding: &Finding) -> String {
    let expected = if finding.expected { " (expected)" } else { "" };
    let severity = finding.severity.word();
    format!("{}: {severity}: {}{expected}", boot.name, finding.title)
}

type Xml = Writer<Vec<u8>>;

fn write_suite(
    writer: &mut Xml,
    (id, name): (usize, &str),
    cases: &[Case],
    told: &[String],
    started_ms: u64,
    host: &str,
) -> io::Result<()> {
    let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    let started = i64::try_from(started_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis);
    let started = started.unwrap_or_default().format("%Y-%m-%dT%H:%M:%S");
    let attributes = [
        ("name", allowed(name)),
        ("package", "engine".to_owned()),
        ("id", id.to_string()),
        ("timestamp", started.to_string()),
        ("hostname", allowed(host)),
        ("tests", cases.len().to_string()),
        ("failures", count(OutcomeVerdict::Failed).to_string()),
        ("errors", count(OutcomeVerdict::Broken).to_string()),
        ("skipped", count(OutcomeVerdict::Skipped).to_string()),
        ("time", seconds(cases.iter().map(|case| case.ms).sum())),
    ];
    let attributes = attributes
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let cached = cases.iter().filter(|case| case.cached).count().to_string();
    let suite = writer
        .create_element("testsuite")
        .with_attributes(attributes);
    suite.write_inner_content(|writer| {
        writer
            .create_element("properties")
            .write_inner_content(|writer| {
                let property = [("name", "cached"), ("value", cached.as_str())];
                let property = writer.create_element("property").with_attributes(property);
                property.write_empty()?;
                Ok(())
            })?;
        for case in cases {
            write_case(writer, case)?;
        }
        writer.create_element("system-out").write_empty()?;
        let element = writer.create_element("system-err");
        if told.is_empty() {
            element.write_empty()?;
        } else {
            element.write_text_content(BytesText::new(&allowed(&told.join("\n"))))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn write_case(writer: &mut Xml, case: &Case) -> io::Result<()> {
    let (name, class, time) = (allowed(&case.name), allowed(&case.class), seconds(case.ms));
    let attributes = [
        ("name", name.as_str()),
        ("classname", class.as_str()),
        ("time", time.as_str()),
    ];
    let element = writer
        .create_element("testcase")
        .with_attributes(attributes);
    let message = allowed(&case.message);
    let (outcome, kind) = match case.verdict {
        OutcomeVerdict::Succeeded => {
            element.write_empty()?;
            return Ok(());
        }
        OutcomeVerdict::Failed => ("failure", Some("failed")),
        OutcomeVerdict::Broken => ("error", Some("broken")),
        OutcomeVerdict::Skipped => ("skipped", None),
    };
    element.write_inner_content(|writer| {
        let mut element = writer.create_element(outcome);
        element = element.with_attribute(("message", message.as_str()));
        // Ant's schema wants a type of the one, and allows none of the other.
        if let Some(kind) = kind {
            element = element.with_attribute(("type", kind));
        }
        if case.text.is_empty() {
            element.write_empty()?;
        } else {
            element.write_text_content(BytesText::new(&allowed(&case.text)))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Seconds with milliseconds, without separators of thousands.
fn seconds(ms: u64) -> String {
    format!("{:.3}", Duration::from_millis(ms).as_secs_f64())
}

/// A text without what XML 1.0 cannot hold.
fn allowed(text: &str) -> String {
    printable(text.as_bytes()).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::sample;
    use super::*;
    use crate::console::Console;
    use crate::model::Judging;

    fn xml(run: &RunReport) -> String {
        junit(run, &BTreeMap::new(), "builder").unwrap()
    }

    #[test]
    fn suites_are_source_and_arch_and_cases_are_addresses() {
        insta::assert_snapshot!(xml(&sample::run()), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
            <testsuite name="inputs" package="engine" id="0" timestamp="2026-11-18T11:06:40" hostname="builder" tests="1" failures="0" errors="0" skipped="0" time="61.400">
                <properties>
                    <property name="cached" value="0"/>
                </properties>
                <testcase name="kbuild" classname="image" time="61.400"/>
                <system-out/>
                <system-err/>
            </testsuite>
            <testsuite name="linux-6.1/amd64" package="engine" id="1" timestamp="2026-11-18T11:06:40" hostname="builder" tests="2" failures="1" errors="0" skipped="1" time="4.250">
                <properties>
                    <property name="cached" value="0"/>
                </properties>
                <testcase name="linux-6.1/amd64/tiny/clang" classname="kernel" time="4.250">
                    <failure message="make ended with status 2" type="failed">cannot read `/nowhere/build.log`: No such file or directory (os error 2)</failure>
                </testcase>
                <testcase name="linux-6.1/amd64/tiny/clang/qemu-pc/general" classname="boot" time="0.000">
                    <skipped message="`kernel:linux-6.1/amd64/tiny/clang` failed"/>
                </testcase>
                <system-out/>
                <system-err/>
            </testsuite>
            <testsuite name="linux-6.1/arm" package="engine" id="2" timestamp="2026-11-18T11:06:40" hostname="builder" tests="2" failures="0" errors="1" skipped="0" time="3725.000">
                <properties>
                    <property name="cached" value="1"/>
                </properties>
                <testcase name="linux-6.1/arm/sunxi_defconfig/gcc" classname="kernel" time="3725.000"/>
                <testcase name="linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general" classname="boot" time="0.000">
                    <error message="cannot run `qemu-system-arm`: not found" type="broken"/>
                </testcase>
                <system-out/>
                <system-err/>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn the_tests_of_a_boot_are_cases_with_what_they_said() {
        let mut run = sample::run();
        run.nodes.drain(..2);
        run.nodes.truncate(1);
        let mut console = Console::new(Judging::default());
        console.push(
            b"[    1.000000] WARNING: CPU: 0 PID: 1 at fs/x.c:1 do_thing+0x1/0x2\nengine: init reached\nKTAP version 1\nok 1 proc\n\
              # expected 3 got 4\n# at line 7\nnot ok 2 sum\nok 3 net # SKIP no network\nengine: suite exited 1\n",
        );
        let results = console.captured();
        let boots = BTreeMap::from([(run.nodes[0].name.clone(), results)]);
        insta::assert_snapshot!(junit(&run, &boots, "builder").unwrap(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
            <testsuite name="linux-6.1/arm" package="engine" id="0" timestamp="2026-11-18T11:06:40" hostname="builder" tests="4" failures="1" errors="1" skipped="1" time="0.000">
                <properties>
                    <property name="cached" value="0"/>
                </properties>
                <testcase name="linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general" classname="boot" time="0.000">
                    <error message="cannot run `qemu-system-arm`: not found" type="broken"/>
                </testcase>
                <testcase name="proc" classname="linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general" time="0.000"/>
                <testcase name="sum" classname="linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general" time="0.000">
                    <failure message="expected 3 got 4" type="failed">expected 3 got 4
        at line 7</failure>
                </testcase>
                <testcase name="net" classname="linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general" time="0.000">
                    <skipped message="no network">no network</skipped>
                </testcase>
                <system-out/>
                <system-err>linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general: warning: WARNING in do_thing</system-err>
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
        let xml = xml(&run);
        assert!(!xml.contains("file101.o") && xml.contains("file102.o"));
        assert!(
            xml.contains("error: &lt;a&gt; &amp; ]]&gt;\u{fffd}</failure>"),
            "{xml}"
        );
    }
}
