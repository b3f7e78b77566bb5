//! Small logs with the right answer, one for each class and arch.

use std::fs;
use std::path::Path;

use crate::console::Console;
use crate::console::Finding;
use crate::model::Judging;

fn findings(log: &str) -> Vec<Finding> {
    let mut console = Console::new(Judging::default());
    console.push(log.as_bytes());
    console.captured().findings
}

/// Judges every case of a file; a case begins with `=== CLASS SEVERITY TITLE` or `=== none`.
fn judge(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/judge")
        .join(name);
    let text = fs::read_to_string(file).expect("it is in the repository");
    let mut cases = 0;
    let mut wrong = Vec::new();
    for case in text.split("\n=== ").skip(1) {
        let (answer, log) = case.split_once('\n').expect("a case has a log");
        let told = findings(log).first().map_or_else(
            || "none".to_owned(),
            |first| {
                let class = serde_json::to_value(first.class).expect("plain data");
                let class = class.as_str().unwrap_or_default();
                format!("{class} {} {}", first.severity.word(), first.title)
            },
        );
        cases += 1;
        if told != answer {
            wrong.push(format!("wanted: {answer}\n   got: {told}\n{log}"));
        }
    }
    assert!(cases > 5, "{name} has {cases} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arches() {
    judge("arches.txt");
}

#[test]
fn classes() {
    judge("classes.txt");
}

#[test]
fn innocent() {
    judge("innocent.txt");
}
