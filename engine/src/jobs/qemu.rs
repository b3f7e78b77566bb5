//! The command line of a QEMU machine.

use crate::model::Accel;
use crate::model::DiskBus;
use crate::model::QemuDisk;
use crate::model::QemuMachine;

/// Where the sandbox of a machine shows its files.
pub const FILES: &str = "/boot/";
/// The kernel among a machine's files.
pub const KERNEL: &str = "kernel";
/// An initramfs.
pub const INITRD: &str = "initrd";
/// The image of a disk.
pub const DISK: &str = "disk";
/// A device tree.
pub const DTB: &str = "dtb";
/// The device of KVM, below `/dev`.
pub const KVM: &str = "kvm";

/// Whether a program's machines have the processor of this one.
pub fn is_native(binary: &str) -> bool {
    let natives: &[&str] = match std::env::consts::ARCH {
        "x86_64" => &["x86_64", "i386"],
        "aarch64" => &["aarch64"],
        "powerpc64" => &["ppc64"],
        "s390x" => &["s390x"],
        "riscv64" => &["riscv64"],
        "loongarch64" => &["loongarch64"],
        _ => &[],
    };
    let target = binary.strip_prefix("qemu-system-");
    target.is_some_and(|target| natives.contains(&target))
}

/// Whether a program is one of QEMU's system emulators, by its bare name: `qemu-system-` and a target.
pub fn is_qemu(binary: &str) -> bool {
    let target = binary.strip_prefix("qemu-system-").unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !target.is_empty() && target.bytes().all(plain)
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

/// The arguments of a machine called `name`; empty takes the program's default.
///
/// The serial console is on stdio, there is no monitor, no host configuration file, and no network card unless the
/// machine's own arguments name a network. The network of `nic` leads nowhere. The paths of its files begin with `files`.
pub fn qemu_arguments(machine: &QemuMachine, accel: Accel, name: &str, files: &str) -> Vec<String> {
    let accel = match accel {
        Accel::Tcg => "tcg",
        Accel::Kvm => "kvm",
    };
    let mut arguments: Vec<String> = [
        "-no-user-config",
        "-nographic",
        "-monitor",
        "none",
        "-no-reboot",
        "-accel",
        accel,
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
    option("-kernel", &format!("{files}{KERNEL}"));
    match &machine.disk {
        None => option("-initrd", &format!("{files}{INITRD}")),
        Some(disk) => arguments.extend(drive(disk, &format!("{files}{DISK}"))),
    }
    let mut option = |name: &str, value: &str| {
        arguments.extend([name.to_owned(), value.to_owned()]);
    };
    if !machine.dtb.is_empty() {
        option("-dtb", &format!("{files}{DTB}"));
    }
    arguments.extend(machine.args.iter().cloned());
    arguments
}

/// The arguments of a disk with its file. With `snapshot` what the machine writes is thrown away at its end.
pub(super) fn drive(disk: &QemuDisk, file: &str) -> Vec<String> {
    let (bus, device) = match &disk.bus {
        DiskBus::Interface(interface) => (interface.as_str(), None),
        DiskBus::Device(device) => ("none", Some(device)),
    };
    let drive = format!("if={bus},id=root,format=raw,snapshot=on,file={file}");
    let mut arguments = vec!["-drive".to_owned(), drive];
    if let Some(device) = device {
        arguments.extend(["-device".to_owned(), format!("{device},drive=root")]);
    }
    arguments
}

/// A shell script that boots the same machine by hand, from the directory with its files; what it is given goes to QEMU too.
pub fn by_hand(machine: &QemuMachine, accel: Accel, name: &str, version: &str) -> String {
    let words =
        std::iter::once(machine.binary.clone()).chain(qemu_arguments(machine, accel, name, ""));
    // No word has a NUL, the one thing that cannot be quoted.
    let words =
        words.map(|word| shlex::try_quote(&word).map_or_else(|_| String::new(), Into::into));
    let words: Vec<String> = words.collect();
    let words = words.join(" ");
    format!(
        "#!/bin/sh\n# It was {version}\ncd \"$(dirname \"$0\")\" || exit\nexec {words} \"$@\"\n"
    )
}

/// The Debian package that has a QEMU system program; `None` for any other program.
///
/// Source: `apt-file search /usr/bin/qemu-system-` on Debian 12.
pub fn debian_package(binary: &str) -> Option<&'static str> {
    let target = binary.strip_prefix("qemu-system-")?;
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
pub(super) fn kernel_command_line(machine: &QemuMachine) -> String {
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

    fn joined(machine: &QemuMachine) -> String {
        let first = machine.machine.first().map_or("", String::as_str);
        qemu_arguments(machine, Accel::Tcg, first, FILES).join(" ")
    }

    #[test]
    fn a_full_machine() {
        let dtb = "a.dtb".to_owned();
        insta::assert_snapshot!(joined(&QemuMachine { dtb, ..machine() }), @"-no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic none -append console=ttyAMA0 panic=-1 rdinit=/init loglevel=8 -kernel /boot/kernel -initrd /boot/initrd -dtb /boot/dtb");
        let kvm = qemu_arguments(&machine(), Accel::Kvm, "virt", FILES).join(" ");
        assert!(kvm.contains("-accel kvm"));
    }

    #[test]
    fn a_script_boots_the_same_by_hand() {
        let cmdline = "x='a b' $(id)".to_owned();
        let machine = QemuMachine {
            cmdline,
            ..machine()
        };
        insta::assert_snapshot!(by_hand(&machine, Accel::Tcg, "virt", "QEMU emulator version 7.2.22"), @r#"
        #!/bin/sh
        # It was QEMU emulator version 7.2.22
        cd "$(dirname "$0")" || exit
        exec qemu-system-arm -no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt -cpu cortex-a15 -m 512 -nic none -append "console=ttyAMA0 panic=-1 rdinit=/init x='a b' "'$(id)' -kernel kernel -initrd initrd "$@"
        "#);
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
        insta::assert_snapshot!(joined(&bare), @"-no-user-config -nographic -monitor none -no-reboot -accel tcg -nic none -append panic=-1 rdinit=/init -kernel /boot/kernel -initrd /boot/initrd");
    }

    #[test]
    fn a_disk_takes_the_place_of_the_initramfs() {
        let disk = |root: &str, bus| {
            let disk = Some(QemuDisk {
                root: root.to_owned(),
                bus,
            });
            joined(&QemuMachine { disk, ..machine() })
        };
        insta::assert_snapshot!(disk("/dev/sda", DiskBus::Interface("ide".to_owned())), @"-no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic none -append console=ttyAMA0 panic=-1 root=/dev/sda rootwait rw init=/init loglevel=8 -kernel /boot/kernel -drive if=ide,id=root,format=raw,snapshot=on,file=/boot/disk");
        insta::assert_snapshot!(disk("/dev/vda", DiskBus::Device("virtio-blk-device".to_owned())), @"-no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic none -append console=ttyAMA0 panic=-1 root=/dev/vda rootwait rw init=/init loglevel=8 -kernel /boot/kernel -drive if=none,id=root,format=raw,snapshot=on,file=/boot/disk -device virtio-blk-device,drive=root");
    }

    #[test]
    fn a_network_card_is_on_a_network_that_leads_nowhere() {
        let with = |nic: &str| {
            let nic = nic.to_owned();
            joined(&QemuMachine { nic, ..machine() })
        };
        insta::assert_snapshot!(with("virtio-net-device"), @"-no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic none -netdev user,id=net,restrict=on -device virtio-net-device,netdev=net -append console=ttyAMA0 panic=-1 rdinit=/init loglevel=8 -kernel /boot/kernel -initrd /boot/initrd");
        insta::assert_snapshot!(with("rtl8139"), @"-no-user-config -nographic -monitor none -no-reboot -accel tcg -M virt,highmem=off -cpu cortex-a15 -m 512 -nic user,restrict=on,model=rtl8139 -append console=ttyAMA0 panic=-1 rdinit=/init loglevel=8 -kernel /boot/kernel -initrd /boot/initrd");
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
    fn a_network_comes_only_when_asked_for() {
        for asked in ["-nic", "-net", "-netdev", "--netdev"] {
            let args = vec![asked.to_owned(), "user".to_owned()];
            let arguments =
                qemu_arguments(&QemuMachine { args, ..machine() }, Accel::Tcg, "", FILES);
            assert_eq!(
                arguments.iter().filter(|arg| *arg == "-nic").count(),
                usize::from(asked == "-nic")
            );
        }
    }

    #[test]
    fn only_a_bare_name_of_qemus_is_a_program() {
        assert!(is_qemu("qemu-system-x86_64") && is_qemu("qemu-system-sh4eb"));
        for other in [
            "/bin/sh",
            "qemu-system-",
            "qemu-system-../sh",
            "/usr/bin/qemu-system-arm",
            "qemu-img",
            "qemu-system-arm x",
            "",
        ] {
            assert!(!is_qemu(other), "{other}");
        }
    }

    #[test]
    fn packages_by_program() {
        assert_eq!(
            debian_package("qemu-system-x86_64"),
            Some("qemu-system-x86")
        );
        assert_eq!(debian_package("qemu-system-hppa"), Some("qemu-system-misc"));
        assert_eq!(debian_package("fake"), None);
    }
}
