//! `lab`, and how a board is booted in one of LAVA's.

use std::collections::BTreeMap;

use rhai::Dynamic;

use crate::model::Lab;
use crate::model::LabKind;
use crate::model::LavaCommands;
use crate::model::LavaDevice;
use crate::model::LavaLab;
use crate::model::LavaMethod;
use crate::model::QemuMachine;
use crate::model::Rootfs;
use crate::model::RootfsFormat;
use crate::model::TokenFrom;
use crate::text::did_you_mean;

use super::super::handle::Kind;
use super::super::mistake::Mistake;
use super::super::schema::Field;
use super::super::schema::Fields;
use super::super::schema::Need;
use super::super::schema::Record;
use super::super::schema::Shape;
use super::super::words::BUILD_FILE;
use super::super::words::ENVIRONMENT;
use super::super::words::LAVA_NAME;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;

/// The function that declares a lab.
pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "lab",
    method: false,
    params: &[
        Param {
            name: "name",
            shape: Shape::Name,
        },
        Param {
            name: "fields",
            shape: Shape::Record(&LAB),
        },
    ],
    gives: "a lab",
    doc: "Declares a place where boards are booted. A project that declares none boots in QEMU on this machine.",
    run: lab,
}];

/// What a job may say to the template of a device type.
///
/// Source: `CONTEXT_VARIABLES` of `lava_common/schemas/__init__.py`, LAVA 2023.01; a server may allow more.
const CONTEXT: &[&str] = &[
    "boot_character_delay",
    "boot_console",
    "boot_retry",
    "boot_root",
    "booti_dtb_addr",
    "booti_kernel_addr",
    "booti_ramdisk_addr",
    "bootloader_prompt",
    "bootm_dtb_addr",
    "bootm_kernel_addr",
    "bootm_ramdisk_addr",
    "bootz_dtb_addr",
    "bootz_kernel_addr",
    "bootz_ramdisk_addr",
    "console_device",
    "custom_kernel_args",
    "extra_kernel_args",
    "extra_nfsroot_args",
    "failure_retry",
    "kernel_loglevel",
    "kernel_start_message",
    "lava_test_results_dir",
    "menu_interrupt_prompt",
    "model",
    "monitor",
    "mustang_menu_list",
    "netdevice",
    "serial",
    "test_character_delay",
    "tftp_mac_address",
    "uboot_altbank",
    "uboot_extra_error_message",
    "uboot_needs_interrupt",
    "vga",
];

/// The field `lava` of a board.
pub(super) const LAVA_DEVICE: Record = Record {
    noun: "a LAVA device",
    fields: &[
        Field {
            name: "device_type",
            shape: Shape::Spelt(&LAVA_NAME),
            need: Need::Required,
            doc: "LAVA's device type",
        },
        Field {
            name: "tags",
            shape: Shape::List(&Shape::Spelt(&LAVA_NAME)),
            need: Need::Otherwise("none"),
            doc: "tags the device must have",
        },
        Field {
            name: "labs",
            shape: Shape::List(&Shape::Handle(Kind::Lab)),
            need: Need::Otherwise("every LAVA lab"),
            doc: "the labs that may boot it",
        },
        Field {
            name: "method",
            shape: Shape::OneOf(&LavaMethod::WORDS),
            need: Need::Otherwise("`\"qemu\"`, with the field `qemu` of the board"),
            doc: "LAVA's boot method, as the device type has it",
        },
        Field {
            name: "commands",
            shape: Shape::OneOf(&["ramdisk", "nfs", "nbd"]),
            need: Need::Otherwise("as the format of `rootfs` says"),
            doc: "how the kernel gets its root filesystem: an initramfs, a tarball over NFS, or an ext2 image over NBD",
        },
        Field {
            name: "kernel_type",
            shape: Shape::OneOf(&["image", "uimage", "zimage"]),
            need: Need::Otherwise("not said"),
            doc: "what U-Boot is told the kernel image is",
        },
        Field {
            name: "dtb",
            shape: Shape::Spelt(&BUILD_FILE),
            need: Need::Otherwise("that of `qemu`, else none"),
            doc: "device tree below the build's",
        },
        Field {
            name: "modules",
            shape: Shape::Bool,
            need: Need::Otherwise("`false`"),
            doc: "whether the build's modules are put into the root filesystem",
        },
        Field {
            name: "initrd",
            shape: Shape::Handle(Kind::Rootfs),
            need: Need::Otherwise("none"),
            doc: "the initramfs that mounts a root over NBD",
        },
        Field {
            name: "context",
            shape: Shape::Strings,
            need: Need::Otherwise("none"),
            doc: "more variables for the template of the device type, such as `extra_kernel_args`",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

const TOKENS: &str = "tokens are no part of a definition: say where it is, `token: #{ env: \"LAVA_TOKEN\" }` or \
                      `token: #{ file: \"/etc/engine/token\" }`; it is read when the lab is used";

const LAB: Record = Record {
    noun: "a lab",
    fields: &[
        Field {
            name: "qemu",
            shape: Shape::Record(&LAB_QEMU),
            need: Need::Otherwise("not QEMU"),
            doc: "QEMU on this machine: `#{}`",
        },
        Field {
            name: "lava",
            shape: Shape::Record(&LAB_LAVA),
            need: Need::Otherwise("not LAVA"),
            doc: "a LAVA server",
        },
    ],
    one_of: &[&["qemu", "lava"]],
    any_of: &[],
    refused: &[("token", TOKENS)],
};

const LAB_QEMU: Record = Record {
    noun: "a QEMU lab",
    fields: &[],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

/// A job may not wait longer than thirty days.
const MOST_SECS: i64 = 30 * 86_400;
const MAX_JOBS: u32 = 32;
const QUEUE_SECS: u32 = 86_400;
const DEPLOY_SECS: u32 = 600;
const RETRIES: u32 = 1;
const PRIORITY: u32 = 50;

const LAB_LAVA: Record = Record {
    noun: "a LAVA lab",
    fields: &[
        Field {
            name: "url",
            shape: Shape::Url,
            need: Need::Required,
            doc: "base URL of the server",
        },
        Field {
            name: "user",
            shape: Shape::Spelt(&LAVA_NAME),
            need: Need::Required,
            doc: "the LAVA user the token must belong to: one without rights of staff",
        },
        Field {
            name: "token",
            shape: Shape::Record(&TOKEN),
            need: Need::Required,
            doc: "where the user's token is found when the lab is used",
        },
        Field {
            name: "artifacts_url",
            shape: Shape::Url,
            need: Need::Otherwise("a run serves it on the address by which it reaches the lab"),
            doc: "where the lab's workers reach what `engine serve` gives",
        },
        Field {
            name: "max_jobs",
            shape: Shape::Whole(1, 10_000),
            need: Need::Otherwise("`32`"),
            doc: "jobs of a run that are in the lab at once at most, waiting ones included",
        },
        Field {
            name: "queue_secs",
            shape: Shape::Whole(1, MOST_SECS),
            need: Need::Otherwise("`86400`"),
            doc: "seconds that a job may wait for a device",
        },
        Field {
            name: "deploy_secs",
            shape: Shape::Whole(1, MOST_SECS),
            need: Need::Otherwise("`600`"),
            doc: "seconds for downloads and the boot loader, beside the suite's own `total_secs`",
        },
        Field {
            name: "retries",
            shape: Shape::Whole(0, 10),
            need: Need::Otherwise("`1`"),
            doc: "how often a job is submitted again after a fault of the lab",
        },
        Field {
            name: "priority",
            shape: Shape::Whole(0, 100),
            need: Need::Otherwise("`50`"),
            doc: "LAVA's priority",
        },
        Field {
            name: "visibility",
            shape: Shape::OneOf(&["public", "personal"]),
            need: Need::Otherwise("`\"public\"`"),
            doc: "who sees the jobs",
        },
        Field {
            name: "aliases",
            shape: Shape::Strings,
            need: Need::Otherwise("none"),
            doc: "what this lab calls device types, by what boards call them: `#{ \"qemu\": \"qemu-tcg\" }`",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[("password", TOKENS)],
};

const TOKEN: Record = Record {
    noun: "a place of a token",
    fields: &[
        Field {
            name: "env",
            shape: Shape::Spelt(&ENVIRONMENT),
            need: Need::Otherwise("`file`"),
            doc: "a variable of the environment",
        },
        Field {
            name: "file",
            shape: Shape::Word,
            need: Need::Otherwise("`env`"),
            doc: "the absolute path of a file that only its owner may read",
        },
    ],
    one_of: &[&["env", "file"]],
    any_of: &[],
    refused: &[("value", TOKENS), ("token", TOKENS)],
};

fn lab(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let handle = call.declare(Kind::Lab, &name, &["0"])?;
    let kind = match fields.take::<Fields>("lava") {
        Some(lava) => LabKind::Lava(lava_lab(lava)?),
        None => LabKind::Qemu,
    };
    let labs = &mut call.state.catalog.labs;
    labs.insert(name.clone(), Lab { name, kind });
    Ok(handle)
}

fn at(steps: &[&str]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

fn lava_lab(mut lava: Fields) -> Result<LavaLab, Mistake> {
    let mut token: Fields = lava.take_or_empty("token");
    let token = match token.take::<String>("file") {
        Some(path) if !path.starts_with('/') => {
            let message = format!("`{path}` is not an absolute path");
            return Err(Mistake::at(&at(&["1", "lava", "token", "file"]), message)
                .help("the file is outside the project, which others read"));
        }
        Some(path) => TokenFrom::File(path),
        None => TokenFrom::Env(token.take_or_empty("env")),
    };
    let aliases: BTreeMap<String, String> = lava.take_or_empty("aliases");
    for (ours, theirs) in &aliases {
        let path = at(&["1", "lava", "aliases", ours]);
        super::super::schema::check_spelling(theirs, &LAVA_NAME, &path)?;
    }
    Ok(LavaLab {
        url: lava.take_or_empty("url"),
        user: lava.take_or_empty("user"),
        token,
        artifacts_url: lava.take("artifacts_url"),
        max_jobs: lava.take_number("max_jobs", MAX_JOBS),
        queue_secs: lava.take_number("queue_secs", QUEUE_SECS),
        deploy_secs: lava.take_number("deploy_secs", DEPLOY_SECS),
        retries: lava.take_number("retries", RETRIES),
        priority: lava.take_number("priority", PRIORITY),
        public: lava.take_or_empty::<String>("visibility") != "personal",
        aliases,
    })
}

/// The field `lava` of a board, with what else the board says.
pub(super) fn device(
    mut lava: Fields,
    qemu: Option<&QemuMachine>,
    rootfs: Option<&Rootfs>,
    labs: &BTreeMap<String, Lab>,
) -> Result<LavaDevice, Mistake> {
    let context: BTreeMap<String, String> = lava.take_or_empty("context");
    if let Some(key) = context.keys().find(|key| !CONTEXT.contains(&key.as_str())) {
        let path = at(&["1", "lava", "context", key]);
        let mistake = Mistake::at(&path, format!("`{key}` is no variable of a LAVA job"));
        let known = || format!("known are {}", CONTEXT.join(", "));
        return Err(mistake.suggest(did_you_mean(key, CONTEXT.iter().copied()), known));
    }
    let pinned: Vec<String> = lava.take_or_empty("labs");
    for (index, name) in pinned.iter().enumerate() {
        if matches!(
            labs.get(name),
            Some(Lab {
                kind: LabKind::Qemu,
                ..
            })
        ) {
            let path = at(&["1", "lava", "labs", &index.to_string()]);
            return Err(Mistake::at(&path, format!("`{name}` is no LAVA lab")));
        }
    }
    let method = lava.take::<String>("method");
    let method = method.and_then(|word| LavaMethod::of_word(&word));
    let method = match (method, qemu) {
        (Some(LavaMethod::Qemu) | None, None) => {
            let message = "LAVA's method `qemu` boots the machine of the field `qemu`, and the board has none";
            return Err(Mistake::at(&at(&["1", "lava", "method"]), message).help(
                "say how the device type boots: `method: \"u-boot\"`, `\"grub\"`, `\"ipxe\"`",
            ));
        }
        (Some(method), _) => method,
        (None, Some(_)) => LavaMethod::Qemu,
    };
    let format = rootfs.map(|rootfs| rootfs.format).unwrap_or_default();
    let usual = match format {
        RootfsFormat::Initramfs => LavaCommands::Ramdisk,
        RootfsFormat::Tar => LavaCommands::Nfs,
        RootfsFormat::Ext2 => LavaCommands::Nbd,
    };
    let commands = lava.take::<String>("commands");
    let commands = commands.and_then(|word| LavaCommands::of_word(&word));
    if let Some(commands) = commands.filter(|commands| *commands != usual) {
        let wanted = match commands {
            LavaCommands::Ramdisk => "initramfs",
            LavaCommands::Nfs => "tar",
            LavaCommands::Nbd => "ext2",
        };
        let path = at(&["1", "lava", "commands"]);
        let message = "the root filesystem of the board is packed for another way";
        return Err(Mistake::at(&path, message).help(format!("give it `format: \"{wanted}\"`")));
    }
    let initrd: Option<String> = lava.take("initrd");
    let boot_loader = method != LavaMethod::Qemu;
    if boot_loader && usual == LavaCommands::Nbd && initrd.is_none() {
        let message = "a root over NBD needs an initramfs that mounts it";
        return Err(Mistake::at(&at(&["1", "lava"]), message)
            .help("`initrd: rootfs(…)`, or a root filesystem of another format"));
    }
    if !boot_loader && format == RootfsFormat::Tar {
        let message = "QEMU boots an initramfs or a disk, and the root filesystem is a tarball";
        return Err(Mistake::at(&at(&["1", "rootfs"]), message));
    }
    Ok(LavaDevice {
        device_type: lava.take_or_empty("device_type"),
        tags: lava.take_or_empty("tags"),
        labs: pinned,
        method,
        commands: usual,
        kernel_type: lava.take_or_empty("kernel_type"),
        dtb: lava.take("dtb").unwrap_or_else(|| {
            let machine = qemu.filter(|_| !boot_loader);
            machine
                .map(|machine| machine.dtb.clone())
                .unwrap_or_default()
        }),
        modules: lava.take_or_empty("modules"),
        initrd: initrd.filter(|_| boot_loader),
        context,
    })
}
