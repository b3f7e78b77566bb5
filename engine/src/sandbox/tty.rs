//! Lends the controlling terminal to a command, and takes it back.

use std::fs::File;

use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::termios::SetArg;
use nix::sys::termios::Termios;
use nix::sys::termios::tcgetattr;
use nix::sys::termios::tcsetattr;
use nix::unistd::Pid;
use nix::unistd::tcgetpgrp;
use nix::unistd::tcsetpgrp;

/// The terminal's state before the command; put back when dropped.
pub(super) struct Terminal {
    tty: File,
    foreground: Pid,
    modes: Termios,
}

impl Terminal {
    /// Remembers the state of the controlling terminal; `None` when there is none.
    pub(super) fn take() -> Option<Terminal> {
        let tty = File::options()
            .read(true)
            .write(true)
            .open("/dev/tty")
            .ok()?;
        let foreground = tcgetpgrp(&tty).ok()?;
        let modes = tcgetattr(&tty).ok()?;
        Some(Terminal {
            tty,
            foreground,
            modes,
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The engine is a background job now; the terminal would stop it for what follows.
        let stop = SigSet::from(Signal::SIGTTOU);
        let blocked = stop.thread_block();
        // A terminal that was hung up meanwhile needs nothing back.
        let _gone = tcsetpgrp(&self.tty, self.foreground);
        let _gone = tcsetattr(&self.tty, SetArg::TCSADRAIN, &self.modes);
        if blocked.is_ok() {
            let _unblocked = stop.thread_unblock();
        }
    }
}
