//! The world of tests on real input: one store that all of them share, and private copies of the
//! demo project, so that no test touches the checkout's lock file.

#![expect(clippy::unwrap_used, reason = "a test's world fails by panicking")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

#[path = "store.rs"]
mod shared;

use shared::shared_store;

/// A copy of a project below `definitions/` on the shared store.
pub struct Real {
    project: TempDir,
    /// The shared store's directory.
    pub store: PathBuf,
}

/// What one `engine realize --json` did.
pub struct Realized {
    /// The exit code.
    pub code: i32,
    /// `KIND:NAME` of every node that ran, sorted.
    pub ran: Vec<String>,
    /// The `node_finished` events.
    pub nodes: Vec<Value>,
    /// Standard error, for messages.
    pub stderr: String,
}

impl Real {
    /// The demo with pins that the mirror still carries.
    pub fn demo() -> Self {
        Self::of("demo")
    }

    /// A project with pins that the mirror still carries.
    pub fn of(project: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let real = Self {
            project: tempfile::tempdir().unwrap(),
            store: shared_store(),
        };
        for entry in fs::read_dir(root.join("definitions").join(project)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, real.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        real.update();
        real
    }

    /// Moves the pins that are gone, as `make demo` does.
    pub fn update(&self) {
        let output = self.engine(&["update", "--if-gone"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The project's directory.
    pub fn path(&self) -> &Path {
        self.project.path()
    }

    /// Replaces text in a file of the project; it must be there.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{file}` has no `{from}`");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    /// A command on this project and store.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
        command
            .arg("--project")
            .arg(self.path())
            .arg("--store")
            .arg(&self.store);
        command
    }

    /// Runs a command to its end.
    pub fn engine(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// Runs a command that must succeed; gives its standard output.
    pub fn stdout(&self, args: &[&str]) -> String {
        let output = self.engine(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "engine {args:?}: {}\n{stderr}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Realises and reads the events.
    pub fn realize(&self, args: &[&str]) -> Realized {
        let mut all = vec!["realize", "--json"];
        all.extend(args);
        let output = self.engine(&all);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let events: Vec<Value> = stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let named = |event: &Value, what: &str| {
            (event["event"] == what).then(|| {
                format!(
                    "{}:{}",
                    event["kind"].as_str().unwrap(),
                    event["name"].as_str().unwrap()
                )
            })
        };
        let mut ran: Vec<String> = events
            .iter()
            .filter_map(|event| named(event, "node_started"))
            .collect();
        ran.sort();
        Realized {
            code: output.status.code().unwrap(),
            ran,
            nodes: events
                .into_iter()
                .filter(|event| event["event"] == "node_finished")
                .collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
