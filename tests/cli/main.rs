//! The commands as a user meets them: what they print, and how they end. No network, no sandbox.

#[expect(clippy::unwrap_used, reason = "what fails here fails the test")]
#[path = "../world.rs"]
mod world;

mod after;
mod before;
mod definitions;
mod everyday;
mod help;
mod store;

use regex::Regex;
use world::Ended;
use world::World;

const SMALL: &str = include_str!("small.rhai");

const COMMANDS: [&str; 25] = [
    "init",
    "check",
    "update",
    "plan",
    "realize",
    "results",
    "matrix",
    "log",
    "boards",
    "boot",
    "explore",
    "coverage",
    "judge",
    "labs",
    "jobs",
    "serve",
    "why",
    "show",
    "graph",
    "shell",
    "gc",
    "verify",
    "doc",
    "completions",
    "man",
];

/// A small project with made-up pins.
fn pinned() -> World {
    let world = World::with(SMALL);
    world.pin();
    world
}

/// Keys, sizes on disk and the time of a run are no matter of these tests.
#[expect(clippy::unwrap_used, reason = "the patterns are sound")]
fn plain(ended: &Ended) -> String {
    let mut text = ended.to_string();
    for (pattern, word) in [
        ("[0-9a-f]{64}", "[KEY]"),
        (r"blobs/[0-9a-f]{2}/", "blobs/[..]/"),
        (r"\d+\.\d [KMG]iB", "[SIZE]"),
        (r"cached\) in \d+\.\ds", "cached) in [TIME]"),
        (r"( version +)(QEMU emulator .*|empty)", "${1}[QEMU]"),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, word)
            .into_owned();
    }
    text
}
