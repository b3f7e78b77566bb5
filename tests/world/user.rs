//! An ordinary user with subordinate ids, for tests that run as root, and how a test is left out.

use std::fs;
use std::process::Command;

/// The user; made when missing.
pub const USER: &str = "engine-test";

/// Makes the user; an error says what this machine lacks for it.
pub fn make() -> Result<(), String> {
    let known = || {
        Command::new("id")
            .args(["-u", USER])
            .output()
            .is_ok_and(|id| id.status.success())
    };
    if !known() {
        // Another test may be making it at this moment; what counts is the second look.
        let made = Command::new("useradd")
            .args(["--no-create-home", USER])
            .output();
        if !known() {
            return Err(format!("the user `{USER}` ({made:?})"));
        }
    }
    for file in ["/etc/subuid", "/etc/subgid"] {
        if !fs::read_to_string(file).unwrap_or_default().contains(USER) {
            return Err(format!("a line `{USER}:100000:65536` in `{file}`"));
        }
    }
    Ok(())
}

/// Leaves a test out, saying why; on CI, where everything must be there, fails it.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test looks whether it runs on CI, and says why it does not run elsewhere"
)]
pub fn skip(what: &str) {
    eprintln!("not run: this test needs {what}");
    assert!(std::env::var_os("CI").is_none(), "this test needs {what}");
}
