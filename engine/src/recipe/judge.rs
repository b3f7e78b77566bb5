//! What a job in a LAVA lab means for the kernel.

use crate::console::BootResults;
use crate::console::End;
use crate::console::Measurement;
use crate::console::TestOutcome;
use crate::console::TestResult;
use crate::labs::Case;
use crate::labs::Followed;
use crate::spec::LavaSpec;

/// A boot's verdict, with what goes beside it.
pub(super) struct Ended {
    pub results: BootResults,
    pub device: String,
    pub health: String,
}

pub(super) enum Judged {
    /// The lab's fault: it says nothing about the kernel.
    Fault(String),
    /// It printed no more: a slow lab looks the same.
    Hang(Ended),
    Ended(Ended),
}

/// Steps of LAVA's own before the kernel runs, by parts of their names.
const BEFORE: [&str; 12] = [
    "download",
    "deploy",
    "bootloader",
    "interrupt",
    "connect",
    "power",
    "tftp",
    "overlay",
    "validate",
    "nfs",
    "nbd",
    "reset",
];

/// What a job means: the kernel's own words first, then the test cases, then what LAVA says of itself.
pub(super) fn judge(spec: &LavaSpec, followed: Followed) -> Judged {
    let Followed {
        console,
        ended,
        device,
        job,
    } = followed;
    let tests: Vec<TestResult> = job.cases.iter().map(test).collect();
    let shell = !spec.tests.is_empty();
    let error = job.error.split_whitespace().collect::<Vec<_>>().join(" ");
    let health = job.health.clone();
    let make = |results| Ended {
        results,
        device: device.clone(),
        health,
    };
    if console.has_failed() || (!shell && console.is_over()) {
        // LAVA calls the end of a machine that panicked its own infrastructure's.
        let results = if shell {
            console.driven(tests, String::new())
        } else {
            console.finish(End::Killed, "")
        };
        return Judged::Ended(make(results));
    }
    let login = job.failed_steps.iter().find(|step| step.contains("login"));
    if let (true, true, Some(step)) = (shell, console.init_reached(), login) {
        // Seen on a busy lab: LAVA had read past what it waited for.
        return Judged::Fault(format!(
            "the shell was there, and LAVA did not get past `{step}`"
        ));
    }
    if let Some(end) = ended {
        return Judged::Hang(make(console.finish(end, "")));
    }
    match job.health.as_str() {
        "Complete" if shell => Judged::Ended(make(console.driven(tests, String::new()))),
        "Complete" => Judged::Ended(make(console.finish(End::Exited(0), ""))),
        "Canceled" if device.is_empty() => {
            Judged::Fault("no device took the job in time, or someone cancelled it".to_owned())
        }
        "Canceled" => Judged::Fault("someone cancelled the job".to_owned()),
        _ => {
            let lab = matches!(
                job.error_type.as_str(),
                "Infrastructure" | "Configuration" | "Bug"
            );
            let before = job
                .failed_steps
                .iter()
                .find(|step| BEFORE.iter().any(|part| step.contains(part)));
            let started = console.has_kernel();
            if lab || (!started && (before.is_some() || job.failed_steps.is_empty())) {
                let what = if job.error_type.is_empty() {
                    "fault"
                } else {
                    &job.error_type
                };
                let step = before
                    .map(|step| format!(", in `{step}`"))
                    .unwrap_or_default();
                return Judged::Fault(format!("{what}: {error}{step}"));
            }
            if !shell || tests.is_empty() {
                return Judged::Hang(make(console.finish(End::Total, "")));
            }
            Judged::Ended(make(console.driven(tests, error)))
        }
    }
}

/// A case as tests are told; what LAVA has no result for did not pass.
fn test(case: &Case) -> TestResult {
    let result = match case.result.as_str() {
        "pass" => TestOutcome::Pass,
        "skip" => TestOutcome::Skip,
        _ => TestOutcome::Fail,
    };
    TestResult {
        name: format!("{}/{}", case.suite, case.name),
        result,
        detail: match case.result.as_str() {
            "pass" | "fail" | "skip" => String::new(),
            other => format!("LAVA's result is `{other}`"),
        },
        measurements: measured(case),
    }
}

fn measured(case: &Case) -> Vec<Measurement> {
    let measured = case.measurement.iter();
    measured
        .map(|value| Measurement {
            name: case.name.clone(),
            value: value.clone(),
            unit: case.unit.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Console;
    use crate::labs::JobEnd;
    use crate::model::Judging;
    use crate::model::LavaCommands;
    use crate::model::LavaDevice;
    use crate::model::LavaMethod;
    use crate::model::LavaTest;
    use crate::model::LavaTestFrom;

    const STARTED: &str = "Linux version 6.1\nengine: init reached\n";
    const PASSED: &str = "KTAP version 1\n1..1\nok 1 a\nengine: suite exited 0\n";
    const PANIC: &str = "Kernel panic - not syncing: VFS: Unable to mount root fs\n";

    fn spec(shell: bool) -> LavaSpec {
        let test = LavaTest {
            name: "smoke".to_owned(),
            from: LavaTestFrom::Steps(Vec::new()),
            parameters: std::collections::BTreeMap::new(),
        };
        LavaSpec {
            device: LavaDevice {
                device_type: "x".to_owned(),
                tags: Vec::new(),
                labs: Vec::new(),
                method: LavaMethod::UBoot,
                commands: LavaCommands::Ramdisk,
                kernel_type: String::new(),
                dtb: String::new(),
                modules: false,
                initrd: None,
                context: std::collections::BTreeMap::new(),
            },
            machine: None,
            tests: if shell { vec![test] } else { Vec::new() },
            silence_secs: 1,
            total_secs: 1,
            judging: Judging::default(),
        }
    }

    fn end(
        health: &str,
        error_type: &str,
        failed_steps: &[&str],
        cases: &[(&str, &str)],
    ) -> JobEnd {
        let case = |(name, result): &(&str, &str)| Case {
            suite: "smoke".to_owned(),
            name: (*name).to_owned(),
            result: (*result).to_owned(),
            measurement: None,
            unit: String::new(),
        };
        JobEnd {
            health: health.to_owned(),
            error_type: error_type.to_owned(),
            error: "words".to_owned(),
            cases: cases.iter().map(case).collect(),
            failed_steps: failed_steps.iter().map(ToString::to_string).collect(),
        }
    }

    fn told(shell: bool, console: &str, ended: Option<End>, job: JobEnd) -> String {
        let mut reader = Console::new(Judging::default());
        reader.push(console.as_bytes());
        let followed = Followed {
            console: reader,
            ended,
            device: "device".to_owned(),
            job,
        };
        match judge(&spec(shell), followed) {
            Judged::Fault(why) => format!("lab: {why}"),
            Judged::Hang(ended) => format!("hang: {}", ended.results.reason),
            Judged::Ended(ended) => {
                format!("{:?}: {}", ended.results.verdict, ended.results.reason)
            }
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn the_kernel_then_the_tests_then_the_lab() {
        let started = |more: &str| format!("{STARTED}{more}");
        let complete = || end("Complete", "", &[], &[]);
        let incomplete = |error: &str, steps: &[&str]| end("Incomplete", error, steps, &[]);
        let told = [
            told(false, &started(PASSED), None, complete()),
            told(false, &started(PANIC), None, complete()),
            // LAVA calls the end of QEMU its own infrastructure's.
            told(
                false,
                &started(PANIC),
                None,
                incomplete("Infrastructure", &["lava-test-monitor"]),
            ),
            told(
                false,
                &started(PASSED),
                None,
                incomplete("Infrastructure", &["lava-test-monitor"]),
            ),
            told(
                false,
                &started(""),
                None,
                incomplete("Job", &["lava-test-monitor"]),
            ),
            told(
                false,
                &started(""),
                Some(End::Silence),
                end("Canceled", "Canceled", &[], &[]),
            ),
            told(
                false,
                "U-Boot 2023\n",
                None,
                incomplete("Job", &["bootloader-interrupt"]),
            ),
            told(false, "", None, incomplete("Job", &["http-download"])),
            told(false, "", None, incomplete("Job", &["lava-test-monitor"])),
            told(
                false,
                &started(""),
                None,
                incomplete("Bug", &["lava-test-monitor"]),
            ),
            told(
                false,
                &started(""),
                None,
                end("Canceled", "Canceled", &[], &[]),
            ),
            told(
                true,
                STARTED,
                None,
                end("Complete", "", &[], &[("a", "pass"), ("b", "skip")]),
            ),
            told(
                true,
                STARTED,
                None,
                end("Complete", "", &[], &[("a", "pass"), ("b", "fail")]),
            ),
            told(
                true,
                STARTED,
                None,
                end("Complete", "", &[], &[("a", "unknown")]),
            ),
            told(true, STARTED, None, complete()),
            told(
                true,
                &started(PANIC),
                None,
                end("Complete", "", &[], &[("a", "pass")]),
            ),
            told(
                true,
                STARTED,
                None,
                end("Incomplete", "Test", &[], &[("a", "pass")]),
            ),
            told(true, STARTED, None, incomplete("Job", &["login-action"])),
            told(
                true,
                "Linux version 6.1\n",
                None,
                incomplete("Job", &["login-action"]),
            ),
            told(
                true,
                STARTED,
                Some(End::Silence),
                end("Canceled", "Canceled", &["lava-test-shell"], &[]),
            ),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        Succeeded: 
        Failed: kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)
        Failed: kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)
        Succeeded: 
        hang: took too long, last line: engine: init reached
        hang: hung after: engine: init reached
        lab: Job: words, in `bootloader-interrupt`
        lab: Job: words, in `http-download`
        hang: no console output
        lab: Bug: words
        lab: someone cancelled the job
        Succeeded: 
        Failed: test `smoke/b` failed
        Failed: test `smoke/a` failed: LAVA's result is `unknown`
        Failed: no test ran
        Failed: kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)
        Failed: words
        lab: the shell was there, and LAVA did not get past `login-action`
        hang: took too long, last line: Linux version 6.1
        hang: hung after: engine: init reached
        ");
    }
}
