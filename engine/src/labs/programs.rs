//! Where QEMU's programs come from, and what of them a sandbox shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use super::LabError;
use crate::jobs::BootJob;
use crate::jobs::KVM;
use crate::jobs::Programs;
use crate::jobs::debian_package;
use crate::jobs::is_qemu;
use crate::model::Accel;
use crate::sandbox::Bind;
use crate::sandbox::Extras;
use crate::sandbox::Installation;
use crate::sandbox::Limits;
use crate::sandbox::PATH;
use crate::sandbox::Root;
use crate::sandbox::Sandbox;
use crate::sandbox::Spec;
use crate::sandbox::TEMPORARY;
use crate::sandbox::User;

/// What QEMU loads beside its libraries: its own modules, and firmware, which distributions put into packages of their own.
///
/// Sources: the file lists of Debian's, Gentoo's and Fedora's packages of QEMU and of the firmware they depend on.
const QEMU: Extras = Extras {
    modules: &[
        "/usr/lib/x86_64-linux-gnu/qemu",
        "/usr/lib/aarch64-linux-gnu/qemu",
        "/usr/lib/powerpc64le-linux-gnu/qemu",
        "/usr/lib/riscv64-linux-gnu/qemu",
        "/usr/lib64/qemu",
        "/usr/lib/qemu",
        "/usr/local/lib/qemu",
    ],
    prefixes: &[
        "accel-",
        "hw-display-virtio-gpu.",
        "hw-display-virtio-vga.",
        "hw-s390x-",
    ],
    data: &[
        "/usr/share/qemu",
        "/usr/local/share/qemu",
        "/usr/share/seabios",
        "/usr/share/seavgabios",
        "/usr/share/sgabios",
        "/usr/share/vgabios",
        "/usr/share/ipxe",
        "/usr/share/ipxe.efi",
        "/usr/lib/ipxe/qemu",
        "/usr/share/openbios",
        "/usr/share/openhackware",
        "/usr/share/slof",
        "/usr/share/skiboot",
        "/usr/share/opensbi",
        "/usr/share/qemu-efi-aarch64",
        "/usr/share/qemu-efi-arm",
        "/usr/share/AAVMF",
        "/usr/share/OVMF",
        "/usr/share/edk2",
        "/usr/share/edk2-ovmf",
    ],
};

/// Bytes that a machine may write to its disk or to `/tmp`; they are memory, and thrown away.
const SCRATCH: u64 = 1 << 30;

/// The host's installations, each looked at once.
#[derive(Debug, Default)]
pub(super) struct Installed(Mutex<BTreeMap<String, Arc<Installation>>>);

impl Installed {
    /// What shows a program of the host.
    pub(super) fn find(&self, binary: &str) -> Result<Arc<Installation>, LabError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(installation) = known.get(binary) {
            return Ok(Arc::clone(installation));
        }
        let found = Installation::find(binary, QEMU).map_err(|source| {
            let binary = binary.to_owned();
            match source.kind() {
                std::io::ErrorKind::NotFound => LabError::NoProgram {
                    package: debian_package(&binary),
                    binary,
                },
                _ => LabError::Run { binary, source },
            }
        })?;
        let found = Arc::new(found);
        known.insert(binary.to_owned(), Arc::clone(&found));
        Ok(found)
    }

    /// The sandbox of a job, for arguments of its program. The job's files are shown only where it is to `boot`.
    pub(super) fn spec(
        &self,
        sandbox: &Sandbox,
        job: &BootJob,
        arguments: Vec<String>,
        boot: bool,
    ) -> Result<Spec, LabError> {
        let binary = &job.qemu.binary;
        if !is_qemu(binary) {
            return Err(LabError::NotQemu(binary.clone()));
        }
        let (root, program, mut binds, env, emulator) = match &job.programs {
            Programs::Host => {
                let found = self.find(binary)?;
                let program = found.program.display().to_string();
                (Root::Bare, program, found.binds.clone(), found.env(), None)
            }
            Programs::Image(tree) => {
                let path = ("PATH".to_owned(), PATH.to_owned());
                let temporary = ("TMPDIR".to_owned(), TEMPORARY.to_owned());
                let emulator = sandbox.emulator_of(tree)?;
                (
                    Root::Image(tree.clone()),
                    binary.clone(),
                    Vec::new(),
                    BTreeMap::from([path, temporary]),
                    emulator,
                )
            }
        };
        if boot {
            binds.extend(files(job));
        }
        let kvm = boot && job.accel == Accel::Kvm;
        let mut argv = vec![program];
        argv.extend(arguments);
        Ok(Spec {
            root,
            emulator,
            binds,
            argv,
            env,
            cwd: PathBuf::from("/"),
            user: User::Worker,
            devices: if kvm {
                vec![KVM.to_owned()]
            } else {
                Vec::new()
            },
            limits: Limits {
                // The lab ends it before; this is for a lab that cannot.
                wall: Some(job.total + Duration::from_mins(1)),
                file_size: Some(SCRATCH),
                ..Limits::default()
            },
            hostname: "engine".to_owned(),
            layers: None,
            tmp_size: SCRATCH,
        })
    }
}

/// The files of a job at the places where its command line has them.
fn files(job: &BootJob) -> Vec<Bind> {
    let show = |source: &Path, target: &str| Bind {
        source: source.to_owned(),
        target: PathBuf::from(format!("{}{target}", crate::jobs::FILES)),
        read_only: true,
    };
    let root = match job.qemu.disk {
        None => crate::jobs::INITRD,
        Some(_) => crate::jobs::DISK,
    };
    let mut binds = vec![
        show(&job.kernel, crate::jobs::KERNEL),
        show(&job.root, root),
    ];
    binds.extend(job.dtb.iter().map(|dtb| show(dtb, crate::jobs::DTB)));
    binds
}
