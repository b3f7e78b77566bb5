//! How far a run and its nodes are, in words.

use crate::realise::RunProgress;
use crate::recipe::Step;
use crate::spec::Kind;
use crate::text::duration;
use crate::text::size;

/// A node that runs, in at most `width` columns: what is at work is left out before the count is, and of the name the end is kept.
pub(super) fn row(kind: Kind, name: &str, step: &Step, note: &str, width: usize) -> String {
    let count = count(kind, step);
    let file = step.at.rsplit('/').next().unwrap_or_default();
    let whole = format!("{kind} {name}");
    let joined = |more: &[&str]| {
        let mut parts = vec![whole.as_str()];
        parts.extend(more.iter().filter(|part| !part.is_empty()));
        parts.join("  ")
    };
    let told = if count.is_empty() {
        vec![joined(&[note]), whole.clone()]
    } else {
        vec![
            joined(&[&count, &step.at]),
            joined(&[&count, file]),
            joined(&[&count]),
        ]
    };
    let fits = |text: &&String| text.chars().count() <= width;
    told.iter().find(fits).cloned().unwrap_or_else(|| {
        let count = if count.is_empty() {
            count
        } else {
            format!("  {count}")
        };
        let room = width.saturating_sub(count.chars().count() + 1);
        let letters: Vec<char> = whole.chars().collect();
        let end = &letters[letters.len().saturating_sub(room)..];
        let text: String = ['…']
            .iter()
            .chain(end)
            .copied()
            .chain(count.chars())
            .collect();
        text.chars().take(width).collect()
    })
}

/// `312/847`, `12.0 MiB/133.2 MiB`; empty where a node counts nothing.
fn count(kind: Kind, step: &Step) -> String {
    if step.done == 0 {
        return String::new();
    }
    let amount = |units: u64| match kind {
        Kind::Fetch => size(units),
        _ => units.to_string(),
    };
    match step.of {
        Some(of) => format!("{}/{}", amount(step.done), amount(of)),
        None => amount(step.done),
    }
}

/// `43%, 9/25 nodes, about 4m10s left (guessed)`.
pub(super) fn run(run: &RunProgress) -> String {
    let percent = u128::from(run.done_ms) * 100 / u128::from(run.total_ms.max(1));
    let guessed = if run.guessed { " (guessed)" } else { "" };
    // Less than a second is no estimate.
    let left = duration(run.left_ms.div_ceil(1000).max(1) * 1000);
    let left = left
        .strip_suffix(".0s")
        .map_or_else(|| left.clone(), |secs| format!("{secs}s"));
    format!(
        "{percent}%, {}/{} nodes, about {left} left{guessed}",
        run.finished, run.wanted
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const NAME: &str = "linux-6.1/x86_64/tinyconfig-spelled-out/gcc";

    pub(in crate::terminal) fn step() -> Step {
        Step {
            done: 312,
            of: Some(847),
            at: "kernel/sched/build_policy.o".to_owned(),
        }
    }

    pub(in crate::terminal) fn progress() -> RunProgress {
        RunProgress {
            wanted: 25,
            finished: 9,
            done_ms: 43_000,
            total_ms: 100_000,
            left_ms: 249_100,
            guessed: true,
        }
    }

    #[test]
    fn a_row_fits_its_width() {
        let mut rows = Vec::new();
        for width in [200, 80, 70, 60, 30, 10, 0] {
            let row = row(Kind::Kernel, NAME, &step(), "", width);
            assert!(row.chars().count() <= width, "{row}");
            rows.push(format!("{width:3} {row}"));
        }
        insta::assert_snapshot!(rows.join("\n"), @"
        200 kernel linux-6.1/x86_64/tinyconfig-spelled-out/gcc  312/847  kernel/sched/build_policy.o
         80 kernel linux-6.1/x86_64/tinyconfig-spelled-out/gcc  312/847  build_policy.o
         70 kernel linux-6.1/x86_64/tinyconfig-spelled-out/gcc  312/847
         60 kernel linux-6.1/x86_64/tinyconfig-spelled-out/gcc  312/847
         30 …nfig-spelled-out/gcc  312/847
         10 …  312/847
          0
        ");
    }

    #[test]
    fn a_row_says_what_there_is_to_say() {
        let bytes = Step {
            done: 12 << 20,
            of: Some(133 << 20),
            at: String::new(),
        };
        let none = Step::default();
        let rows = [
            row(Kind::Fetch, "source/linux-6.1", &bytes, "downloads", 60),
            row(
                Kind::Image,
                "kbuild",
                &none,
                "makes the image: its user, its packages",
                60,
            ),
            row(
                Kind::Image,
                "kbuild",
                &none,
                "makes the image: its user, its packages",
                30,
            ),
            row(Kind::Boot, NAME, &none, "", 20),
        ];
        insta::assert_snapshot!(rows.join("\n"), @"
        fetch source/linux-6.1  12.0 MiB/133.0 MiB
        image kbuild  makes the image: its user, its packages
        image kbuild
        …fig-spelled-out/gcc
        ");
    }

    #[test]
    fn a_run_is_told_by_its_work() {
        let known = RunProgress {
            guessed: false,
            left_ms: 3_200,
            ..progress()
        };
        let runs = [run(&progress()), run(&known), run(&RunProgress::default())];
        insta::assert_snapshot!(runs.join("\n"), @"
        43%, 9/25 nodes, about 4m10s left (guessed)
        43%, 9/25 nodes, about 4s left
        0%, 0/0 nodes, about 1s left
        ");
    }
}
