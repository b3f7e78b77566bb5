//! One kernel booted on one board with one suite.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use store::Store;
use store::Unpacked;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::probe::KVM_WORKS;
use super::step::file;
use super::step::input;
use crate::console::BootVerdict;
use crate::graph::Slot;
use crate::jobs::BootJob;
use crate::jobs::DISK;
use crate::jobs::DTB;
use crate::jobs::INITRD;
use crate::jobs::KERNEL;
use crate::jobs::Programs;
use crate::jobs::by_hand;
use crate::labs::LabBoot;
use crate::labs::LabError;
use crate::model::Accel;
use crate::model::Judging;
use crate::model::QemuMachine;
use crate::spec::BootSpec;

/// A machine that is ready to boot, with what must stay while it does.
pub(super) struct Guest {
    pub job: BootJob,
    /// The image that QEMU's program is in.
    _programs: Option<Unpacked>,
}

impl Tools {
    /// Outputs `console.log`, `results.json`, and what it takes to boot the same by hand: `boot.sh`, `kernel`, `initrd` or `disk`, and
    /// `dtb` where the machine asks for one. A hang is believed only when it repeats itself.
    pub(super) fn boot(&self, spec: &BootSpec, job: &Job) -> Result<Finished, Broken> {
        let work = self.store.work_dir("boot")?;
        let guest = match self.guest(&spec.machine, job, work.path())? {
            Ok(guest) => guest,
            Err(message) => {
                return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
            }
        };
        let (accel, instead) = self.accel(spec, job)?;
        if let Some(why) = &instead {
            job.note(&format!("boots by `tcg`: {why}"));
        }
        let boot = BootJob {
            accel,
            silence: Duration::from_secs(spec.silence_secs.into()),
            total: Duration::from_secs(spec.total_secs.into()),
            judging: spec.judging.clone(),
            ..guest.job
        };
        let console = work.path().join("console.log");
        let mut ended = self.boot_once(job, &boot, &console)?;
        if ended.is_hang() {
            job.note("hung; boots once more, as a busy machine looks the same");
            ended = self.boot_once(job, &boot, &console)?;
        }
        let results = ended.results;
        if results.verdict == BootVerdict::Broken {
            return Err(Broken::Infrastructure(results.reason));
        }
        let mut json = json!(results);
        json["qemu"] = json!(ended.version);
        json["accel"] = json!(boot.accel);
        if let Some(why) = instead {
            json["accel_reason"] = json!(why);
        }
        let json = serde_json::to_vec_pretty(&json).unwrap_or_default();
        let store = &self.store;
        let script = by_hand(&boot.qemu, boot.accel, &ended.machine, &ended.version);
        let (slot, root) = match boot.qemu.disk {
            None => (Slot::Initrd, INITRD),
            Some(_) => (Slot::Disk, DISK),
        };
        let mut outputs = BTreeMap::from([
            ("console.log".to_owned(), store.take_file(console)?),
            ("results.json".to_owned(), store.put_bytes(&json)?),
            ("boot.sh".to_owned(), store.put_bytes(script.as_bytes())?),
            (KERNEL.to_owned(), input(job, Slot::Kernel)?),
            (root.to_owned(), input(job, slot)?),
        ]);
        if let Some(dtb) = &boot.dtb {
            outputs.insert(DTB.to_owned(), store.put_file(dtb)?);
        }
        let facts = json!({ "machine": ended.machine, "signature": results.signature });
        let facts = facts.to_string();
        if results.verdict == BootVerdict::Succeeded {
            return Ok(Finished::success(outputs, facts).with_message(results.remark));
        }
        Ok(Finished::failure(results.reason, outputs, facts))
    }

    /// The machine of a node with its files, without limits; or why there is none, which is the build's own fault.
    pub(super) fn guest(
        &self,
        machine: &QemuMachine,
        job: &Job,
        work: &Path,
    ) -> Result<Result<Guest, String>, Broken> {
        let dtb = match dtb(&self.store, job, &machine.dtb, work)? {
            Dtb::NotNeeded => None,
            Dtb::Found(path) => Some(path),
            Dtb::Missing(message) => return Ok(Err(message)),
        };
        let root = match machine.disk {
            None => Slot::Initrd,
            Some(_) => Slot::Disk,
        };
        let programs = if job.inputs.contains_key(&Slot::Qemu) {
            Some(self.tree(job, Slot::Qemu, false)?)
        } else {
            None
        };
        let job = BootJob {
            qemu: machine.clone(),
            programs: programs.as_ref().map_or(Programs::Host, |tree| {
                Programs::Image(tree.path().to_owned())
            }),
            accel: Accel::Tcg,
            kernel: self.store.blob_path(&input(job, Slot::Kernel)?),
            root: self.store.blob_path(&input(job, root)?),
            dtb,
            silence: Duration::ZERO,
            total: Duration::ZERO,
            judging: Judging::default(),
        };
        Ok(Ok(Guest {
            job,
            _programs: programs,
        }))
    }

    /// What runs the guest's code, and why it is not KVM where that was asked for.
    fn accel(&self, spec: &BootSpec, job: &Job) -> Result<(Accel, Option<String>), Broken> {
        if spec.accel == Accel::Tcg {
            return Ok((Accel::Tcg, None));
        }
        let answer = self.store.read(&input(job, Slot::Accel)?)?;
        let answer = String::from_utf8_lossy(&answer).trim().to_owned();
        Ok(if answer == KVM_WORKS {
            (Accel::Kvm, None)
        } else {
            (Accel::Tcg, Some(answer))
        })
    }

    /// Boots; the console goes to its own file and to the node's log.
    pub(super) fn boot_once(
        &self,
        job: &Job,
        boot: &BootJob,
        path: &Path,
    ) -> Result<LabBoot, Broken> {
        let console = File::create(path).map_err(file("write", path))?;
        let mut both = Both(&console, &job.log);
        match self
            .lab
            .boot(boot, &mut both, &|| job.cancel.is_cancelled())
        {
            Err(LabError::Cancelled) => Err(Broken::Cancelled),
            other => Ok(other?),
        }
    }
}

/// The device tree a board asks for, out of the build's dtbs.
pub(super) fn dtb(store: &Store, job: &Job, wanted: &str, work: &Path) -> Result<Dtb, Broken> {
    if wanted.is_empty() {
        return Ok(Dtb::NotNeeded);
    }
    // A build without any device tree has no such output.
    let names = match job.inputs.get(&Slot::Dtbs) {
        None => Vec::new(),
        Some(dtbs) => {
            let dtbs = store.blob_path(dtbs);
            let path = work.join("dtb");
            let taken = take_file(&dtbs, wanted, &path).map_err(file("read", &dtbs))?;
            match taken {
                Taken::File => return Ok(Dtb::Found(path)),
                Taken::Not(names) => names,
            }
        }
    };
    Ok(Dtb::Missing(no_dtb(wanted, &names)))
}

/// The device tree of a boot.
pub(super) enum Dtb {
    NotNeeded,
    Found(PathBuf),
    /// Why the boot fails.
    Missing(String),
}

/// What a search in an archive gave: the file, or the names that are there instead.
enum Taken {
    File,
    Not(Vec<String>),
}

/// Writes the file called `wanted` of a tar archive to `dest`.
fn take_file(archive: &Path, wanted: &str, dest: &Path) -> std::io::Result<Taken> {
    let mut names = Vec::new();
    for entry in tar::Archive::new(File::open(archive)?).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let name = path.trim_start_matches("./");
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if name == wanted {
            std::io::copy(&mut entry, &mut File::create(dest)?)?;
            return Ok(Taken::File);
        }
        names.push(name.to_owned());
    }
    Ok(Taken::Not(names))
}

/// Names up to three that are like the one that is missing.
fn no_dtb(wanted: &str, names: &[String]) -> String {
    let file = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let mut like: Vec<(f64, &String)> = names
        .iter()
        .map(|name| (strsim::jaro_winkler(&file(wanted), &file(name)), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .collect();
    like.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let like: Vec<String> = like
        .iter()
        .take(3)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    let has = match (names.len(), like.as_slice()) {
        (0, _) => "it has none at all".to_owned(),
        (count, []) => format!("it has {count} others"),
        (_, like) => format!("it has {}", like.join(", ")),
    };
    format!(
        "the build has no device tree `{wanted}`: {has}; let the board's `requires` ask for the platform's symbol"
    )
}

/// Writes to a file of the node's own and to its log.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_taken_out_of_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("dtbs.tar");
        let mut tar = tar::Builder::new(File::create(&archive).unwrap());
        let mut add = |name: &str, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, content).unwrap();
        };
        add("./sun4i-a10-cubieboard.dtb", b"tree");
        add("./sun4i-a10-cubieboard2.dtb", b"2");
        add("./nuvoton/wpcm450.dtb", b"3");
        tar.finish().unwrap();
        let dest = folder.path().join("dtb");
        let take = |name: &str| match take_file(&archive, name, &dest).unwrap() {
            Taken::File => std::fs::read_to_string(&dest).unwrap(),
            Taken::Not(names) => no_dtb(name, &names),
        };
        assert_eq!(take("sun4i-a10-cubieboard.dtb"), "tree");
        assert_eq!(take("nuvoton/wpcm450.dtb"), "3");
        insta::assert_snapshot!(take("sun4i-a20-cubieboard.dtb"), @"the build has no device tree `sun4i-a20-cubieboard.dtb`: it has `sun4i-a10-cubieboard.dtb`, `sun4i-a10-cubieboard2.dtb`; let the board's `requires` ask for the platform's symbol");
        insta::assert_snapshot!(take("zynq"), @"the build has no device tree `zynq`: it has 3 others; let the board's `requires` ask for the platform's symbol");
        insta::assert_snapshot!(no_dtb("a.dtb", &[]), @"the build has no device tree `a.dtb`: it has none at all; let the board's `requires` ask for the platform's symbol");
    }
}
