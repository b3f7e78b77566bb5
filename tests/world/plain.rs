//! Plain commands in an image of a project, beside what the engine makes of it.

#![expect(clippy::unwrap_used, reason = "a test's world fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use engine::drive::Session;
use engine::sandbox::Bind;
use engine::sandbox::Cancel;
use engine::sandbox::Exit;
use engine::sandbox::Limits;
use engine::sandbox::PATH;
use engine::sandbox::Root;
use engine::sandbox::Sandbox;
use engine::sandbox::Spec;
use engine::sandbox::Stdio;
use engine::sandbox::User;
use store::Store;
use tempfile::TempDir;

/// A directory that is `/build` for scripts in an image, with the kernel's source at `/src`.
pub struct Plain {
    sandbox: Sandbox,
    image: PathBuf,
    source: PathBuf,
    /// The directory.
    pub build: TempDir,
}

impl Plain {
    /// Of an image that was built in already, so that it and the source are unpacked.
    pub fn new(project: &Path, store: &Path, image: &str, helper: PathBuf) -> Self {
        let store = Arc::new(Store::open(store).unwrap());
        let session = Session::open(project, Arc::clone(&store)).unwrap();
        let tree = |node: &str| {
            let digest = session.record(node).unwrap().outputs["tar"];
            store.root().join(format!("unpacked/{digest}/tree"))
        };
        Self {
            sandbox: Sandbox::new(helper).unwrap(),
            image: tree(&format!("image:{image}")),
            source: tree("source:linux-6.1"),
            build: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs a script of `sh` to its end.
    pub fn run(&self, script: &str) {
        let build = self.build.path();
        let (uid, gid) = (self.sandbox.worker_uid(), self.sandbox.worker_gid());
        chown(build, Some(uid), Some(gid)).unwrap();
        let bind = |source: &Path, target: &str, read_only| Bind {
            source: source.to_owned(),
            target: PathBuf::from(target),
            read_only,
        };
        let log = build.join("log");
        let env =
            [("PATH", PATH), ("LC_ALL", "C")].map(|(name, value)| (name.into(), value.into()));
        let spec = Spec {
            root: Root::Image(self.image.clone()),
            emulator: None,
            binds: vec![
                bind(&self.source, "/src", true),
                bind(build, "/build", false),
            ],
            argv: ["/bin/sh", "-euc", script].map(str::to_owned).to_vec(),
            env: BTreeMap::from(env),
            cwd: PathBuf::from("/build"),
            user: User::Worker,
            devices: Vec::new(),
            limits: Limits::default(),
            hostname: "plain".to_owned(),
            layers: None,
            tmp_size: 8 << 30,
        };
        let stdio = Stdio::Log(File::create(&log).unwrap());
        let exit = self.sandbox.run(&spec, stdio, &Cancel::new()).unwrap();
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(exit, Exit::Code(0), "{said}");
    }
}
