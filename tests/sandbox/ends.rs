//! However it ends, nothing of a step is left.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::Duration;

use engine::sandbox::Cancel;
use engine::sandbox::Exit;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::world::World;
use super::world::driver;
use super::world::eventually;
use super::world::missing;
use super::world::processes;
use super::world::within;

pub fn wall_limit_kills_the_tree(world: &World) {
    let (mut spec, mark) = world.sleepers();
    spec.limits.wall = Some(Duration::from_secs(1));
    let (exit, log) = world.run(&spec);
    assert_eq!(exit.unwrap(), Exit::TimedOut, "{log}");
    assert!(world.path("out/started").exists());
    assert_eq!(processes(&mark), Vec::<String>::new());
}

pub fn cancelling_kills_the_tree(world: &World) {
    let (spec, mark) = world.sleepers();
    let cancel = Cancel::new();
    let exit = thread::scope(|scope| {
        let run = scope.spawn(|| world.run_until(&spec, &cancel).0);
        world.wait_for_start();
        assert!(!processes(&mark).is_empty());
        cancel.cancel();
        run.join().unwrap()
    });
    assert_eq!(exit.unwrap(), Exit::Cancelled);
    assert_eq!(processes(&mark), Vec::<String>::new());
    // What is cancelled stays so.
    assert_eq!(world.run_until(&spec, &cancel).0.unwrap(), Exit::Cancelled);
}

pub fn killing_the_engine_kills_the_tree(world: &World) {
    let (spec, mark) = world.sleepers();
    let mut engine = driver("log", &spec, world).spawn().unwrap();
    // Nothing may fail before the kill, or the engine would live on: hence no assertion here.
    let started = eventually(Duration::from_secs(20), || processes(&mark).len() >= 3);
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert!(started, "the tree did not start");
    // Nobody is left to wait for the end of the tree, so it may take a moment.
    within(Duration::from_secs(5), || processes(&mark).is_empty());
}

pub fn killing_the_helper_is_an_error(world: &World) {
    let (spec, mark) = world.sleepers();
    let error = thread::scope(|scope| {
        let run = scope.spawn(|| world.run(&spec).0);
        world.wait_for_start();
        let children = fs::read_dir("/proc/self/task").unwrap().map(|thread| {
            fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default()
        });
        for pid in children.collect::<String>().split_whitespace() {
            kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
        }
        run.join().unwrap().unwrap_err()
    });
    assert_eq!(
        error.to_string(),
        "sandbox: the helper ended with signal: 9 (SIGKILL) before its command did"
    );
    within(Duration::from_secs(5), || processes(&mark).is_empty());
}

pub fn terminal_is_lent(world: &World) {
    let spec =
        world.spec("read line; echo got $line; test -t 0 && test -t 1 && test -t 2; exit $?");
    let driver = driver("terminal", &spec, world);
    let command: Vec<&str> = driver.get_args().filter_map(|arg| arg.to_str()).collect();
    let program = driver.get_program().to_str().unwrap();
    let mut script = Command::new("script")
        .args([
            "-qec",
            &format!(
                "{program} {}; read line; echo after $line",
                command.join(" ")
            ),
            "/dev/null",
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .envs(
            driver
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .spawn()
        .unwrap_or_else(|error| missing(&format!("`script` (package bsdutils): {error}")));
    let mut input = script.stdin.take().unwrap();
    input.write_all(b"typed\nmore\n").unwrap();
    let output = script.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("got typed") && text.contains("Code(0)"),
        "{text}"
    );
    // Only the terminal's foreground job may read.
    assert!(text.contains("after more"), "{text}");
}
