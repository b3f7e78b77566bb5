//! The end of a run as text: what every address came to, the counts, and the failures last.

use std::fmt::Write as _;

use store::OutcomeVerdict;

use super::node::verdict_word;
use crate::realise::NodeReport;
use crate::realise::RunReport;
use crate::spec::Kind;
use crate::text::duration;

/// Gives the table of kernels and boots (of all nodes, where a run has neither), then the counts
/// of all nodes, then each failed and broken node with its reason and log. `paint` colours a word about a verdict.
pub fn summary(run: &RunReport, paint: &dyn Fn(OutcomeVerdict, &str) -> String) -> String {
    let mut text = String::new();
    write_table(&mut text, run, paint);
    write_counts(&mut text, run);
    let bad = |node: &&NodeReport| {
        matches!(
            node.verdict,
            OutcomeVerdict::Failed | OutcomeVerdict::Broken
        )
    };
    for node in run.nodes.iter().filter(bad) {
        let verdict = verdict_word(node.verdict);
        let verdict = paint(node.verdict, verdict);
        let _ = writeln!(text, "\n{verdict}: {} {}", node.kind.word(), node.name);
        for line in node.reason.lines() {
            let _ = writeln!(text, "    {line}");
        }
        if let Some(log) = &node.log {
            let _ = writeln!(text, "    log: {}", log.display());
        }
    }
    text
}

fn write_table(text: &mut String, run: &RunReport, paint: &dyn Fn(OutcomeVerdict, &str) -> String) {
    let is_result = |node: &&NodeReport| matches!(node.kind, Kind::Kernel | Kind::Boot);
    let mut rows: Vec<&NodeReport> = run.nodes.iter().filter(is_result).collect();
    if rows.is_empty() {
        rows = run.nodes.iter().collect();
    }
    if rows.is_empty() {
        return;
    }
    // By address, so that boots stand below the kernel they boot.
    rows.sort_by(|a, b| (&a.name, a.kind).cmp(&(&b.name, b.kind)));
    let _ = writeln!(
        text,
        "{:<9}  {:<6}  {:>8}  NODE",
        "VERDICT", "CACHED", "TIME"
    );
    for node in rows {
        let verdict = verdict_word(node.verdict);
        let cached = if node.cached { "cached" } else { "" };
        let ran = matches!(
            node.verdict,
            OutcomeVerdict::Succeeded | OutcomeVerdict::Failed
        );
        let time = if ran {
            duration(node.duration_ms)
        } else {
            String::new()
        };
        let verdict = paint(node.verdict, &format!("{verdict:<9}"));
        let (word, name) = (node.kind.word(), &node.name);
        let remark = match node.verdict {
            OutcomeVerdict::Succeeded if !node.reason.is_empty() => format!(", {}", node.reason),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "{verdict}  {cached:<6}  {time:>8}  {word} {name}{remark}"
        );
    }
    text.push('\n');
}

fn write_counts(text: &mut String, run: &RunReport) {
    let count = |verdict| {
        run.nodes
            .iter()
            .filter(|node| node.verdict == verdict)
            .count()
    };
    let cached = run.nodes.iter().filter(|node| node.cached).count();
    let mut counts = Vec::new();
    for verdict in [
        OutcomeVerdict::Succeeded,
        OutcomeVerdict::Failed,
        OutcomeVerdict::Broken,
        OutcomeVerdict::Skipped,
    ] {
        let count = count(verdict);
        if count > 0 {
            counts.push(format!("{count} {}", verdict_word(verdict)));
        }
    }
    if counts.is_empty() {
        counts.push("nothing to do".to_owned());
    }
    let all = counts.join(", ");
    let end = if run.interrupted { ", interrupted" } else { "" };
    let time = duration(run.duration_ms);
    let _ = writeln!(
        text,
        "{all} ({cached} of {} cached) in {time}{end}",
        run.nodes.len()
    );
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn plain(run: &RunReport) -> String {
        summary(run, &|_, word| word.to_owned())
    }

    #[test]
    fn failures_stand_last() {
        insta::assert_snapshot!(plain(&sample::run()), @r"
        VERDICT    CACHED      TIME  NODE
        failed                 4.2s  kernel linux-6.1/amd64/tiny/clang
        skipped                      boot linux-6.1/amd64/tiny/clang/qemu-pc/general
        succeeded  cached  1h02m05s  kernel linux-6.1/arm/sunxi_defconfig/gcc
        broken                       boot linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general

        2 succeeded, 1 failed, 1 broken, 1 skipped (1 of 5 cached) in 1m05s

        broken: boot linux-6.1/arm/sunxi_defconfig/gcc/qemu-cubieboard/general
            cannot run `qemu-system-arm`: not found

        failed: kernel linux-6.1/amd64/tiny/clang
            make ended with status 2
            log: /nowhere/build.log
        ");
    }

    #[test]
    fn a_run_of_inputs_lists_them_and_an_empty_run_says_so() {
        let mut run = sample::run();
        run.nodes.truncate(1);
        run.interrupted = true;
        let empty = plain(&RunReport::default());
        insta::assert_snapshot!(format!("{}---\n{empty}", plain(&run)), @"
        VERDICT    CACHED      TIME  NODE
        succeeded             1m01s  image kbuild

        1 succeeded (0 of 1 cached) in 1m05s, interrupted
        ---
        nothing to do (0 of 0 cached) in 0.0s
        ");
    }
}
