//! A boot as a job of LAVA's, in YAML made of typed data.
//!
//! Source: `lava_common/schemas` of LAVA 2023.01, whose strict check every job passes, and the templates of device types.

use std::collections::BTreeMap;

use serde::Serialize;

use super::qemu::drive;
use super::qemu::kernel_command_line;
use crate::model::LavaCommands;
use crate::model::LavaLab;
use crate::model::LavaMethod;
use crate::model::LavaTestFrom;
use crate::model::QemuMachine;
use crate::spec::LavaSpec;

/// What `stdlib/init.c` prints when it starts a shell.
const PROMPT: &str = "root@engine:# ";

/// A file that a lab downloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Where the lab's worker gets it.
    pub url: String,
    /// Its SHA-256, which the worker checks.
    pub sha256sum: String,
}

/// The files of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifacts {
    /// The kernel's boot image.
    pub kernel: Artifact,
    /// The root filesystem, as its format is.
    pub root: Artifact,
    /// A device tree.
    pub dtb: Option<Artifact>,
    /// The build's modules, a gzip-compressed tarball.
    pub modules: Option<Artifact>,
    /// The initramfs that mounts a root over NBD.
    pub nbd: Option<Artifact>,
}

/// What a job is made of.
#[derive(Clone, Copy, Debug)]
pub struct LavaJob<'a> {
    /// The boot's address.
    pub name: &'a str,
    /// What is booted, and how.
    pub spec: &'a LavaSpec,
    /// Where.
    pub lab: &'a LavaLab,
    /// With which files.
    pub artifacts: &'a Artifacts,
    /// What finds the job again: told to LAVA as its metadata.
    pub ticket: &'a str,
}

#[derive(Serialize)]
struct Definition<'a> {
    job_name: &'a str,
    device_type: &'a str,
    visibility: &'static str,
    priority: u32,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    timeouts: Timeouts,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    context: BTreeMap<&'a str, Value<'a>>,
    metadata: BTreeMap<&'static str, &'a str>,
    actions: [Action<'a>; 3],
}

/// A variable of a template: some are numbers or lists.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(&'a str),
    Number(u32),
}

#[derive(Serialize)]
struct Timeouts {
    job: Seconds,
    action: Seconds,
    connection: Seconds,
    queue: Seconds,
}

#[derive(Clone, Copy, Serialize)]
struct Seconds {
    seconds: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Action<'a> {
    Deploy(Deploy<'a>),
    Boot(Boot<'a>),
    Test(Test<'a>),
}

#[derive(Serialize)]
struct Deploy<'a> {
    to: &'static str,
    os: &'static str,
    timeout: Seconds,
    #[serde(flatten)]
    files: BTreeMap<&'static str, File<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    images: BTreeMap<&'static str, File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(flatten)]
    artifact: &'a Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_arg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlays: Option<BTreeMap<&'static str, bool>>,
}

#[derive(Serialize)]
struct Boot<'a> {
    method: LavaMethod,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commands: Option<LavaCommands>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    prompts: &'a [&'static str],
    timeout: Seconds,
}

#[derive(Serialize)]
struct Test<'a> {
    timeout: Seconds,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    monitors: Vec<Monitor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    definitions: Vec<TestDefinition<'a>>,
}

#[derive(Serialize)]
struct Monitor {
    name: &'static str,
    start: &'static str,
    end: &'static str,
    pattern: &'static str,
    fixupdict: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct TestDefinition<'a> {
    from: &'static str,
    name: &'a str,
    path: String,
    repository: Repository<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Repository<'a> {
    Url(&'a str),
    Inline {
        metadata: BTreeMap<&'static str, &'a str>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        params: BTreeMap<&'a str, &'a str>,
        run: BTreeMap<&'static str, &'a [String]>,
    },
}

/// Seconds for a test shell to set itself up, and for what LAVA does at a job's end.
const MARGIN_SECS: u32 = 60;

impl LavaJob<'_> {
    /// The job's YAML.
    pub fn yaml(&self) -> String {
        let definition = Definition {
            job_name: self.name,
            device_type: device_type(self.lab, &self.spec.device.device_type),
            visibility: if self.lab.public {
                "public"
            } else {
                "personal"
            },
            priority: self.lab.priority,
            tags: &self.spec.device.tags,
            timeouts: Timeouts {
                job: secs(limit_secs(self.spec, self.lab)),
                action: secs(self.lab.deploy_secs.max(self.spec.total_secs)),
                connection: secs(self.spec.silence_secs.max(MARGIN_SECS)),
                queue: secs(self.lab.queue_secs),
            },
            context: self.context(),
            metadata: BTreeMap::from([("engine", self.ticket)]),
            actions: [
                Action::Deploy(self.deploy()),
                Action::Boot(self.boot()),
                Action::Test(self.test()),
            ],
        };
        // Strings are always quoted: what is one in YAML 1.2 may be something else to LAVA, which reads 1.1.
        let options = serde_saphyr::ser_options! {
            quote_all: true,
            prefer_block_scalars: false,
        };
        // Structs, maps with strings as keys, strings and numbers: nothing of it cannot be YAML.
        serde_saphyr::to_string_with_options(&definition, options).unwrap_or_default()
    }

    fn has_shell(&self) -> bool {
        !self.spec.tests.is_empty()
    }

    fn context(&self) -> BTreeMap<&str, Value<'_>> {
        let given = self.spec.device.context.iter();
        let mut context: BTreeMap<&str, Value<'_>> = given
            .map(|(key, value)| (key.as_str(), Value::Text(value)))
            .collect();
        if let Some(machine) = self.machine() {
            let target = machine.binary.strip_prefix("qemu-system-");
            context.insert("arch", Value::Text(target.unwrap_or_default()));
            if machine.memory_mb > 0 {
                context.insert("memory", Value::Number(machine.memory_mb));
            }
            // Those that the template has an own default for.
            if !machine.cpu.is_empty() {
                context.insert("cpu", Value::Text(&machine.cpu));
            }
            if let Some(name) = machine.machine.first() {
                context.insert("machine", Value::Text(name));
            }
        }
        context
    }

    fn machine(&self) -> Option<&QemuMachine> {
        let by_qemu = self.spec.device.method == LavaMethod::Qemu;
        self.spec.machine.as_ref().filter(|_| by_qemu)
    }

    fn deploy(&self) -> Deploy<'_> {
        let timeout = secs(self.lab.deploy_secs);
        let artifacts = self.artifacts;
        let mut deploy = Deploy {
            to: "tmpfs",
            os: "oe",
            timeout,
            files: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        if let Some(machine) = self.machine() {
            deploy.images = self.images(machine);
            return deploy;
        }
        let device = &self.spec.device;
        let files = &mut deploy.files;
        let mut kernel = File::new(&artifacts.kernel);
        kernel.kind = (!device.kernel_type.is_empty()).then_some(device.kernel_type.as_str());
        files.insert("kernel", kernel);
        if let Some(dtb) = &artifacts.dtb {
            files.insert("dtb", File::new(dtb));
        }
        if let Some(modules) = &artifacts.modules {
            files.insert("modules", File::compressed(modules));
        }
        deploy.to = "tftp";
        match device.commands {
            LavaCommands::Ramdisk => {
                files.insert("ramdisk", File::compressed(&artifacts.root));
            }
            LavaCommands::Nfs => {
                files.insert("nfsrootfs", File::compressed(&artifacts.root));
            }
            LavaCommands::Nbd => {
                deploy.to = "nbd";
                // Modules have no place in this way.
                files.remove("modules");
                files.insert("nbdroot", File::new(&artifacts.root));
                if let Some(initrd) = &artifacts.nbd {
                    files.insert("initrd", File::new(initrd));
                }
            }
        }
        deploy
    }

    /// QEMU's files, each with the arguments that name it; the kernel's also has all that is not a file.
    fn images(&self, machine: &QemuMachine) -> BTreeMap<&'static str, File<'_>> {
        let mut words = vec![
            // A QEMU that ends is a broken connection to LAVA, which then takes the device for a bad one: it stands still instead.
            "-no-reboot".to_owned(),
            "-no-shutdown".to_owned(),
            "-append".to_owned(),
            kernel_command_line(machine),
        ];
        let mut option = |name: &str, value: &str| {
            if !value.is_empty() {
                words.extend([name.to_owned(), value.to_owned()]);
            }
        };
        option("-M", machine.machine.first().map_or("", String::as_str));
        option("-cpu", &machine.cpu);
        words.extend(machine.args.iter().cloned());
        // LAVA gives the line to a shell. No word has a NUL, the one thing that cannot be quoted.
        let words = words
            .iter()
            .map(|word| shlex::try_quote(word).unwrap_or_default());
        let words: Vec<_> = words.collect();
        let mut images = BTreeMap::new();
        let mut image = |label, artifact, argument: String| {
            let mut file = File::new(artifact);
            file.image_arg = Some(argument);
            images.insert(label, file);
        };
        let artifacts = self.artifacts;
        image(
            "kernel",
            &artifacts.kernel,
            format!("-kernel {{kernel}} {}", words.join(" ")),
        );
        if let Some(dtb) = &artifacts.dtb {
            image("dtb", dtb, "-dtb {dtb}".to_owned());
        }
        match &machine.disk {
            None => image("initrd", &artifacts.root, "-initrd {initrd}".to_owned()),
            Some(disk) => image("rootfs", &artifacts.root, drive(disk, "{rootfs}").join(" ")),
        }
        if self.has_shell()
            && let Some(initrd) = images.get_mut("initrd")
        {
            initrd.compression = Some("gz");
            initrd.format = Some("cpio.newc");
            initrd.overlays = Some(BTreeMap::from([("lava", true)]));
        }
        images
    }

    fn boot(&self) -> Boot<'_> {
        let by_qemu = self.machine().is_some();
        let prompts: &[&str] = if self.has_shell() { &[PROMPT] } else { &[] };
        Boot {
            method: self.spec.device.method,
            media: by_qemu.then_some("tmpfs"),
            commands: (!by_qemu).then_some(self.spec.device.commands),
            prompts,
            timeout: secs(
                self.spec
                    .total_secs
                    .max(if by_qemu { 1 } else { self.lab.deploy_secs }),
            ),
        }
    }

    fn test(&self) -> Test<'_> {
        Test {
            timeout: secs(self.spec.total_secs),
            monitors: if self.has_shell() {
                Vec::new()
            } else {
                vec![monitor()]
            },
            definitions: self.definitions(),
        }
    }

    fn definitions(&self) -> Vec<TestDefinition<'_>> {
        let tests = self.spec.tests.iter();
        let made = tests.map(|test| {
            let parameters = test.parameters.iter();
            let parameters: BTreeMap<&str, &str> = parameters
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            match &test.from {
                LavaTestFrom::Steps(steps) => TestDefinition {
                    from: "inline",
                    name: &test.name,
                    path: format!("inline/{}.yaml", test.name),
                    repository: Repository::Inline {
                        metadata: BTreeMap::from([
                            ("format", "Lava-Test Test Definition 1.0"),
                            ("name", &test.name),
                            ("description", &test.name),
                        ]),
                        params: parameters,
                        run: BTreeMap::from([("steps", steps.as_slice())]),
                    },
                    revision: None,
                    parameters: BTreeMap::new(),
                },
                LavaTestFrom::Git {
                    repository,
                    revision,
                    path,
                } => TestDefinition {
                    from: "git",
                    name: &test.name,
                    path: path.clone(),
                    repository: Repository::Url(repository),
                    revision: Some(revision),
                    parameters,
                },
            }
        });
        made.collect()
    }
}

/// Seconds that a lab may take for a boot, from the job's start on a device.
pub fn limit_secs(spec: &LavaSpec, lab: &LavaLab) -> u32 {
    let total = spec.total_secs.saturating_mul(2);
    total
        .saturating_add(lab.deploy_secs)
        .saturating_add(MARGIN_SECS)
}

/// What a lab calls a device type.
pub fn device_type<'a>(lab: &'a LavaLab, ours: &'a str) -> &'a str {
    lab.aliases.get(ours).map_or(ours, String::as_str)
}

/// Ends the job with the suite or a panic; the console is judged here, so its tests are read for LAVA's own pages.
fn monitor() -> Monitor {
    Monitor {
        name: "suite",
        start: "Linux version",
        // To the end of the line: LAVA logs whole lines, and goes on as soon as this is met.
        end: r"(engine: suite (exited|killed by signal) \d+|Kernel panic - not syncing)[^\n]*\n",
        pattern: r"(?P<result>not ok|ok) \d+ (- )?(?P<test_case_id>[-_a-zA-Z0-9.]+)",
        fixupdict: BTreeMap::from([("ok", "pass"), ("not ok", "fail")]),
    }
}

fn secs(seconds: u32) -> Seconds {
    Seconds {
        seconds: seconds.max(1),
    }
}

impl<'a> File<'a> {
    fn new(artifact: &'a Artifact) -> Self {
        Self {
            artifact,
            compression: None,
            kind: None,
            image_arg: None,
            format: None,
            overlays: None,
        }
    }

    fn compressed(artifact: &'a Artifact) -> Self {
        Self {
            compression: Some("gz"),
            ..Self::new(artifact)
        }
    }
}
