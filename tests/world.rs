//! A small world for tests of the binary: a temporary directory, a store of its own, and verbs.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use engine::eval::evaluate;
use engine::lock::LOCK_FILE;
use engine::lock::Lock;
use engine::lock::Pin;
use engine::lock::PinnedFile;
use engine::lock::requests;
use tempfile::TempDir;

/// A project in a temporary directory, with a store beside it; gone when dropped.
pub struct World {
    dir: TempDir,
}

/// How the engine ended, and all it said. Paths of the world read `[WORLD]`.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// An empty project.
    pub fn new() -> Self {
        let world = Self {
            dir: tempfile::tempdir().expect("there is a place for temporary files"),
        };
        fs::create_dir(world.path("project")).unwrap();
        world
    }

    /// A project of one `main.rhai`.
    pub fn with(main: &str) -> Self {
        let world = Self::new();
        world.write("main.rhai", main);
        world
    }

    /// A path beside the project: `project/…`, `store/…`, or another.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.path("project").join(path), text).unwrap();
    }

    /// Replaces a part of a file of the project.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("project").join(path)).unwrap();
        assert!(text.contains(from), "`{from}` is not in {text}");
        self.write(path, &text.replace(from, to));
    }

    /// Pins everything that is declared to made-up files: one per package, at version 1.
    pub fn pin(&self) {
        let project = self.path("project");
        let catalog = evaluate(&project)
            .expect("the definitions are good")
            .catalog;
        let pin = |(name, request): (String, engine::lock::Request)| {
            let file = |package: &String| PinnedFile {
                package: package.clone(),
                version: "1".to_owned(),
                size: 1,
                sha256: "a".repeat(64),
                url: format!("http://mirror.invalid/{package}_1_all.deb"),
            };
            let files = request.packages.iter().map(file).collect();
            let pin = Pin {
                name: name.clone(),
                request,
                files,
            };
            (name, pin)
        };
        let lock = Lock {
            pins: requests(&catalog).into_iter().map(pin).collect(),
        };
        self.write(LOCK_FILE, &lock.to_text());
    }

    /// Runs the engine in the project, arguments separated by spaces.
    pub fn engine(&self, arguments: &str) -> Ended {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        self.run(&mut self.command(&words))
    }

    /// The engine's command with an environment that holds nothing of the host's.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
        command
            .args(arguments)
            .current_dir(self.path("project"))
            .env_clear()
            .env("HOME", self.path("home"))
            .env("ENGINE_STORE", self.path("store"));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &mut Command) -> Ended {
        let output = command.output().expect("the engine can be started");
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("the engine speaks UTF-8");
            let real = fs::canonicalize(self.dir.path()).unwrap();
            text.replace(&real.display().to_string(), "[WORLD]")
                .replace(&self.dir.path().display().to_string(), "[WORLD]")
        };
        Ended {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit code: {code}")?,
            None => writeln!(f, "killed")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}
