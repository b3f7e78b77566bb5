//! `board`.

use rhai::Dynamic;

use crate::kconfig::Predicate;
use crate::model::Accel;
use crate::model::Board;
use crate::model::Catalog;
use crate::model::DiskBus;
use crate::model::QemuDisk;
use crate::model::QemuMachine;
use crate::model::Rootfs;
use crate::model::RootfsFormat;

use super::super::handle::Kind;
use super::super::mistake::Mistake;
use super::super::schema::Field;
use super::super::schema::Fields;
use super::super::schema::Need;
use super::super::schema::Record;
use super::super::schema::Shape;
use super::super::words::BUILD_FILE;
use super::super::words::CONSOLE;
use super::super::words::DRIVE_INTERFACE;
use super::super::words::QEMU_BINARY;
use super::super::words::QEMU_CPU;
use super::super::words::QEMU_MODEL;
use super::super::words::ROOT_DEVICE;
use super::arches::each_once;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;
use super::labs;
use super::labs::LAVA_DEVICE;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "board",
    method: false,
    params: &[
        Param {
            name: "name",
            shape: Shape::Name,
        },
        Param {
            name: "fields",
            shape: Shape::Record(&BOARD),
        },
    ],
    gives: "a board",
    doc: "Declares a machine. It boots every kernel whose .config meets `requires`, whatever its arch.",
    run: board,
}];

const BOARD: Record = Record {
    noun: "a board",
    fields: &[
        Field {
            name: "requires",
            shape: Shape::Predicate,
            need: Need::Required,
            doc: "what the final .config must meet",
        },
        Field {
            name: "rootfs",
            shape: Shape::Handle(Kind::Rootfs),
            need: Need::Required,
            doc: "the root filesystem it boots",
        },
        Field {
            name: "suites",
            shape: Shape::List(&Shape::Handle(Kind::Suite)),
            need: Need::Required,
            doc: "the suites it runs",
        },
        Field {
            name: "qemu",
            shape: Shape::Record(&QEMU),
            need: Need::Otherwise("not in QEMU"),
            doc: "how a QEMU lab runs it",
        },
        Field {
            name: "lava",
            shape: Shape::Record(&LAVA_DEVICE),
            need: Need::Otherwise("not in LAVA"),
            doc: "how a LAVA lab runs it",
        },
    ],
    one_of: &[],
    any_of: &[&["qemu", "lava"]],
    refused: &[(
        "arch",
        "boards are chosen by the .config alone: say what it needs in `requires`",
    )],
};

const QEMU: Record = Record {
    noun: "a QEMU machine",
    fields: &[
        Field {
            name: "binary",
            shape: Shape::Spelt(&QEMU_BINARY),
            need: Need::Required,
            doc: "the program, such as `\"qemu-system-x86_64\"`",
        },
        Field {
            name: "machine",
            shape: Shape::Texts(&QEMU_MODEL),
            need: Need::Otherwise("the program's"),
            doc: "`-M`; of a list the first whose name, up to a comma, the installed QEMU offers",
        },
        Field {
            name: "cpu",
            shape: Shape::Spelt(&QEMU_CPU),
            need: Need::Otherwise("the machine's"),
            doc: "`-cpu`",
        },
        Field {
            name: "memory_mb",
            shape: Shape::Whole(1, 1 << 20),
            need: Need::Otherwise("`512`"),
            doc: "`-m`, in MiB",
        },
        Field {
            name: "console",
            shape: Shape::Spelt(&CONSOLE),
            need: Need::Otherwise("`\"ttyS0\"`"),
            doc: "the kernel's console device",
        },
        Field {
            name: "dtb",
            shape: Shape::Spelt(&BUILD_FILE),
            need: Need::Otherwise("none"),
            doc: "device tree below the build's, such as `\"sun4i-a10-cubieboard.dtb\"`",
        },
        Field {
            name: "disk",
            shape: Shape::Record(&QEMU_DISK),
            need: Need::Otherwise("it boots an initramfs"),
            doc: "the disk it boots, for a root filesystem that is a disk image; never written",
        },
        Field {
            name: "nic",
            shape: Shape::Spelt(&QEMU_MODEL),
            need: Need::Otherwise("none"),
            doc: "model of a network card, on a network that leads nowhere; what ends in `-device` is a `-device` of its own",
        },
        Field {
            name: "accel",
            shape: Shape::OneOf(&["tcg", "kvm"]),
            need: Need::Otherwise("`\"tcg\"`"),
            doc: "what runs the guest's code: QEMU's translator, or the host's processor where a probe boot of the same kernel works on this machine; else the translator, and the boot says why",
        },
        Field {
            name: "image",
            shape: Shape::Handle(Kind::Image),
            need: Need::Otherwise("the machine's own QEMU"),
            doc: "the image that the program is in, so that its version is pinned",
        },
        Field {
            name: "args",
            shape: Shape::List(&Shape::Text),
            need: Need::Otherwise("none"),
            doc: "more arguments, one per element",
        },
        Field {
            name: "cmdline",
            shape: Shape::Text,
            need: Need::Otherwise("none"),
            doc: "more words of the kernel's command line",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

const QEMU_DISK: Record = Record {
    noun: "a disk",
    fields: &[
        Field {
            name: "root",
            shape: Shape::Spelt(&ROOT_DEVICE),
            need: Need::Required,
            doc: "what the kernel calls it, such as `\"/dev/sda\"`",
        },
        Field {
            name: "interface",
            shape: Shape::Spelt(&DRIVE_INTERFACE),
            need: Need::Otherwise("`device`"),
            doc: "what the machine has to attach it to, such as `\"ide\"` and `\"scsi\"`: `if=` of `-drive`",
        },
        Field {
            name: "device",
            shape: Shape::Spelt(&QEMU_MODEL),
            need: Need::Otherwise("`interface`"),
            doc: "a `-device` of its own, such as `\"virtio-blk-device\"`",
        },
    ],
    one_of: &[&["interface", "device"]],
    any_of: &[],
    refused: &[],
};

fn board(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let suites: Vec<String> = fields.take_or_empty("suites");
    each_once(Kind::Suite, &suites, "1", "suites")?;
    let handle = call.declare(Kind::Board, &name, &["0"])?;
    let rootfs: String = fields.take_or_empty("rootfs");
    let mut qemu: Option<Fields> = fields.take("qemu");
    let qemu_image = qemu.as_mut().and_then(|qemu| qemu.take("image"));
    let accel: Option<String> = qemu.as_mut().and_then(|qemu| qemu.take("accel"));
    let accel = match accel.as_deref() {
        Some("kvm") => Accel::Kvm,
        _ => Accel::Tcg,
    };
    let qemu = qemu.map(qemu_machine);
    let catalog = &call.state.catalog;
    let declared = catalog.rootfses.get(&rootfs);
    let lava = fields.take::<Fields>("lava").map(|lava| {
        let qemu = qemu.as_ref();
        labs::device(lava, qemu, declared, &catalog.labs)
    });
    let lava = lava.transpose()?;
    if let Some(rootfs) = declared {
        if let Some(qemu) = &qemu {
            boots_what_it_gets(qemu, rootfs)?;
        }
        runs_its_suites(&suites, rootfs, lava.is_some(), catalog)?;
    }
    let board = Board {
        name: name.clone(),
        requires: fields
            .take("requires")
            .unwrap_or(Predicate::All(Vec::new())),
        rootfs,
        suites,
        qemu,
        qemu_image,
        accel,
        lava,
    };
    call.state.catalog.boards.insert(name, board);
    Ok(handle)
}

/// LAVA's test shell needs a lab of LAVA's, and a shell.
fn runs_its_suites(
    suites: &[String],
    rootfs: &Rootfs,
    lava: bool,
    catalog: &Catalog,
) -> Result<(), Mistake> {
    let declared = suites.iter().map(|suite| catalog.suites.get(suite));
    for (index, suite) in declared.enumerate() {
        let Some(suite) = suite.filter(|suite| !suite.definitions.is_empty()) else {
            continue;
        };
        let mistake = |message| {
            let path = ["1", "suites", &index.to_string()].map(str::to_owned);
            Err(Mistake::at(&path, message))
        };
        if !lava {
            return mistake(format!(
                "`{}` has definitions of LAVA's, and the board has no `lava`",
                suite.name
            ));
        }
        if rootfs.shell.is_none() {
            return mistake(format!(
                "LAVA runs `{}` by a shell, and the root filesystem `{}` has none",
                suite.name, rootfs.name
            ))
            .map_err(|mistake| {
                mistake.help("give it one of the toolchain's image: `shell: \"/bin/busybox\"`")
            });
        }
    }
    Ok(())
}

/// A disk image needs a disk, and a disk an image.
fn boots_what_it_gets(qemu: &QemuMachine, rootfs: &Rootfs) -> Result<(), Mistake> {
    let at = |path: &[&str]| path.iter().map(ToString::to_string).collect::<Vec<_>>();
    let name = &rootfs.name;
    match (&qemu.disk, rootfs.format) {
        (None, RootfsFormat::Ext2) => Err(Mistake::at(
            &at(&["1", "qemu"]),
            format!("the root filesystem `{name}` is a disk image, and the machine has no `disk`"),
        )
        .help("say how it is attached: `disk: #{ interface: \"ide\", root: \"/dev/sda\" }`")),
        (_, RootfsFormat::Tar) => Err(Mistake::at(
            &at(&["1", "qemu"]),
            format!("the root filesystem `{name}` is a tarball, which QEMU does not boot"),
        )),
        (Some(_), RootfsFormat::Initramfs) => Err(Mistake::at(
            &at(&["1", "qemu", "disk"]),
            format!("the machine boots a disk, and the root filesystem `{name}` is an initramfs"),
        )
        .help("give the root filesystem `format: \"ext2\"`, or leave `disk` out")),
        _ => Ok(()),
    }
}

fn qemu_machine(mut qemu: Fields) -> QemuMachine {
    QemuMachine {
        binary: qemu.take_or_empty("binary"),
        machine: qemu.take_or_empty("machine"),
        cpu: qemu.take_or_empty("cpu"),
        memory_mb: qemu.take_number("memory_mb", 512),
        console: qemu.take("console").unwrap_or_else(|| "ttyS0".to_owned()),
        dtb: qemu.take_or_empty("dtb"),
        disk: qemu.take("disk").map(|mut disk: Fields| QemuDisk {
            root: disk.take_or_empty("root"),
            bus: match disk.take("interface") {
                Some(interface) => DiskBus::Interface(interface),
                None => DiskBus::Device(disk.take_or_empty("device")),
            },
        }),
        nic: qemu.take_or_empty("nic"),
        args: qemu.take_or_empty("args"),
        cmdline: qemu.take_or_empty("cmdline"),
    }
}
