//! A run where nobody watches, as in CI: one line per node that ran, no times of day.

use std::sync::Mutex;
use std::sync::PoisonError;

use super::Level;
use super::node::Tally;
use super::node::failed_log;
use super::node::is_told;
use super::node::line;
use super::screen::talk;
use crate::realise::Event;
use crate::realise::Observer;

/// Writes plain lines to standard error.
pub(super) struct Lines {
    level: Level,
    tally: Mutex<Tally>,
}

impl Lines {
    pub(super) fn new(level: Level) -> Self {
        Self {
            level,
            tally: Mutex::default(),
        }
    }
}

impl Observer for Lines {
    fn event(&self, event: Event<'_>) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        talk(&text(&mut tally, self.level, event));
    }
}

fn text(tally: &mut Tally, level: Level, event: Event<'_>) -> String {
    match event {
        Event::RunStarted { wanted, fresh } => {
            tally.wanted = wanted;
            if level > Level::Quiet && fresh < wanted {
                return format!("{wanted} nodes wanted, {fresh} of them fresh\n");
            }
        }
        Event::RunNote(text) => {
            if level > Level::Quiet {
                return format!("{text}\n");
            }
        }
        Event::NodeStarted { kind, name, why } => {
            if level == Level::Verbose {
                let why = if why.is_empty() {
                    String::new()
                } else {
                    format!(": {why}")
                };
                return format!("starts {kind} {name}{why}\n");
            }
        }
        Event::NodeNote { kind, name, text } => {
            if level > Level::Quiet {
                return format!("{kind} {name}: {text}\n");
            }
        }
        Event::NodeFinished(node) => {
            tally.count();
            if is_told(node, level) {
                let log = failed_log(node).unwrap_or_default();
                return format!("{} {}\n{log}", tally.mark(), line(node));
            }
        }
        Event::NodeStep { .. } | Event::Progress(_) | Event::RunFinished(_) => {}
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use store::OutcomeVerdict;

    use super::super::node::tests::node;
    use super::*;
    use crate::spec::Kind;

    fn run(level: Level) -> String {
        let mut tally = Tally::default();
        let (fresh, done) = (
            node(OutcomeVerdict::Succeeded, true),
            node(OutcomeVerdict::Succeeded, false),
        );
        let failed = node(OutcomeVerdict::Failed, false);
        let (kind, name) = (Kind::Fetch, "base/bookworm");
        [
            Event::RunStarted {
                wanted: 12,
                fresh: 1,
            },
            Event::NodeFinished(&fresh),
            Event::NodeStarted {
                kind,
                name,
                why: "",
            },
            Event::NodeNote {
                kind,
                name,
                text: "downloads 120 packages, 93 MiB",
            },
            Event::NodeFinished(&done),
            Event::NodeFinished(&failed),
        ]
        .map(|event| text(&mut tally, level, event))
        .concat()
    }

    #[test]
    fn fresh_nodes_are_counted_and_not_listed() {
        insta::assert_snapshot!(run(Level::Normal), @"
        12 nodes wanted, 1 of them fresh
        fetch base/bookworm: downloads 120 packages, 93 MiB
        [ 2/12] kernel linux-6.1/x86_64/tinyconfig/gcc ... succeeded in 2m08s
        [ 3/12] kernel linux-6.1/x86_64/tinyconfig/gcc ... failed in 2m08s: a.c:3:1: error: unknown type
        ");
    }

    #[test]
    fn a_quiet_run_tells_only_faults_and_a_verbose_one_all() {
        insta::assert_snapshot!(run(Level::Quiet), @"[ 3/12] kernel linux-6.1/x86_64/tinyconfig/gcc ... failed in 2m08s: a.c:3:1: error: unknown type");
        insta::assert_snapshot!(run(Level::Verbose), @"
        12 nodes wanted, 1 of them fresh
        [ 1/12] kernel linux-6.1/x86_64/tinyconfig/gcc ... succeeded (cached)
        starts fetch base/bookworm
        fetch base/bookworm: downloads 120 packages, 93 MiB
        [ 2/12] kernel linux-6.1/x86_64/tinyconfig/gcc ... succeeded in 2m08s
        [ 3/12] kernel linux-6.1/x86_64/tinyconfig/gcc ... failed in 2m08s: a.c:3:1: error: unknown type
        ");
    }
}
