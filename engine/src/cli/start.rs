//! From the arguments of the process to its exit code.

use std::panic;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use clap::Parser as _;

use super::command::Cli;
use super::completions;
use super::context::Context;
use super::context::colours;
use super::context::viewer;
use super::fault::Fault;
use crate::terminal::Level;
use crate::terminal::Terminal;
use crate::terminal::last_words;

/// Exit code of a fault of the engine.
const ENGINE: u8 = 4;

/// Whether any thread hit a bug, also one whose panic was caught.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        PANICKED.store(true, Ordering::Relaxed);
        last_words(&format!(
            "engine {}: {info}\nthis is a fault of the engine: please report it with these lines, \
             the command and the definitions",
            env!("CARGO_PKG_VERSION"),
        ));
    }));
    let code = panic::catch_unwind(AssertUnwindSafe(start)).unwrap_or(ExitCode::from(ENGINE));
    if PANICKED.load(Ordering::Relaxed) {
        ExitCode::from(ENGINE)
    } else {
        code
    }
}

fn start() -> ExitCode {
    completions::answer();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let context = Context::new(&cli.global);
    match cli.command.run(&context) {
        Ok(ending) => ending.code(),
        Err(fault) => {
            context.terminal.complain(&fault.diagnostics);
            fault.code()
        }
    }
}

/// Help and version are answers on standard output; anything else is a mistake.
fn unparsed(error: &clap::Error) -> ExitCode {
    let terminal = Terminal::new(colours(None), Level::Normal, viewer());
    if !error.use_stderr() {
        return match terminal.data(error.render().to_string()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Fault::from(error).code(),
        };
    }
    let text = error.render();
    let text = if terminal.colour() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    terminal.say(text.trim_end());
    Fault::user("").code()
}
