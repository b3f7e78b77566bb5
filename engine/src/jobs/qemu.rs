//! The command line of a QEMU machine.

use std::ffi::OsString;

use serde::Deserialize;
use serde::Serialize;

use super::BootJob;
use crate::model::QemuMachine;

/// Everything of a QEMU command line that is not a path: what belongs in the key of a boot,
/// beside the digests of the kernel, the initramfs and the device tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QemuParams {
    /// Program, such as `qemu-system-x86_64`.
    pub binary: String,
    /// Arguments without `-kernel`, `-initrd` and `-dtb`.
    pub arguments: Vec<String>,
}

/// The part of the command line that depends on the machine alone.
///
/// The serial console is on stdio, there is no monitor, no KVM (a guest of the host's own arch
/// must behave as on any other host), no host configuration file, and no network card unless the
/// machine's own arguments name a network.
pub fn qemu_params(machine: &QemuMachine) -> QemuParams {
    let mut arguments: Vec<String> = [
        "-no-user-config",
        "-nographic",
        "-monitor",
        "none",
        "-no-reboot",
        "-accel",
        "tcg",
    ]
    .map(String::from)
    .to_vec();
    let mut option = |name: &str, value: &str| {
        if !value.is_empty() {
            arguments.extend([name.to_owned(), value.to_owned()]);
        }
    };
    option("-M", &machine.machine);
    option("-cpu", &machine.cpu);
    if machine.memory_mb > 0 {
        option("-m", &machine.memory_mb.to_string());
    }
    if !machine.args.iter().any(|arg| asks_for_network(arg)) {
        option("-nic", "none");
    }
    option("-append", &kernel_command_line(machine));
    arguments.extend(machine.args.iter().cloned());
    QemuParams {
        binary: machine.binary.clone(),
        arguments,
    }
}

/// The whole command line of a job, the program first.
pub fn qemu_argv(job: &BootJob) -> Vec<OsString> {
    let params = qemu_params(&job.qemu);
    let mut argv = vec![OsString::from(params.binary)];
    argv.extend(params.arguments.into_iter().map(OsString::from));
    let dtb = job.dtb.as_ref().map(|dtb| ("-dtb", dtb));
    let files = [("-kernel", &job.kernel), ("-initrd", &job.initrd)];
    for (option, path) in files.into_iter().chain(dtb) {
        argv.extend([OsString::from(option), path.clone().into_os_string()]);
    }
    argv
}

/// The Debian package that has a QEMU system program; `None` for any other program.
///
/// Source: `apt-file search /usr/bin/qemu-system-` on Debian 12.
pub fn debian_package(binary: &str) -> Option<&'static str> {
    let target = binary.rsplit('/').next()?.strip_prefix("qemu-system-")?;
    Some(match target {
        "i386" | "x86_64" => "qemu-system-x86",
        "aarch64" | "arm" => "qemu-system-arm",
        "mips" | "mipsel" | "mips64" | "mips64el" => "qemu-system-mips",
        "ppc" | "ppc64" => "qemu-system-ppc",
        "sparc" | "sparc64" => "qemu-system-sparc",
        _ => "qemu-system-misc",
    })
}

/// `panic=-1` reboots at once, which `-no-reboot` turns into the end of QEMU. The board's own
/// words come last, so that they win.
fn kernel_command_line(machine: &QemuMachine) -> String {
    let mut words = Vec::new();
    if !machine.console.is_empty() {
        words.push(format!("console={}", machine.console));
    }
    words.extend(["panic=-1".to_owned(), "rdinit=/init".to_owned()]);
    if !machine.cmdline.is_empty() {
        words.push(machine.cmdline.clone());
    }
    words.join(" ")
}

fn asks_for_network(argument: &str) -> bool {
    matches!(argument.trim_start_matches('-'), "nic" | "net" | "netdev")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn machine() -> QemuMachine {
        QemuMachine {
            binary: "qemu-system-arm".to_owned(),
            machine: "virt,highmem=off".to_owned(),
            cpu: "cortex-a15".to_owned(),
            memory_mb: 512,
            console: "ttyAMA0".to_owned(),
            dtb: String::new(),
            args: Vec::new(),
            cmdline: "loglevel=8".to_owned(),
        }
    }

    fn job(qemu: QemuMachine, dtb: Option<&str>) -> BootJob {
        BootJob {
            board: "virt".to_owned(),
            qemu,
            kernel: "/store/zImage".into(),
            initrd: "/store/initrd".into(),
            dtb: dtb.map(Into::into),
            silence: Duration::from_mins(1),
            total: Duration::from_secs(150),
        }
    }

    fn joined(job: &BootJob) -> String {
        qemu_argv(job)
            .join(" ".as_ref())
            .into_string()
            .expect("test paths are text")
    }

    #[test]
    fn a_full_machine() {
        insta::assert_snapshot!(joined(&job(machine(), Some("/store/a.dtb"))), @"qemu-system-arm -no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic none -append console=ttyAMA0 panic=-1 rdinit=/init loglevel=8 -kernel /store/zImage -initrd /store/initrd -dtb /store/a.dtb");
    }

    #[test]
    fn what_is_empty_is_left_to_qemu() {
        let bare = QemuMachine {
            machine: String::new(),
            cpu: String::new(),
            memory_mb: 0,
            console: String::new(),
            cmdline: String::new(),
            ..machine()
        };
        insta::assert_snapshot!(joined(&job(bare, None)), @"qemu-system-arm -no-user-config -nographic -monitor none -no-reboot -accel tcg -nic none -append panic=-1 rdinit=/init -kernel /store/zImage -initrd /store/initrd");
    }

    #[test]
    fn a_network_comes_only_when_asked_for() {
        for asked in ["-nic", "-net", "-netdev", "--netdev"] {
            let args = vec![asked.to_owned(), "user".to_owned()];
            let arguments = qemu_params(&QemuMachine { args, ..machine() }).arguments;
            assert_eq!(
                arguments.iter().filter(|arg| *arg == "-nic").count(),
                usize::from(asked == "-nic")
            );
        }
    }

    #[test]
    fn parameters_hold_no_path() {
        let params = qemu_params(&machine());
        let text = serde_json::to_string(&params).expect("plain data");
        assert!(!text.contains("/store"), "{text}");
        assert!(joined(&job(machine(), None)).starts_with("qemu-system-arm"));
    }

    #[test]
    fn packages_by_program() {
        assert_eq!(
            debian_package("qemu-system-x86_64"),
            Some("qemu-system-x86")
        );
        assert_eq!(
            debian_package("/opt/bin/qemu-system-hppa"),
            Some("qemu-system-misc")
        );
        assert_eq!(debian_package("/tmp/fake"), None);
    }
}
