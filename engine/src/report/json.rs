//! Events as JSON lines, for programs: `{"v":1,"event":"node_finished",…}`.

use std::path::Path;

use serde::Serialize;
use store::OutcomeVerdict;

use super::node::verdict_word;
use crate::realise::Event;
use crate::realise::NodeReport;
use crate::realise::RunReport;

/// Raised when a reader of the old lines would misread the new; new fields and events do not.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    #[serde(flatten)]
    event: Told<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Told<'a> {
    RunStarted {
        wanted: usize,
        fresh: usize,
    },
    RunNote {
        text: &'a str,
    },
    NodeStarted {
        kind: &'static str,
        name: &'a str,
        why: &'a str,
    },
    NodeNote {
        kind: &'static str,
        name: &'a str,
        text: &'a str,
    },
    NodeStep {
        kind: &'static str,
        name: &'a str,
        done: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        of: Option<u64>,
        at: &'a str,
    },
    Progress {
        wanted: usize,
        finished: usize,
        done_ms: u64,
        total_ms: u64,
        left_ms: u64,
        guessed: bool,
    },
    NodeFinished {
        kind: &'static str,
        name: &'a str,
        verdict: &'static str,
        cached: bool,
        duration_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        #[serde(skip_serializing_if = "str::is_empty")]
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        log: Option<String>,
    },
    RunFinished {
        succeeded: usize,
        failed: usize,
        broken: usize,
        skipped: usize,
        cached: usize,
        duration_ms: u64,
        interrupted: bool,
    },
}

/// Gives one event as one JSON object on one line, without the line break.
#[expect(clippy::missing_panics_doc, reason = "no event can make it panic")]
pub fn json_line(event: Event<'_>) -> String {
    let event = match event {
        Event::RunStarted { wanted, fresh } => Told::RunStarted { wanted, fresh },
        Event::RunNote(text) => Told::RunNote { text },
        Event::NodeStarted { kind, name, why } => Told::NodeStarted {
            kind: kind.word(),
            name,
            why,
        },
        Event::NodeNote { kind, name, text } => Told::NodeNote {
            kind: kind.word(),
            name,
            text,
        },
        Event::NodeStep { kind, name, step } => Told::NodeStep {
            kind: kind.word(),
            name,
            done: step.done,
            of: step.of,
            at: &step.at,
        },
        Event::Progress(run) => Told::Progress {
            wanted: run.wanted,
            finished: run.finished,
            done_ms: run.done_ms,
            total_ms: run.total_ms,
            left_ms: run.left_ms,
            guessed: run.guessed,
        },
        Event::NodeFinished(node) => finished(node),
        Event::RunFinished(run) => run_finished(run),
    };
    serde_json::to_string(&Line { v: VERSION, event })
        .expect("strings, numbers and flags are always JSON")
}

fn finished(node: &NodeReport) -> Told<'_> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    Told::NodeFinished {
        kind: node.kind.word(),
        name: &node.name,
        verdict: verdict_word(node.verdict),
        cached: node.cached,
        duration_ms: node.duration_ms,
        key: node.key.map(|key| key.to_string()),
        reason: &node.reason,
        log: node.log.as_deref().map(path),
    }
}

fn run_finished(run: &RunReport) -> Told<'_> {
    let count = |verdict| {
        run.nodes
            .iter()
            .filter(|node| node.verdict == verdict)
            .count()
    };
    Told::RunFinished {
        succeeded: count(OutcomeVerdict::Succeeded),
        failed: count(OutcomeVerdict::Failed),
        broken: count(OutcomeVerdict::Broken),
        skipped: count(OutcomeVerdict::Skipped),
        cached: run.nodes.iter().filter(|node| node.cached).count(),
        duration_ms: run.duration_ms,
        interrupted: run.interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::realise::RunProgress;
    use crate::recipe::Step;
    use crate::spec::Kind;

    #[test]
    fn each_event_is_one_versioned_object() {
        let run = sample::run();
        let mut lines = vec![
            json_line(Event::RunStarted {
                wanted: 12,
                fresh: 4,
            }),
            json_line(Event::NodeStarted {
                kind: Kind::Image,
                name: "kbuild",
                why: "never built",
            }),
            json_line(Event::NodeNote {
                kind: Kind::Fetch,
                name: "base/deb",
                text: "a\n\"b\"",
            }),
            json_line(Event::RunNote("another engine runs here")),
            json_line(Event::NodeStep {
                kind: Kind::Kernel,
                name: "linux-6.1/x86_64/tinyconfig/gcc",
                step: &Step {
                    done: 312,
                    of: Some(847),
                    at: "init/main.o".to_owned(),
                },
            }),
            json_line(Event::NodeStep {
                kind: Kind::Fetch,
                name: "source/linux",
                step: &Step {
                    done: 65_536,
                    ..Step::default()
                },
            }),
            json_line(Event::Progress(RunProgress {
                wanted: 25,
                finished: 9,
                done_ms: 43_000,
                total_ms: 100_000,
                left_ms: 31_000,
                guessed: true,
            })),
        ];
        lines.extend(
            run.nodes
                .iter()
                .map(|node| json_line(Event::NodeFinished(node))),
        );
        lines.push(json_line(Event::RunFinished(&run)));
        for line in &lines {
            assert!(!line.contains('\n'));
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(object["v"], 1);
        }
        let key = store::Digest::of(b"sunxi").to_string();
        insta::assert_snapshot!(lines.join("\n").replace(&key, "KEY"), @r#"
        {"v":1,"event":"run_started","wanted":12,"fresh":4}
        {"v":1,"event":"node_started","kind":"image","name":"kbuild","why":"never built"}
        {"v":1,"event":"node_note","kind":"fetch","name":"base/deb","text":"a\n\"b\""}
        {"v":1,"event":"run_note","text":"another engine runs here"}
        {"v":1,"event":"node_step","kind":"kernel","name":"linux-6.1/x86_64/tinyconfig/gcc","done":312,"of":847,"at":"init/main.o"}
        {"v":1,"event":"node_step","kind":"fetch","name":"source/linux","done":65536,"at":""}
        {"v":1,"event":"progress","wanted":25,"finished":9,"done_ms":43000,"total_ms":100000,"left_ms":31000,"guessed":true}
        {"v":1,"event":"node_finished","kind":"image","name":"kbuild","verdict":"succeeded","cached":false,"duration_ms":61400}
        {"v":1,"event":"node_finished","kind":"kernel","name":"linux-6.1/arm/sunxi_defconfig/gcc","verdict":"succeeded","cached":true,"duration_ms":3725000,"key":"KEY"}
        {"v":1,"event":"node_finished","kind":"boot","name":"linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general","verdict":"broken","cached":false,"duration_ms":0,"reason":"cannot run `qemu-system-arm`: not found"}
        {"v":1,"event":"node_finished","kind":"kernel","name":"linux-6.1/amd64/tiny/clang","verdict":"failed","cached":false,"duration_ms":4250,"reason":"make ended with status 2","log":"/nowhere/build.log"}
        {"v":1,"event":"node_finished","kind":"boot","name":"linux-6.1/amd64/tiny/clang/qemu-pc/general","verdict":"skipped","cached":false,"duration_ms":0,"reason":"`kernel:linux-6.1/amd64/tiny/clang` failed"}
        {"v":1,"event":"run_finished","succeeded":2,"failed":1,"broken":1,"skipped":1,"cached":1,"duration_ms":65650,"interrupted":false}
        "#);
    }
}
