//! A run where somebody watches: what runs with its time and how far it is, and a bar of the work that is done.

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
use super::progress;
use super::screen::is_ascii;
use super::screen::talk;
use crate::realise::Event;
use crate::realise::Observer;
use crate::recipe::Step;
use crate::spec::Kind;

const TICK: Duration = Duration::from_millis(200);

/// A live display on standard error, gone when the run is over.
pub(super) struct Bars {
    level: Level,
    colour: bool,
    display: MultiProgress,
    state: Mutex<State>,
}

struct State {
    tally: Tally,
    bar: ProgressBar,
    running: BTreeMap<(Kind, String), Row>,
}

/// A node that runs.
struct Row {
    bar: ProgressBar,
    step: Step,
    note: String,
}

/// What stands before a row's text: the spinner, the time, blanks.
const BEFORE: usize = 8;

/// Columns in which a bar of a fixed length has its place.
const WIDE: usize = 100;

impl Bars {
    pub(super) fn new(level: Level, colour: bool) -> Self {
        let state = State {
            tally: Tally::default(),
            bar: ProgressBar::hidden(),
            running: BTreeMap::new(),
        };
        Self {
            level,
            colour,
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
                    state.bar.set_style(style(if width() < WIDE {
                        "{wide_bar} {msg}"
                    } else {
                        "{bar:40} {msg}"
                    }));
                }
            }
            Event::RunNote(text) => self.print(&format!("{text}\n")),
            Event::NodeStarted { kind, name, .. } => {
                let bar = self
                    .display
                    .insert_before(&state.bar, ProgressBar::new_spinner());
                bar.set_style(style("{spinner} {elapsed:>4} {msg}"));
                bar.enable_steady_tick(TICK);
                let row = Row {
                    bar,
                    step: Step::default(),
                    note: String::new(),
                };
                row.show(kind, name);
                state.running.insert((kind, name.to_owned()), row);
            }
            Event::NodeNote { kind, name, text } => {
                if let Some(row) = state.running.get_mut(&(kind, name.to_owned())) {
                    text.clone_into(&mut row.note);
                    row.show(kind, name);
                }
                if kind == Kind::Fetch || self.level == Level::Verbose {
                    self.print(&format!("{kind} {name}: {text}\n"));
                }
            }
            Event::NodeFinished(node) => {
                state.tally.count();
                if let Some(row) = state.running.remove(&(node.kind, node.name.clone())) {
                    row.bar.finish_and_clear();
                    self.display.remove(&row.bar);
                }
                if is_told(node, self.level) {
                    let log = failed_log(node).unwrap_or_default();
                    self.print(&format!(
                        "{} {}\n{log}",
                        state.tally.mark(),
                        line(node, self.colour)
                    ));
                }
            }
            Event::NodeStep { kind, name, step } => {
                if let Some(row) = state.running.get_mut(&(kind, name.to_owned())) {
                    row.step = step.clone();
                    row.show(kind, name);
                }
            }
            Event::Progress(run) => {
                state.bar.set_length(run.total_ms);
                state.bar.set_position(run.done_ms);
                let message = progress::run(&run);
                // A message that is too long would wrap, and leave its lines behind.
                let room = width().saturating_sub(2);
                state
                    .bar
                    .set_message(message.chars().take(room).collect::<String>());
            }
            Event::RunFinished(_) => {
                state.bar.finish_and_clear();
                state.running.clear();
                let _ = self.display.clear();
            }
        }
    }
}

impl Row {
    fn show(&self, kind: Kind, name: &str) {
        let room = width().saturating_sub(BEFORE);
        let text = progress::row(kind, name, &self.step, &self.note, room);
        let text = if is_ascii() {
            text.replace('…', "~")
        } else {
            text
        };
        self.bar.set_message(text);
    }
}

/// Columns of the terminal as it is now.
fn width() -> usize {
    usize::from(::console::Term::stderr().size().1)
}

/// The style of a template of this file; a broken one shows as indicatif's own.
fn style(template: &str) -> ProgressStyle {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    if is_ascii() {
        return style.tick_chars("|/-\\ ").progress_chars("#>-");
    }
    style
}
