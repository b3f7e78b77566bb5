//! One kernel booted on one board with one suite.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use store::Digest;

use super::Broken;
use super::Finished;
use super::Job;
use super::Recipes;
use super::step::file;
use super::step::input;
use crate::console::BootVerdict;
use crate::graph::Slot;
use crate::jobs::BootJob;
use crate::labs::LabBoot;
use crate::labs::LabError;
use crate::model::QemuMachine;

impl Recipes {
    /// Outputs `console.log` and `results.json`; a hang is believed only when it repeats itself.
    pub(super) fn boot(&self, job: &Job<'_>) -> Result<Finished, Broken> {
        let unresolved = || Broken::Unresolved(job.name.to_owned());
        let (board, suite) = self.world().boot(job.name).ok_or_else(unresolved)?;
        let machine = board.qemu.as_ref().ok_or_else(unresolved)?;
        let store = &self.tools.store;
        let work = store.work_dir("boot")?;
        let boot = BootJob {
            board: board.name.clone(),
            qemu: machine.clone(),
            kernel: store.blob_path(&input(job, Slot::Kernel)?),
            initrd: store.blob_path(&input(job, Slot::Initrd)?),
            dtb: self.dtb(job, machine, work.path())?,
            silence: Duration::from_secs(suite.silence_secs.into()),
            total: Duration::from_secs(suite.total_secs.into()),
        };
        let console = work.path().join("console.log");
        let mut ended = self.boot_once(job, &boot, &console)?;
        if ended.is_hang() {
            (job.note)("hung; boots once more, as a busy machine looks the same");
            ended = self.boot_once(job, &boot, &console)?;
        }
        let results = ended.results;
        if results.verdict == BootVerdict::Broken {
            return Err(Broken::Infrastructure(results.reason));
        }
        let json = serde_json::to_vec_pretty(&results).unwrap_or_default();
        let outputs = BTreeMap::from([
            ("console.log".to_owned(), store.take_file(console)?),
            ("results.json".to_owned(), store.put_bytes(&json)?),
        ]);
        let facts = serde_json::json!({ "signature": results.signature }).to_string();
        if results.verdict == BootVerdict::Succeeded {
            return Ok(Finished::success(outputs, String::new()));
        }
        Ok(Finished::failure(results.reason, outputs, facts))
    }

    /// Boots; the console goes to its own file and to the node's log.
    fn boot_once(&self, job: &Job<'_>, boot: &BootJob, path: &Path) -> Result<LabBoot, Broken> {
        let console = File::create(path).map_err(file("write", path))?;
        let mut both = Both(&console, job.log);
        match self
            .tools
            .lab
            .boot(boot, &mut both, &|| job.cancel.is_cancelled())
        {
            Err(LabError::Cancelled) => Err(Broken::Cancelled),
            other => Ok(other?),
        }
    }

    /// The device tree a machine asks for, out of the build's dtbs.
    fn dtb(
        &self,
        job: &Job<'_>,
        machine: &QemuMachine,
        work: &Path,
    ) -> Result<Option<PathBuf>, Broken> {
        let Some(dtbs): Option<&Digest> = job.inputs.get(&Slot::Dtbs) else {
            return Ok(None);
        };
        let tree = work.join("dtbs");
        std::fs::create_dir(&tree).map_err(file("make", &tree))?;
        self.tools
            .sandbox
            .unpack(&self.tools.store.blob_path(dtbs), &tree, false)?;
        let path = tree.join(&machine.dtb);
        if path.is_file() {
            return Ok(Some(path));
        }
        Err(Broken::Infrastructure(format!(
            "the build has no device tree `{}`",
            machine.dtb
        )))
    }
}

struct Both<'a>(&'a File, &'a File);

impl Write for Both<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
