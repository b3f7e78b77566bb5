//! A run for programs: JSON lines on standard output.

use std::io;
use std::io::Write as _;

use crate::realise::Event;
use crate::realise::Observer;
use crate::report::json_line;

/// Writes each event as a line as it happens.
pub(super) struct Events;

impl Observer for Events {
    fn event(&self, event: Event<'_>) {
        let mut stdout = io::stdout().lock();
        // A reader that went away does not end the run.
        let _ = writeln!(stdout, "{}", json_line(event)).and_then(|()| stdout.flush());
    }
}
