//! The lab of the tests, asked as its superuser.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;

use serde_json::Value;

use crate::shared::shared_store;

/// Where its server listens; the next four ports are its own too.
pub const PORT: u16 = 18080;

/// The lab; it is taken down when it is dropped.
pub struct Lab {
    state: PathBuf,
    pub url: String,
    /// Another for each run of the tests.
    pub run: String,
}

pub fn url() -> String {
    format!("http://127.0.0.1:{PORT}")
}

pub fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap()
            .success()
    );
}

impl Lab {
    pub fn up() -> Self {
        let lab = Self {
            state: std::env::temp_dir().join("engine-lab"),
            url: url(),
            run: format!("{:?}", std::time::SystemTime::now()).replace('"', ""),
        };
        // One that was left by a test which was killed.
        lab.script(&["down"]);
        drop(fs::remove_dir_all(&lab.state));
        drop(fs::remove_dir_all(shared_store().join("lava")));
        lab.script(&["up"]);
        lab
    }

    fn script(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lab/lab.sh");
        let mut command = Command::new(script);
        command.args(arguments).arg(&self.state);
        // What it starts stays: it must not hold on to a pipe of ours.
        let status = command.env("LAB_PORT", PORT.to_string()).status().unwrap();
        assert!(status.success(), "{arguments:?}: {status}");
    }

    pub fn token(&self, user: &str) -> String {
        let tokens = fs::read_to_string(self.state.join("tokens")).unwrap();
        let mut lines = tokens.lines().filter_map(|line| line.split_once(' '));
        let found = lines.find(|(name, _)| *name == user);
        found.unwrap().1.to_owned()
    }

    /// Stops or starts its server alone.
    pub fn server(&self, what: &str) {
        self.script(&["server", what]);
    }

    fn get(&self, path: &str) -> String {
        let header = format!("Authorization: Token {}", self.token("root"));
        let url = format!("{}/api/v0.2/{path}", self.url);
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--header", &header, &url])
            .output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    }

    fn json(&self, path: &str) -> Value {
        let text = self.get(path);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Numbers of all jobs.
    pub fn jobs(&self) -> Vec<u64> {
        let jobs = self.json("jobs/?limit=1000&ordering=id");
        let jobs = jobs["results"].as_array().unwrap().iter();
        jobs.map(|job| job["id"].as_u64().unwrap()).collect()
    }

    pub fn state(&self, job: u64) -> String {
        self.json(&format!("jobs/{job}/"))["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn health(&self, job: u64) -> String {
        self.json(&format!("jobs/{job}/"))["health"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn log(&self, job: u64) -> String {
        self.get(&format!("jobs/{job}/logs/"))
    }

    pub fn cancel(&self, job: u64) {
        self.get(&format!("jobs/{job}/cancel/"));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.script(&["down"]);
    }
}
