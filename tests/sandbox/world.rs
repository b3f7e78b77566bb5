//! An image, directories and the sandbox to try, and looks at the processes of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use engine::sandbox::Bind;
use engine::sandbox::Cancel;
use engine::sandbox::Exit;
use engine::sandbox::Limits;
use engine::sandbox::Mapping;
use engine::sandbox::Root;
use engine::sandbox::Sandbox;
use engine::sandbox::SandboxError;
use engine::sandbox::Spec;
use engine::sandbox::Stdio;
use engine::sandbox::User;

const APPLETS: &str = "sh cat chown env hostname id kill ls mkdir rmdir sleep stat touch";

/// A temporary directory with an image of busybox, a source, an output, and the sandbox to try.
pub struct World {
    pub dir: PathBuf,
    pub sandbox: Sandbox,
    _temp: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().to_owned();
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        for name in ["root/bin", "src", "out"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|p| Path::new(p).exists());
        let busybox = busybox.unwrap_or_else(|| missing("busybox (package busybox-static)"));
        fs::copy(busybox, dir.join("root/bin/busybox")).unwrap();
        for name in APPLETS.split(' ') {
            symlink("busybox", dir.join("root/bin").join(name)).unwrap();
        }
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_engine").into()).unwrap();
        let worker = (Some(sandbox.worker_uid()), Some(sandbox.worker_gid()));
        std::os::unix::fs::chown(dir.join("out"), worker.0, worker.1).unwrap();
        World {
            dir,
            sandbox,
            _temp: temp,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn spec(&self, script: &str) -> Spec {
        let bind = |name: &str, read_only| Bind {
            source: self.path(name),
            target: Path::new("/").join(name),
            read_only,
        };
        Spec {
            root: Root::Image(self.path("root")),
            emulator: None,
            binds: vec![bind("src", true), bind("out", false)],
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
            cwd: "/out".into(),
            user: User::Worker,
            devices: Vec::new(),
            limits: Limits::default(),
            hostname: "box".to_owned(),
            layers: None,
            tmp_size: 64 << 20,
        }
    }

    /// A command with a tree of processes below it that all ask to be left alone, and the number
    /// that marks them in `/proc`.
    pub fn sleepers(&self) -> (Spec, String) {
        let mark = (1_000_000 + std::process::id()).to_string();
        let script = format!(
            "trap '' TERM INT HUP; (sleep {mark} & sleep {mark}) & touch /out/started; sleep {mark}"
        );
        (self.spec(&script), mark)
    }

    pub fn wait_for_start(&self) {
        within(Duration::from_secs(20), || {
            self.path("out/started").exists()
        });
    }

    pub fn run(&self, spec: &Spec) -> (Result<Exit, SandboxError>, String) {
        self.run_until(spec, &Cancel::new())
    }

    pub fn run_until(&self, spec: &Spec, cancel: &Cancel) -> (Result<Exit, SandboxError>, String) {
        let log = File::create(self.path("log")).unwrap();
        let exit = self.sandbox.run(spec, Stdio::Log(log), cancel);
        (exit, fs::read_to_string(self.path("log")).unwrap())
    }

    pub fn root_or_worker(&self) -> User {
        match self.sandbox.mapping() {
            Mapping::Single { .. } => User::Worker,
            _ => User::Root,
        }
    }
}

/// A process that runs `spec` as an engine would: this test program again, see [`engine_process`].
pub fn driver(stdio: &str, spec: &Spec, world: &World) -> Command {
    let file = world.path("spec.json");
    fs::write(&file, serde_json::to_vec(spec).unwrap()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--nocapture", "--exact", "engine_process"]);
    command
        .env("SANDBOX_SPEC", file)
        .env("SANDBOX_STDIO", stdio);
    command
}

/// Command lines of all processes on this machine that have `mark` in them.
pub fn processes(mark: &str) -> Vec<String> {
    let line = |entry: io::Result<fs::DirEntry>| fs::read(entry.ok()?.path().join("cmdline")).ok();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(line)
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains(mark))
        .collect()
}

pub fn within(limit: Duration, what: impl Fn() -> bool) {
    assert!(eventually(limit, what), "not within {limit:?}");
}

pub fn eventually(limit: Duration, what: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if what() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

pub fn missing(what: &str) -> ! {
    panic!("this test needs {what}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "how a test speaks to the process it starts"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
