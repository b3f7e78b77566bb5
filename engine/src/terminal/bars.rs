//! A run where somebody watches: what runs with its time, and a bar of what is finished.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;

use super::Level;
use super::node::Tally;
use super::node::failed_log;
use super::node::is_told;
use super::node::line;
use super::screen::talk;
use crate::realise::Event;
use crate::realise::Observer;
use crate::spec::Kind;

const TICK: Duration = Duration::from_millis(200);

/// A live display on standard error, gone when the run is over.
pub(super) struct Bars {
    level: Level,
    display: MultiProgress,
    state: Mutex<State>,
}

struct State {
    tally: Tally,
    bar: ProgressBar,
    running: BTreeMap<(Kind, String), ProgressBar>,
}

impl Bars {
    pub(super) fn new(level: Level) -> Self {
        let state = State {
            tally: Tally::default(),
            bar: ProgressBar::hidden(),
            running: BTreeMap::new(),
        };
        Self {
            level,
            display: MultiProgress::new(),
            state: Mutex::new(state),
        }
    }

    /// Writes above the display.
    fn print(&self, text: &str) {
        self.display.suspend(|| talk(text));
    }
}

impl Observer for Bars {
    fn event(&self, event: Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::RunStarted { wanted, fresh } => {
                state.tally.wanted = wanted;
                if fresh < wanted {
                    state.bar = self.display.add(ProgressBar::new(0));
                    state.bar.set_style(style("{bar:30} {pos}/{len}"));
                }
            }
            Event::RunNote(text) => self.print(&format!("{text}\n")),
            Event::NodeStarted { kind, name, .. } => {
                let row = self
                    .display
                    .insert_before(&state.bar, ProgressBar::new_spinner());
                row.set_style(style("{spinner} {elapsed:>4} {prefix} {msg:.dim}"));
                row.set_prefix(format!("{kind} {name}"));
                row.enable_steady_tick(TICK);
                state.running.insert((kind, name.to_owned()), row);
            }
            Event::NodeNote { kind, name, text } => {
                if let Some(row) = state.running.get(&(kind, name.to_owned())) {
                    row.set_message(text.to_owned());
                }
                if kind == Kind::Fetch || self.level == Level::Verbose {
                    self.print(&format!("{kind} {name}: {text}\n"));
                }
            }
            Event::NodeFinished(node) => {
                state.tally.count();
                if let Some(row) = state.running.remove(&(node.kind, node.name.clone())) {
                    row.finish_and_clear();
                    self.display.remove(&row);
                }
                if is_told(node, self.level) {
                    let log = failed_log(node).unwrap_or_default();
                    self.print(&format!("{} {}\n{log}", state.tally.mark(), line(node)));
                }
            }
            Event::NodeStep { .. } | Event::Progress(_) => {}
            Event::RunFinished(_) => {
                state.bar.finish_and_clear();
                state.running.clear();
                let _ = self.display.clear();
            }
        }
        state.bar.set_length(state.tally.wanted as u64);
        state.bar.set_position(state.tally.finished as u64);
    }
}

/// The style of a template of this file; a broken one shows as indicatif's own.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
