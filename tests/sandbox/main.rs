//! Sandboxes on this machine: as root, as a user with subordinate ids, as a user without.
#![expect(clippy::unwrap_used, reason = "tests")]

mod archives;
mod ends;
mod foreign;
mod steps;
#[path = "../world/user.rs"]
mod user;
mod world;

use std::fs;
use std::process::Command;
use std::process::Output;

use engine::sandbox::Cancel;
use engine::sandbox::Sandbox;
use engine::sandbox::Stdio;
use nix::unistd::geteuid;
use user::USER;
use user::skip;
use world::World;
use world::missing;
use world::variable;

/// A uid with neither a name nor subordinate ids.
const STRANGER: &str = "23457";

/// Runs each scenario as root, as [`USER`] and as [`STRANGER`].
macro_rules! scenarios {
    ($($file:ident::$name:ident)*) => {
        mod as_root { $(#[test] fn $name() { super::as_root(super::$file::$name); })* }
        mod as_user {
            $(#[test] fn $name() {
                super::as_user(concat!("as_user::", stringify!($name)), super::$file::$name);
            })*
        }
        mod as_stranger {
            $(#[test] fn $name() {
                super::as_stranger(concat!("as_stranger::", stringify!($name)), super::$file::$name);
            })*
        }
    };
}

scenarios! {
    steps::worker_sees_only_what_the_spec_gives
    steps::image_is_never_changed
    steps::the_machines_own_root_shows_binds
    steps::layers_are_seen_as_one
    steps::builds_share_a_jobserver
    steps::exits_are_passed_on
    steps::failing_steps_are_named
    steps::limits_apply
    steps::root_of_the_image_needs_ids
    foreign::foreign_programs_are_emulated
    ends::wall_limit_kills_the_tree
    ends::cancelling_kills_the_tree
    ends::killing_the_engine_kills_the_tree
    ends::killing_the_helper_is_an_error
    ends::terminal_is_lent
    archives::archives_are_unpacked_and_removed
    archives::archives_cannot_escape
    archives::odd_archives_are_unpacked_right
    archives::top_directory_is_stripped
}

#[test]
#[ignore = "the process that other tests start and kill"]
fn engine_process() {
    let spec =
        serde_json::from_slice(&fs::read(variable("SANDBOX_SPEC").unwrap()).unwrap()).unwrap();
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_engine").into()).unwrap();
    let stdio = match variable("SANDBOX_STDIO").as_deref() {
        Some("terminal") => Stdio::Terminal,
        _ => Stdio::Log(tempfile::tempfile().unwrap()),
    };
    println!("{:?}", sandbox.run(&spec, stdio, &Cancel::new()));
}

fn as_root(scenario: fn(&World)) {
    if geteuid().is_root() {
        scenario(&World::new());
    } else {
        skip("root");
    }
}

fn as_user(test: &str, scenario: fn(&World)) {
    if !geteuid().is_root() {
        return scenario(&World::new());
    }
    match user::make() {
        Ok(()) => again(test, &format!("--reuid={USER}"), USER),
        Err(lacks) => skip(&lacks),
    }
}

fn as_stranger(test: &str, scenario: fn(&World)) {
    if geteuid().is_root() {
        again(test, &format!("--reuid={STRANGER}"), STRANGER);
    } else if geteuid().to_string() == STRANGER {
        scenario(&World::new());
    } else {
        skip("root, to become a user without subordinate ids");
    }
}

/// Runs one test of this program as another user.
fn again(test: &str, user: &str, group: &str) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("setpriv")
        .args([user, &format!("--regid={group}"), "--clear-groups", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .current_dir("/")
        .env("INSTA_UPDATE", "no")
        .output()
        .unwrap_or_else(|error| missing(&format!("`setpriv` (package util-linux): {error}")));
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    assert!(
        status.success() && said.contains("1 passed"),
        "as {group}: {said}"
    );
}
