//! A run where nobody watches, as in CI: one line per node that ran, no times of day.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use super::Level;
use super::node::Tally;
use super::node::failed_log;
use super::node::is_told;
use super::node::line;
use super::progress;
use super::screen::talk;
use crate::realise::Event;
use crate::realise::NodeReport;
use crate::realise::Observer;
use crate::recipe::Step;
use crate::spec::Kind;

/// How often the whole run is told.
const EVERY: Duration = Duration::from_mins(1);

/// Writes plain lines to standard error.
pub(super) struct Lines {
    level: Level,
    colour: bool,
    state: Mutex<State>,
}

struct State {
    tally: Tally,
    /// When the run was told last, or began.
    told: Instant,
    /// The newest step, of whichever node.
    step: Option<(Kind, String, Step)>,
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            tally: Tally::default(),
            told: now,
            step: None,
        }
    }
}

impl Lines {
    pub(super) fn new(level: Level, colour: bool) -> Self {
        Self {
            level,
            colour,
            state: Mutex::new(State::new(Instant::now())),
        }
    }
}

impl Observer for Lines {
    fn event(&self, event: Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match event {
            Event::NodeFinished(node) => finished(&mut state, self.level, node, self.colour),
            event => text(&mut state, self.level, event, Instant::now()),
        };
        talk(&text);
    }
}

fn finished(state: &mut State, level: Level, node: &NodeReport, colour: bool) -> String {
    state.tally.count();
    if !is_told(node, level) {
        return String::new();
    }
    let log = failed_log(node).unwrap_or_default();
    format!("{} {}\n{log}", state.tally.mark(), line(node, colour))
}

fn text(state: &mut State, level: Level, event: Event<'_>, now: Instant) -> String {
    let tally = &mut state.tally;
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
        Event::NodeFinished(node) => return finished(state, level, node, false),
        Event::NodeStep { kind, name, step } => {
            state.step = Some((kind, name.to_owned(), step.clone()));
        }
        Event::Progress(run) => {
            if level > Level::Quiet && now.duration_since(state.told) >= EVERY {
                state.told = now;
                let step = state.step.take();
                let step =
                    step.map(|(kind, name, step)| progress::row(kind, &name, &step, "", MOST));
                let step = step.map_or_else(String::new, |step| format!("; {step}"));
                return format!("progress: {}{step}\n", progress::run(&run));
            }
        }
        Event::RunFinished(_) => {}
    }
    String::new()
}

/// Columns of a step: no terminal cuts it.
const MOST: usize = 200;

#[cfg(test)]
mod tests {
    use store::OutcomeVerdict;

    use super::super::node::tests::node;
    use super::super::progress::tests::progress;
    use super::super::progress::tests::step;
    use super::*;

    fn run(level: Level) -> String {
        let start = Instant::now();
        let mut state = State::new(start);
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
        .map(|event| text(&mut state, level, event, start))
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

    #[test]
    fn the_run_is_told_once_a_minute() {
        let start = Instant::now();
        let mut state = State::new(start);
        let (step, run) = (step(), progress());
        let mut told = String::new();
        for secs in 0..130 {
            let now = start + Duration::from_secs(secs);
            let (kind, name) = (Kind::Kernel, "linux-6.1/x86_64/tinyconfig/gcc");
            if secs < 61 {
                let step = &step;
                let event = Event::NodeStep { kind, name, step };
                told += &text(&mut state, Level::Normal, event, now);
            }
            told += &text(&mut state, Level::Normal, Event::Progress(run), now);
            assert_eq!(
                text(&mut state, Level::Quiet, Event::Progress(run), now),
                ""
            );
        }
        insta::assert_snapshot!(told, @"
        progress: 43%, 9/25 nodes, about 4m10s left (guessed); kernel linux-6.1/x86_64/tinyconfig/gcc  312/847  kernel/sched/build_policy.o
        progress: 43%, 9/25 nodes, about 4m10s left (guessed)
        ");
    }
}
