//! Whether this machine's KVM boots a kernel.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use crate::console::BootVerdict;
use crate::jobs::BootJob;
use crate::jobs::KVM;
use crate::jobs::is_native;
use crate::model::Accel;
use crate::spec::ProbeSpec;

/// The answer of a probe that worked; any other is the reason why not.
pub(super) const KVM_WORKS: &str = "kvm";

impl Tools {
    /// Output `answer`. A guest that hangs is ended by the probe's own limit.
    pub(super) fn probe(&self, spec: &ProbeSpec, job: &Job) -> Result<Finished, Broken> {
        let answer = match refusal(spec) {
            Some(why) => why,
            None => self.try_kvm(spec, job)?,
        };
        job.note(&format!("KVM: {answer}"));
        let answer = self.store.put_bytes(format!("{answer}\n").as_bytes())?;
        let outputs = BTreeMap::from([("answer".to_owned(), answer)]);
        Ok(Finished::success(outputs, String::new()))
    }

    fn try_kvm(&self, spec: &ProbeSpec, job: &Job) -> Result<String, Broken> {
        let work = self.store.work_dir("probe")?;
        let guest = match self.guest(&spec.machine, job, work.path())? {
            Ok(guest) => guest,
            Err(message) => return Ok(message),
        };
        let limit = Duration::from_secs(spec.limit_secs.into());
        let boot = BootJob {
            accel: Accel::Kvm,
            silence: limit,
            total: limit,
            ..guest.job
        };
        job.note(&format!("tries KVM for at most {} s", spec.limit_secs));
        let ended = self.boot_once(job, &boot, &work.path().join("console"))?;
        let results = ended.results;
        // A suite that fails was reached, and so the kernel runs.
        let works = results.verdict == BootVerdict::Succeeded || !results.tests.is_empty();
        Ok(if works {
            KVM_WORKS.to_owned()
        } else {
            format!("a probe boot by KVM did not work: {}", results.reason)
        })
    }
}

/// What is known without booting anything.
fn refusal(spec: &ProbeSpec) -> Option<String> {
    let binary = &spec.machine.binary;
    if !is_native(binary) {
        return Some(format!(
            "`{binary}` emulates another processor than this machine has"
        ));
    }
    let device = Path::new("/dev").join(KVM);
    (!device.exists()).then(|| format!("this machine has no `{}`", device.display()))
}
