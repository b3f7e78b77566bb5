//! The command line of a QEMU machine.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;

use serde::Deserialize;
use serde::Serialize;

use super::BootJob;
use crate::model::DiskBus;
use crate::model::QemuDisk;
use crate::model::QemuMachine;

/// Everything of a QEMU command line that is not a path: what belongs in the key of a boot,
/// beside the digests of the kernel, the root filesystem and the device tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QemuParams {
    /// Program, such as `qemu-system-x86_64`.
    pub binary: String,
    /// Arguments without those that name a file.
    pub arguments: Vec<String>,
    /// The machines of which the lab takes the first that is offered, if there is a choice; `-M` is
    /// not among the arguments then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<String>,
    /// The name of the device tree, if the machine needs one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dtb: String,
    /// The disk that is booted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<QemuDisk>,
}

/// The part of the command line that depends on the machine alone.
pub fn qemu_params(machine: &QemuMachine) -> QemuParams {
    let (only, machines) = match machine.machine.as_slice() {
        [] => ("", Vec::new()),
        [only] => (only.as_str(), Vec::new()),
        several => ("", several.to_vec()),
    };
    QemuParams {
        binary: machine.binary.clone(),
        arguments: arguments(machine, only),
        machines,
        dtb: machine.dtb.clone(),
        disk: machine.disk.clone(),
    }
}

/// The first of `wanted` whose name, up to a comma, is in `help`, which is what `-M help` prints.
pub fn choose_machine<'w>(wanted: &'w [String], help: &str) -> Option<&'w str> {
    let offered = |name: &str| {
        help.lines()
            .any(|line| line.split_whitespace().next() == Some(name))
    };
    wanted
        .iter()
        .map(String::as_str)
        .find(|machine| machine.split(',').next().is_some_and(offered))
}

/// The arguments for the machine called `name`, without those that name a file.
///
/// The serial console is on stdio, there is no monitor, no KVM (a guest of the host's own arch
/// must behave as on any other host), no host configuration file, and no network card unless the
/// machine's own arguments name a network. The network of `nic` leads nowhere.
fn arguments(machine: &QemuMachine, name: &str) -> Vec<String> {
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
    option("-M", name);
    option("-cpu", &machine.cpu);
    if machine.memory_mb > 0 {
        option("-m", &machine.memory_mb.to_string());
    }
    let nic = machine.nic.as_str();
    // `-nic` knows what a machine has on board or on PCI, not what goes to a bus of virtio.
    if nic.ends_with("-device") {
        option("-nic", "none");
        option("-netdev", "user,id=net,restrict=on");
        option("-device", &format!("{nic},netdev=net"));
    } else if !nic.is_empty() {
        option("-nic", &format!("user,restrict=on,model={nic}"));
    } else if !machine.args.iter().any(|arg| asks_for_network(arg)) {
        option("-nic", "none");
    }
    option("-append", &kernel_command_line(machine));
    arguments.extend(machine.args.iter().cloned());
    arguments
}

/// The whole command line of a job on the machine called `name`, the program first.
pub fn qemu_argv(job: &BootJob, name: &str) -> Vec<OsString> {
    let mut argv = vec![OsString::from(&job.qemu.binary)];
    argv.extend(arguments(&job.qemu, name).into_iter().map(OsString::from));
    argv.extend(["-kernel".into(), job.kernel.clone().into_os_string()]);
    let root = job.root.clone().into_os_string();
    match &job.qemu.disk {
        None => argv.extend(["-initrd".into(), root]),
        Some(disk) => argv.extend(disk_arguments(disk, &root)),
    }
    if let Some(dtb) = &job.dtb {
        argv.extend(["-dtb".into(), dtb.clone().into_os_string()]);
    }
    argv
}

/// With `snapshot` what the machine writes is thrown away at its end.
fn disk_arguments(disk: &QemuDisk, image: &OsStr) -> Vec<OsString> {
    let (bus, device) = match &disk.bus {
        DiskBus::Interface(interface) => (interface.as_str(), None),
        DiskBus::Device(device) => ("none", Some(device)),
    };
    let mut drive = OsString::from(format!("if={bus},id=root,format=raw,snapshot=on,file="));
    // A comma ends the name, unless it is doubled.
    let name = image.as_bytes().split(|byte| *byte == b',');
    drive.push(OsString::from_vec(
        name.collect::<Vec<_>>().join(&b",,"[..]),
    ));
    let mut arguments = vec!["-drive".into(), drive];
    if let Some(device) = device {
        arguments.extend(["-device".into(), format!("{device},drive=root").into()]);
    }
    arguments
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
    words.push("panic=-1".to_owned());
    words.push(match &machine.disk {
        None => "rdinit=/init".to_owned(),
        Some(disk) => format!("root={} rootwait rw init=/init", disk.root),
    });
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
            machine: vec!["virt,highmem=off".to_owned()],
            cpu: "cortex-a15".to_owned(),
            memory_mb: 512,
            console: "ttyAMA0".to_owned(),
            dtb: String::new(),
            disk: None,
            nic: String::new(),
            args: Vec::new(),
            cmdline: "loglevel=8".to_owned(),
        }
    }

    fn job(qemu: QemuMachine, dtb: Option<&str>) -> BootJob {
        BootJob {
            qemu,
            kernel: "/store/zImage".into(),
            root: "/store/initrd".into(),
            dtb: dtb.map(Into::into),
            silence: Duration::from_mins(1),
            total: Duration::from_secs(150),
        }
    }

    fn joined(job: &BootJob) -> String {
        let first = job.qemu.machine.first().map_or("", String::as_str);
        qemu_argv(job, first)
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
            machine: Vec::new(),
            cpu: String::new(),
            memory_mb: 0,
            console: String::new(),
            cmdline: String::new(),
            ..machine()
        };
        insta::assert_snapshot!(joined(&job(bare, None)), @"qemu-system-arm -no-user-config -nographic -monitor none -no-reboot -accel tcg -nic none -append panic=-1 rdinit=/init -kernel /store/zImage -initrd /store/initrd");
    }

    #[test]
    fn a_disk_takes_the_place_of_the_initramfs() {
        let disk = |root: &str, bus| {
            let disk = Some(QemuDisk {
                root: root.to_owned(),
                bus,
            });
            let mut job = job(QemuMachine { disk, ..machine() }, None);
            job.root = "/store/a,b".into();
            joined(&job)
        };
        insta::assert_snapshot!(disk("/dev/sda", DiskBus::Interface("ide".to_owned())), @"qemu-system-arm -no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic none -append console=ttyAMA0 panic=-1 root=/dev/sda rootwait rw init=/init loglevel=8 -kernel /store/zImage -drive if=ide,id=root,format=raw,snapshot=on,file=/store/a,,b");
        insta::assert_snapshot!(disk("/dev/vda", DiskBus::Device("virtio-blk-device".to_owned())), @"qemu-system-arm -no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic none -append console=ttyAMA0 panic=-1 root=/dev/vda rootwait rw init=/init loglevel=8 -kernel /store/zImage -drive if=none,id=root,format=raw,snapshot=on,file=/store/a,,b -device virtio-blk-device,drive=root");
    }

    #[test]
    fn a_network_card_is_on_a_network_that_leads_nowhere() {
        let with = |nic: &str| {
            let nic = nic.to_owned();
            joined(&job(QemuMachine { nic, ..machine() }, None))
        };
        insta::assert_snapshot!(with("virtio-net-device"), @"qemu-system-arm -no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic none -netdev user,id=net,restrict=on -device virtio-net-device,netdev=net -append console=ttyAMA0 panic=-1 rdinit=/init loglevel=8 -kernel /store/zImage -initrd /store/initrd");
        insta::assert_snapshot!(with("rtl8139"), @"qemu-system-arm -no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic user,restrict=on,model=rtl8139 -append console=ttyAMA0 panic=-1 rdinit=/init loglevel=8 -kernel /store/zImage -initrd /store/initrd");
    }

    #[test]
    fn the_first_machine_that_is_offered() {
        let help = "Supported machines are:\nB160L                B160L machine (default)\n\
                    C3700 C3700 machine\nnone                 empty machine\n";
        let choose = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            choose_machine(&wanted, help).map(str::to_owned)
        };
        assert_eq!(
            choose(&["hppa", "B160L", "C3700"]).as_deref(),
            Some("B160L")
        );
        assert_eq!(choose(&["C3700,a=b"]).as_deref(), Some("C3700,a=b"));
        assert_eq!(choose(&["C37", "machine"]), None);
    }

    #[test]
    fn parameters_hold_alternatives_and_disk_as_declared() {
        let json = |qemu: &QemuMachine| {
            serde_json::to_string_pretty(&qemu_params(qemu)).expect("plain data")
        };
        let plain = QemuMachine {
            machine: vec!["hppa".to_owned()],
            cpu: String::new(),
            cmdline: String::new(),
            ..machine()
        };
        insta::assert_snapshot!(json(&plain), @r#"
        {
          "binary": "qemu-system-arm",
          "arguments": [
            "-no-user-config",
            "-nographic",
            "-monitor",
            "none",
            "-no-reboot",
            "-accel",
            "tcg",
            "-M",
            "hppa",
            "-m",
            "512",
            "-nic",
            "none",
            "-append",
            "console=ttyAMA0 panic=-1 rdinit=/init"
          ]
        }
        "#);
        insta::assert_snapshot!(json(&QemuMachine {
            machine: vec!["hppa".to_owned(), "B160L".to_owned()],
            disk: Some(QemuDisk { root: "/dev/sda".to_owned(), bus: DiskBus::Interface("scsi".to_owned()) }),
            ..plain
        }), @r#"
        {
          "binary": "qemu-system-arm",
          "arguments": [
            "-no-user-config",
            "-nographic",
            "-monitor",
            "none",
            "-no-reboot",
            "-accel",
            "tcg",
            "-m",
            "512",
            "-nic",
            "none",
            "-append",
            "console=ttyAMA0 panic=-1 root=/dev/sda rootwait rw init=/init"
          ],
          "machines": [
            "hppa",
            "B160L"
          ],
          "disk": {
            "root": "/dev/sda",
            "bus": {
              "interface": "scsi"
            }
          }
        }
        "#);
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
