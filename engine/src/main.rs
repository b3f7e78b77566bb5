//! The `engine` binary.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: the helper must not have started a thread.
    if env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == "sandbox-init")
    {
        return engine::sandbox::init_main();
    }
    engine::cli::main()
}
