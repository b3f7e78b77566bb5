//! A small world for tests of the binary: a temporary directory, a store of its own, and verbs.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use engine::drive::Session;
use engine::eval::evaluate;
use engine::graph::NodeId;
use engine::graph::manifest;
use engine::lock::Asked;
use engine::lock::LOCK_FILE;
use engine::lock::Lock;
use engine::lock::Pin;
use engine::lock::PinnedFile;
use engine::origins::requests;
use engine::plan::Progress;
use engine::plan::Selection;
use engine::spec::Kind;
use store::Algorithm;
use store::Checksum;
use store::Record;
use store::Store;
use store::Verdict;
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
                checksums: vec![Checksum::new(Algorithm::Sha256, &"a".repeat(64)).unwrap()],
                url: format!("http://mirror.invalid/{package}_1_all.deb"),
            };
            let files = match request.asked.get("packages") {
                Some(Asked::Words(packages)) => packages.iter().map(file).collect(),
                _ => vec![file(&name.replace('/', "-"))],
            };
            let pin = Pin {
                name: name.clone(),
                request,
                signer: None,
                keys: None,
                commit: None,
                files,
            };
            (name, pin)
        };
        let lock = Lock {
            pins: requests(&catalog).into_iter().map(pin).collect(),
        };
        self.write(LOCK_FILE, &lock.to_text());
    }

    /// Makes results up for everything that is wanted, as if it had run for ten seconds each.
    /// Kernels whose address contains `failing` failed; boards match as `.config`s of one line say.
    pub fn make_up(&self, failing: &str) {
        self.make_up_of(Selection::all(None), failing);
    }

    /// The same for what some selection wants.
    pub fn make_up_of(&self, selection: Selection, failing: &str) {
        // Only the engine's own program can ask QEMU for its version; the store keeps the answer.
        let planned = self.engine("plan");
        assert_eq!(planned.code, Some(0), "{planned}");
        let store = Arc::new(Store::open(&self.path("store")).unwrap());
        let session = Session::open(&self.path("project"), Arc::clone(&store)).unwrap();
        let mut progress = session.progress(selection, false).unwrap();
        loop {
            let ready = progress.take_ready();
            if ready.is_empty() {
                break;
            }
            for id in ready {
                let record = made_up(&store, &progress, id, failing);
                store.commit(&record).unwrap();
                progress.finished(id, &record, false).unwrap();
            }
        }
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
            .env("LANG", "C.UTF-8")
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

const METADATA: &str = r#"{"kernel_release":"6.1.0","compiler":"gcc 12","image_bytes":4096}"#;
const RESULTS: &str = r#"{"format":1,"verdict":"succeeded","reason":"","signature":"","tests":[
    {"name":"a","result":"pass","detail":""},{"name":"b","result":"skip","detail":"no b"}],
    "failures":[],"trace":[],"warnings":0,"kernel_version":"Linux version"}"#;

fn made_up(store: &Store, progress: &Progress<'_>, id: NodeId, failing: &str) -> Record {
    let node = progress.graph().node(id).clone();
    let (kind, name) = (node.kind(), &node.name);
    let pci = name.contains("/tiny/");
    let failed = kind == Kind::Kernel && !failing.is_empty() && name.contains(failing);
    let outputs: &[(&str, &str)] = match kind {
        Kind::Fetch => &[("files", "files")],
        Kind::Source | Kind::Base | Kind::Image | Kind::Kconfig => &[("tar", "tar")],
        Kind::Config if pci => &[("config", "CONFIG_PCI=y\nCONFIG_X86_64=y\n")],
        Kind::Config => &[("config", "# CONFIG_PCI is not set\n")],
        Kind::Kernel if failed => &[],
        Kind::Kernel => &[("image", "image"), ("metadata.json", METADATA)],
        Kind::Match => &[],
        Kind::Rootfs => &[("initrd", "initrd")],
        Kind::Probe => &[("answer", "kvm")],
        Kind::Boot => &[
            ("console.log", "Linux version\n"),
            ("results.json", RESULTS),
        ],
    };
    let put = |text: &str| store.put_bytes(text.as_bytes()).unwrap();
    let manifest = manifest(&node.spec, &progress.key_inputs(id).unwrap());
    Record {
        version: Record::VERSION,
        key: progress.state(id).key().unwrap(),
        kind: kind.word().to_owned(),
        name: name.to_string(),
        verdict: if failed {
            Verdict::Failed
        } else {
            Verdict::Succeeded
        },
        outputs: outputs
            .iter()
            .map(|(output, text)| ((*output).to_owned(), put(text)))
            .collect(),
        facts: match kind {
            Kind::Match if pci => r#"{"boards":["pc"]}"#.to_owned(),
            Kind::Match => r#"{"boards":[]}"#.to_owned(),
            Kind::Config if pci => {
                r#"{"dropped":[{"outcome":"`X`: asked `y`, got nothing"}]}"#.to_owned()
            }
            _ => String::new(),
        },
        manifest: put(&manifest.to_string()),
        log: Some(put(&format!("the log of {name}\n"))),
        message: if failed {
            "a.c:3:1: error: unknown type".to_owned()
        } else {
            String::new()
        },
        started_ms: 0,
        duration_ms: 10_000,
    }
}
