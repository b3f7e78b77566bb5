//! One kernel booted on a board of a LAVA lab.
//!
//! The node waits: it holds a slot of the lab, and neither a thread nor a CPU token. Whatever was submitted is in a ticket ([`Ticket`])
//! until it is over, so an engine that was ended goes on with the same job.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use store::Algorithm;
use store::Checksum;
use store::Digest;
use store::Store;
use store::WorkDir;

use super::Broken;
use super::Finished;
use super::Job;
use super::Ticket;
use super::boot::Dtb;
use super::boot::dtb;
use super::judge::Ended;
use super::judge::Judged;
use super::judge::judge;
use super::step::file;
use super::step::input;
use super::ticket::Place;
use crate::console::BootVerdict;
use crate::graph::KeyInput;
use crate::graph::Slot;
use crate::jobs::Artifact;
use crate::jobs::Artifacts;
use crate::jobs::LavaJob;
use crate::jobs::limit_secs;
use crate::labs::Followed;
use crate::labs::LavaError;
use crate::labs::LavaLabs;
use crate::labs::LavaServer;
use crate::labs::Placed;
use crate::labs::Watch;
use crate::labs::aside;
use crate::model::LavaCommands;
use crate::model::LavaLab;
use crate::model::LavaMethod;
use crate::sandbox::Cancel;
use crate::spec::Closed;
use crate::spec::LavaSpec;
use crate::spec::Spec;

/// Starts what serves results to a lab, on an address of this machine, if it does not run yet; gives its URL.
pub type Serve = dyn Fn(SocketAddr) -> io::Result<String> + Send + Sync;

/// What boots in LAVA labs work with.
pub struct LavaTools {
    /// The labs that may be used.
    pub labs: LavaLabs,
    /// Serves results to those that have no `artifacts_url`.
    pub serve: Box<Serve>,
    /// Submits, and leaves what comes of it to a later run.
    pub submit_only: bool,
}

/// The files of a job in the store.
pub(super) struct Files {
    kernel: Stored,
    root: Stored,
    dtb: Option<Stored>,
    modules: Option<Stored>,
    nbd: Option<Stored>,
}

struct Stored {
    name: &'static str,
    digest: Digest,
    sha256: String,
}

/// A job that is there.
struct Submitted {
    placed: Placed,
    job: u64,
    yaml: String,
}

/// One boot under way.
struct Boot<'a> {
    store: &'a Store,
    tools: &'a LavaTools,
    spec: &'a LavaSpec,
    job: &'a Job,
    place: Place,
}

/// Output files, as they are written.
struct Logs {
    work: WorkDir,
    console: File,
    all: File,
}

/// Outputs `console.log`, `results.json`, `job.yaml` and `lava.log`.
pub(super) async fn boot(
    store: Arc<Store>,
    tools: Arc<LavaTools>,
    job: Job,
) -> Result<Finished, Broken> {
    let Spec::Lava(spec) = job.spec.spec() else {
        return Err(Broken::Unresolved("LAVA job"));
    };
    let (for_files, of_spec, of_job) = (Arc::clone(&store), spec.clone(), job.clone());
    let files = aside(move || files(&for_files, &of_spec, &of_job)).await;
    let files = files.ok_or(Broken::Unresolved("files"))?;
    let files = match files? {
        Ok(files) => files,
        Err(message) => return Ok(Finished::failure(message, BTreeMap::new(), String::new())),
    };
    let boot = Boot {
        store: &store,
        tools: &tools,
        spec,
        job: &job,
        place: Place::of(&store, &job),
    };
    let (mut faults, mut hung) = (0, false);
    loop {
        let submitted = boot.submitted(&files).await?;
        if tools.submit_only {
            let (lab, job) = (submitted.placed.server.name.clone(), submitted.job);
            return Err(Broken::Submitted { lab, job });
        }
        let server = Arc::clone(&submitted.placed.server);
        let retries = server.lab.retries;
        let mut logs = Logs::new(&store)?;
        let followed = boot.follow(&submitted, &mut logs).await?;
        boot.place.remove();
        match judge(spec, followed) {
            Judged::Fault(why) => {
                tools.labs.tell(&server, false).await;
                let lab = &server.name;
                let page = server.page(submitted.job);
                if faults >= retries {
                    return Err(Broken::Infrastructure(format!(
                        "lab `{lab}`: {why} ({page})"
                    )));
                }
                faults += 1;
                job.note(&format!(
                    "lab `{lab}`: {why} ({page}); submits it once more"
                ));
            }
            Judged::Hang(_) if !hung => {
                hung = true;
                job.note("hung; boots once more, as a slow lab looks the same");
            }
            Judged::Hang(ended) | Judged::Ended(ended) => {
                tools.labs.tell(&server, true).await;
                return boot.finish(&submitted, logs, &ended);
            }
        }
    }
}

impl Boot<'_> {
    /// A job of this boot: one that is in a lab already, or a new one.
    async fn submitted(&self, files: &Files) -> Result<Submitted, Broken> {
        if let Some(ticket) = self.place.read() {
            if let Some(there) = self.resumed(&ticket, files).await? {
                return Ok(there);
            }
            self.place.remove();
        }
        let placed = self
            .until_cancelled(self.tools.labs.place(self.spec))
            .await?;
        let server = &placed.server;
        let yaml = self.yaml(server, files).await?;
        let mut ticket = Ticket::new(&self.job.name, &server.name, &server.lab.url);
        // Before it is submitted: an engine that is killed in between finds the job by its ticket.
        self.place.write(&ticket)?;
        let job = match self.until_cancelled(server.submit(&yaml)).await {
            Ok(job) => job,
            Err(error) => {
                // What was refused is not there; of what broke off nobody knows.
                if matches!(
                    error,
                    Broken::Lava(LavaError::Refused(_) | LavaError::Status { .. })
                ) {
                    self.place.remove();
                }
                return Err(error);
            }
        };
        ticket.job = Some(job);
        self.place.write(&ticket)?;
        let lab = &server.name;
        self.job
            .note(&format!("job {job} of lab `{lab}`: {}", server.page(job)));
        Ok(Submitted { placed, job, yaml })
    }

    /// The job of a ticket, if it is still there.
    async fn resumed(&self, ticket: &Ticket, files: &Files) -> Result<Option<Submitted>, Broken> {
        let Some(placed) = self.tools.labs.slot(&ticket.lab).await else {
            self.job.note(&format!(
                "job {} is in lab `{}`, which this run does not use",
                ticket.job.unwrap_or_default(),
                ticket.lab
            ));
            return Ok(None);
        };
        let server = &placed.server;
        if server.lab.url != ticket.url {
            return Ok(None);
        }
        server.standing().await.map_err(LavaError::NoDevice)?;
        let job = match ticket.job {
            Some(job) => server.exists(job).await?.then_some(job),
            None => server.find(&self.place.id).await?,
        };
        let Some(job) = job else {
            return Ok(None);
        };
        let lab = &server.name;
        let page = server.page(job);
        self.job
            .note(&format!("goes on with job {job} of lab `{lab}`: {page}"));
        let yaml = self.yaml(server, files).await?;
        Ok(Some(Submitted { placed, job, yaml }))
    }

    async fn yaml(&self, server: &LavaServer, files: &Files) -> Result<String, Broken> {
        let base = match &server.lab.artifacts_url {
            Some(url) => url.clone(),
            None if self.tools.submit_only => {
                return Err(Broken::Infrastructure(format!(
                    "lab `{}` has no `artifacts_url`: what its jobs download would go with this run",
                    server.name
                )));
            }
            None => {
                let local = server.local_address().await.map_err(LavaError::NoDevice)?;
                let serve = (self.tools.serve)(local);
                serve.map_err(|error| {
                    Broken::Infrastructure(format!("cannot serve results on {local}: {error}"))
                })?
            }
        };
        let artifacts = files.artifacts(&base);
        let job = LavaJob {
            name: &self.job.name,
            spec: self.spec,
            lab: &server.lab,
            artifacts: &artifacts,
            ticket: &self.place.id,
        };
        Ok(job.yaml())
    }

    async fn follow(&self, submitted: &Submitted, logs: &mut Logs) -> Result<Followed, Broken> {
        let mut brief = &*self.job.log;
        let job = self.job;
        let note = |line: &str| job.note(line);
        let server = &submitted.placed.server;
        let mut watch = Watch {
            silence_secs: self.spec.silence_secs,
            judging: &self.spec.judging,
            total_secs: self.spec.total_secs,
            queue_secs: server.lab.queue_secs,
            limit_secs: limit_secs(self.spec, &server.lab),
            lost_secs: server.lab.deploy_secs.into(),
            cancel: &self.job.cancel,
            console: &mut logs.console,
            brief: &mut brief,
            log: &mut logs.all,
            note: &note,
        };
        match server.follow(submitted.job, &mut watch).await {
            Err(LavaError::Cancelled) => {
                self.place.remove();
                Err(Broken::Cancelled)
            }
            Err(error @ LavaError::Late { .. }) => {
                self.place.remove();
                Err(error.into())
            }
            other => Ok(other?),
        }
    }

    /// A request that the end of the run ends.
    async fn until_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, LavaError>>,
    ) -> Result<T, Broken> {
        match crate::labs::unless_cancelled(&self.job.cancel, work).await {
            Some(result) => Ok(result?),
            None => Err(Broken::Cancelled),
        }
    }

    fn finish(&self, submitted: &Submitted, logs: Logs, ended: &Ended) -> Result<Finished, Broken> {
        let Logs { work, .. } = logs;
        let results = &ended.results;
        let server = &submitted.placed.server;
        let mut json = json!(results);
        json["lab"] = json!(server.name);
        json["device"] = json!(ended.device);
        json["job"] = json!(server.page(submitted.job));
        json["lava_health"] = json!(ended.health);
        let json = serde_json::to_vec_pretty(&json).unwrap_or_default();
        let store = self.store;
        let outputs = BTreeMap::from([
            (
                "console.log".to_owned(),
                store.take_file(work.path().join("console.log"))?,
            ),
            (
                "lava.log".to_owned(),
                store.take_file(work.path().join("lava.log"))?,
            ),
            (
                "job.yaml".to_owned(),
                store.put_bytes(submitted.yaml.as_bytes())?,
            ),
            ("results.json".to_owned(), store.put_bytes(&json)?),
        ]);
        let facts = json!({
            "machine": ended.device, "lab": server.name, "signature": results.signature,
        });
        let facts = facts.to_string();
        if results.verdict == BootVerdict::Succeeded {
            return Ok(Finished::success(outputs, facts).with_message(results.remark.clone()));
        }
        Ok(Finished::failure(results.reason.clone(), outputs, facts))
    }
}

impl Logs {
    fn new(store: &Store) -> Result<Self, Broken> {
        let work = store.work_dir("boot")?;
        let create = |name: &str| {
            let path = work.path().join(name);
            File::create(&path).map_err(file("write", &path))
        };
        let (console, all) = (create("console.log")?, create("lava.log")?);
        Ok(Self { work, console, all })
    }
}

impl Files {
    fn artifacts(&self, base: &str) -> Artifacts {
        let base = base.trim_end_matches('/');
        let artifact = |stored: &Stored| Artifact {
            url: format!("{base}/blobs/{}/{}", stored.digest, stored.name),
            sha256sum: stored.sha256.clone(),
        };
        Artifacts {
            kernel: artifact(&self.kernel),
            root: artifact(&self.root),
            dtb: self.dtb.as_ref().map(artifact),
            modules: self.modules.as_ref().map(artifact),
            nbd: self.nbd.as_ref().map(artifact),
        }
    }
}

/// The files of a boot, with the digests that labs check; or why there is one missing, which is the build's own fault.
pub(super) fn files(
    store: &Store,
    spec: &LavaSpec,
    job: &Job,
) -> Result<Result<Files, String>, Broken> {
    let stored = |name, digest: Digest| -> Result<Stored, Broken> {
        let path = store.blob_path(&digest);
        let sha256 = File::open(&path).and_then(|mut file| {
            let [sha256] = Checksum::of_reader(&mut file, [Algorithm::Sha256])?;
            Ok(sha256.hex().to_owned())
        });
        let sha256 = sha256.map_err(file("read", &path))?;
        Ok(Stored {
            name,
            digest,
            sha256,
        })
    };
    let work = store.work_dir("lava")?;
    let dtb = match dtb(store, job, &spec.device.dtb, work.path())? {
        Dtb::NotNeeded => None,
        Dtb::Found(path) => Some(stored("board.dtb", store.put_file(&path)?)?),
        Dtb::Missing(message) => return Ok(Err(message)),
    };
    let modules = match job.inputs.get(&Slot::Modules) {
        None => None,
        Some(tar) => {
            let path = work.path().join("modules.tar.gz");
            compress(&store.blob_path(tar), &path).map_err(file("compress", &path))?;
            Some(stored("modules.tar.gz", store.put_file(&path)?)?)
        }
    };
    let (slot, name) = match (spec.device.method, spec.device.commands, &spec.machine) {
        (LavaMethod::Qemu, _, Some(machine)) if machine.disk.is_some() => (Slot::Disk, "disk"),
        (LavaMethod::Qemu, ..) | (_, LavaCommands::Ramdisk, _) => (Slot::Initrd, "initrd.cpio.gz"),
        (_, LavaCommands::Nfs, _) => (Slot::Nfsroot, "rootfs.tar.gz"),
        (_, LavaCommands::Nbd, _) => (Slot::Disk, "disk"),
    };
    let nbd = job.inputs.get(&Slot::Nbd);
    let nbd = nbd
        .map(|digest| stored("initrd.cpio.gz", *digest))
        .transpose()?;
    Ok(Ok(Files {
        kernel: stored("kernel", input(job, Slot::Kernel)?)?,
        root: stored(name, input(job, slot)?)?,
        dtb,
        modules,
        nbd,
    }))
}

/// The YAML of a boot's job in a lab that reaches results at `base`, without submitting it.
pub fn lava_job(
    store: &Store,
    spec: &Closed,
    inputs: &[KeyInput],
    name: &str,
    lab: &LavaLab,
    base: &str,
) -> Result<String, Broken> {
    let job = Job {
        name: name.to_owned(),
        spec: spec.clone(),
        inputs: inputs.iter().copied().collect(),
        log: Arc::new(
            File::options()
                .write(true)
                .open("/dev/null")
                .map_err(file("open", Path::new("/dev/null")))?,
        ),
        cancel: Cancel::new(),
        tell: Arc::new(|_| {}),
    };
    let Spec::Lava(lava) = spec.spec() else {
        return Err(Broken::Unresolved("LAVA job"));
    };
    let files = files(store, lava, &job)?.map_err(Broken::Infrastructure)?;
    let place = Place::of(store, &job);
    let job = LavaJob {
        name,
        spec: lava,
        lab,
        artifacts: &files.artifacts(base),
        ticket: &place.id,
    };
    Ok(job.yaml())
}

/// The same bytes for the same tarball: nothing of a time or a name goes in.
fn compress(tar: &Path, dest: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(File::create(dest)?, Compression::fast());
    io::copy(&mut File::open(tar)?, &mut encoder)?;
    encoder.finish().map(drop)
}
