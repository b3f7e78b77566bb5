//! Every form of job against LAVA's own schema, strictly, by the package `lava-common`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use engine::jobs::Artifact;
use engine::jobs::Artifacts;
use engine::jobs::LavaJob;
use engine::model::DiskBus;
use engine::model::LavaCommands;
use engine::model::LavaDevice;
use engine::model::LavaLab;
use engine::model::LavaMethod;
use engine::model::LavaTest;
use engine::model::LavaTestFrom;
use engine::model::QemuDisk;
use engine::model::QemuMachine;
use engine::model::TokenFrom;
use engine::spec::LavaSpec;

/// Reads each file as LAVA's server does, and says what is wrong with it.
const CHECK: &str = r#"
import sys, voluptuous
from lava_common import schemas
from lava_common.compat import yaml_safe_load
for path in sys.argv[1:]:
    job = yaml_safe_load(open(path))
    try:
        schemas.validate(job, strict=True)
    except voluptuous.Invalid as error:
        sys.exit(f"{path}: {error.msg} @ {'.'.join(map(str, error.path))}\n{open(path).read()}")
    # YAML 1.1 must not have taken a text for something else.
    assert isinstance(job["job_name"], str) and job["job_name"].startswith("linux"), job
    assert all(isinstance(value, (str, int)) for value in job.get("context", {}).values()), job
    for step in job["actions"][-1]["test"].get("definitions", []):
        for value in step.get("parameters", {}).values():
            assert isinstance(value, str), step
print(len(sys.argv) - 1)
"#;

fn artifact(name: &str) -> Artifact {
    Artifact {
        url: format!(
            "http://ci.example.org:8000/blobs/{}/{name}",
            "ab".repeat(32)
        ),
        sha256sum: "0".repeat(64),
    }
}

fn lab() -> LavaLab {
    LavaLab {
        url: "https://lava.example.org".to_owned(),
        user: "ci".to_owned(),
        token: TokenFrom::Env("LAVA_TOKEN".to_owned()),
        artifacts_url: None,
        max_jobs: 8,
        queue_secs: 86_400,
        deploy_secs: 600,
        retries: 1,
        priority: 50,
        public: true,
        aliases: BTreeMap::from([("board".to_owned(), "their-board".to_owned())]),
    }
}

fn machine(disk: bool) -> QemuMachine {
    QemuMachine {
        binary: "qemu-system-aarch64".to_owned(),
        machine: vec!["virt,highmem=off".to_owned()],
        cpu: "cortex-a57".to_owned(),
        memory_mb: 512,
        console: "ttyAMA0".to_owned(),
        dtb: "virt.dtb".to_owned(),
        disk: disk.then(|| QemuDisk {
            root: "/dev/vda".to_owned(),
            bus: DiskBus::Device("virtio-blk-device".to_owned()),
        }),
        nic: "virtio-net-device".to_owned(),
        args: vec!["-semihosting-config".to_owned(), "a b,c='$(id)'".to_owned()],
        cmdline: "loglevel=8".to_owned(),
    }
}

fn device(method: LavaMethod, commands: LavaCommands) -> LavaDevice {
    LavaDevice {
        device_type: "board".to_owned(),
        tags: vec!["serial".to_owned()],
        labs: Vec::new(),
        method,
        commands,
        kernel_type: if method == LavaMethod::UBoot {
            "zimage"
        } else {
            ""
        }
        .to_owned(),
        dtb: "board.dtb".to_owned(),
        modules: true,
        initrd: None,
        context: BTreeMap::from([("extra_kernel_args".to_owned(), "no".to_owned())]),
    }
}

fn tests() -> Vec<LavaTest> {
    let parameters = [
        ("SKIP_INSTALL", "true"),
        ("NUMBER", "012"),
        ("WORD", "off"),
        ("TIME", "1:30"),
    ];
    let parameters: BTreeMap<String, String> = parameters
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let steps = vec![
        "lava-test-case a --shell 'echo \"x: y\" # z'".to_owned(),
        "- no".to_owned(),
    ];
    vec![
        LavaTest {
            name: "inline".to_owned(),
            from: LavaTestFrom::Steps(steps),
            parameters: parameters.clone(),
        },
        LavaTest {
            name: "git".to_owned(),
            from: LavaTestFrom::Git {
                repository: "https://git.example.org/test-definitions.git".to_owned(),
                revision: "0123456789abcdef0123456789abcdef01234567".to_owned(),
                path: "automated/linux/smoke/smoke.yaml".to_owned(),
            },
            parameters,
        },
    ]
}

/// Each method, root filesystem and kind of suite.
fn jobs() -> Vec<(String, String)> {
    let methods = [
        LavaMethod::Qemu,
        LavaMethod::Barebox,
        LavaMethod::Depthcharge,
        LavaMethod::Grub,
        LavaMethod::GrubEfi,
        LavaMethod::Ipxe,
        LavaMethod::UBoot,
    ];
    let commands = [LavaCommands::Ramdisk, LavaCommands::Nfs, LavaCommands::Nbd];
    let mut jobs = Vec::new();
    for (method, commands, shell) in methods
        .into_iter()
        .flat_map(|method| commands.map(|commands| (method, commands)))
        .flat_map(|(method, commands)| [false, true].map(|shell| (method, commands, shell)))
    {
        let by_qemu = method == LavaMethod::Qemu;
        let artifacts = Artifacts {
            kernel: artifact("kernel"),
            root: artifact("root"),
            dtb: Some(artifact("board.dtb")),
            modules: (!by_qemu).then(|| artifact("modules.tar.gz")),
            nbd: (commands == LavaCommands::Nbd).then(|| artifact("initrd.cpio.gz")),
        };
        let spec = LavaSpec {
            device: device(method, commands),
            machine: by_qemu.then(|| machine(commands == LavaCommands::Nbd)),
            tests: if shell { tests() } else { Vec::new() },
            silence_secs: 60,
            total_secs: 150,
            judging: engine::model::Judging::default(),
        };
        let job = LavaJob {
            name: "linux-6.1/arm64/tiny/gcc/board/general",
            spec: &spec,
            lab: &lab(),
            artifacts: &artifacts,
            ticket: "engine-0",
        };
        let name = format!(
            "{method:?}-{commands:?}-{}",
            if shell { "shell" } else { "suite" }
        );
        jobs.push((name.to_lowercase(), job.yaml()));
    }
    jobs
}

#[test]
fn every_form_of_job_is_good_by_lavas_own_schema() {
    if let Some(lacks) = crate::lacks_lava() {
        return crate::user::skip(&lacks);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, yaml) in jobs() {
        let path = dir.path().join(name);
        fs::write(&path, yaml).unwrap();
        paths.push(path);
    }
    let output = Command::new("/usr/bin/python3")
        .arg("-c")
        .arg(CHECK)
        .args(&paths)
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "42");
}

#[test]
#[expect(clippy::too_many_lines, reason = "two whole jobs")]
fn jobs_as_people_read_them() {
    let jobs: BTreeMap<String, String> = jobs().into_iter().collect();
    insta::assert_snapshot!(jobs["qemu-ramdisk-suite"], @r#"
    job_name: 'linux-6.1/arm64/tiny/gcc/board/general'
    device_type: 'their-board'
    visibility: 'public'
    priority: 50
    tags:
    - 'serial'
    timeouts:
      job:
        seconds: 960
      action:
        seconds: 600
      connection:
        seconds: 60
      queue:
        seconds: 86400
    context:
      arch: 'aarch64'
      cpu: 'cortex-a57'
      extra_kernel_args: 'no'
      machine: 'virt,highmem=off'
      memory: 512
    metadata:
      engine: 'engine-0'
    actions:
    - deploy:
        to: 'tmpfs'
        os: 'oe'
        timeout:
          seconds: 600
        images:
          dtb:
            url: 'http://ci.example.org:8000/blobs/abababababababababababababababababababababababababababababababab/board.dtb'
            sha256sum: '0000000000000000000000000000000000000000000000000000000000000000'
            image_arg: '-dtb {dtb}'
          initrd:
            url: 'http://ci.example.org:8000/blobs/abababababababababababababababababababababababababababababababab/root'
            sha256sum: '0000000000000000000000000000000000000000000000000000000000000000'
            image_arg: '-initrd {initrd}'
          kernel:
            url: 'http://ci.example.org:8000/blobs/abababababababababababababababababababababababababababababababab/kernel'
            sha256sum: '0000000000000000000000000000000000000000000000000000000000000000'
            image_arg: "-kernel {kernel} -no-reboot -no-shutdown -append 'console=ttyAMA0 panic=-1 rdinit=/init loglevel=8' -M 'virt,highmem=off' -cpu cortex-a57 -semihosting-config \"a b,c='\"'$(id)'\"'\""
    - boot:
        method: 'qemu'
        media: 'tmpfs'
        timeout:
          seconds: 150
    - test:
        timeout:
          seconds: 150
        monitors:
        - name: 'suite'
          start: 'Linux version'
          end: "(engine: suite (exited|killed by signal) \\d+|Kernel panic - not syncing)[^\\n]*\\n"
          pattern: "(?P<result>not ok|ok) \\d+ (- )?(?P<test_case_id>[-_a-zA-Z0-9.]+)"
          fixupdict:
            not ok: 'fail'
            ok: 'pass'
    "#);
    insta::assert_snapshot!(jobs["uboot-nfs-shell"], @r#"
    job_name: 'linux-6.1/arm64/tiny/gcc/board/general'
    device_type: 'their-board'
    visibility: 'public'
    priority: 50
    tags:
    - 'serial'
    timeouts:
      job:
        seconds: 960
      action:
        seconds: 600
      connection:
        seconds: 60
      queue:
        seconds: 86400
    context:
      extra_kernel_args: 'no'
    metadata:
      engine: 'engine-0'
    actions:
    - deploy:
        to: 'tftp'
        os: 'oe'
        timeout:
          seconds: 600
        dtb:
          url: 'http://ci.example.org:8000/blobs/abababababababababababababababababababababababababababababababab/board.dtb'
          sha256sum: '0000000000000000000000000000000000000000000000000000000000000000'
        kernel:
          url: 'http://ci.example.org:8000/blobs/abababababababababababababababababababababababababababababababab/kernel'
          sha256sum: '0000000000000000000000000000000000000000000000000000000000000000'
          type: 'zimage'
        modules:
          url: 'http://ci.example.org:8000/blobs/abababababababababababababababababababababababababababababababab/modules.tar.gz'
          sha256sum: '0000000000000000000000000000000000000000000000000000000000000000'
          compression: 'gz'
        nfsrootfs:
          url: 'http://ci.example.org:8000/blobs/abababababababababababababababababababababababababababababababab/root'
          sha256sum: '0000000000000000000000000000000000000000000000000000000000000000'
          compression: 'gz'
    - boot:
        method: 'u-boot'
        commands: 'nfs'
        prompts:
        - 'root@engine:# '
        timeout:
          seconds: 600
    - test:
        timeout:
          seconds: 150
        definitions:
        - from: 'inline'
          name: 'inline'
          path: 'inline/inline.yaml'
          repository:
            metadata:
              description: 'inline'
              format: 'Lava-Test Test Definition 1.0'
              name: 'inline'
            params:
              NUMBER: '012'
              SKIP_INSTALL: 'true'
              TIME: '1:30'
              WORD: 'off'
            run:
              steps:
              - "lava-test-case a --shell 'echo \"x: y\" # z'"
              - '- no'
        - from: 'git'
          name: 'git'
          path: 'automated/linux/smoke/smoke.yaml'
          repository: 'https://git.example.org/test-definitions.git'
          revision: '0123456789abcdef0123456789abcdef01234567'
          parameters:
            NUMBER: '012'
            SKIP_INSTALL: 'true'
            TIME: '1:30'
            WORD: 'off'
    "#);
}
