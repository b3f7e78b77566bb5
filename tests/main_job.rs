//! The main job on real input: Debian's kernel source, its gcc and clang, QEMU.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "world/real.rs"]
mod real;

use std::fs;
use std::process::Command;

use real::Real;
use serde_json::Value;

const GCC: &str = "linux-6.1/x86_64/tinyconfig/gcc";
const SAME: &str = "linux-6.1/x86_64/tinyconfig-spelled-out/gcc";

fn verdict<'a>(nodes: &'a [Value], kind: &str, name: &str) -> &'a str {
    let node = nodes
        .iter()
        .find(|node| node["kind"] == kind && node["name"] == name);
    node.unwrap_or_else(|| panic!("no {kind} {name}"))["verdict"]
        .as_str()
        .unwrap()
}

#[test]
fn from_definitions_to_a_booted_kernel() {
    let demo = Real::demo();
    let first = demo.realize(&["--keep-going"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    for toolchain in ["gcc", "clang"] {
        let boot = format!("linux-6.1/x86_64/tinyconfig/{toolchain}/qemu-pc/general");
        assert_eq!(verdict(&first.nodes, "boot", &boot), "succeeded");
    }

    // Two definitions that resolve to the same .config share kernel and boot.
    let key = |kind: &str, name: &str| {
        let node = first
            .nodes
            .iter()
            .find(|n| n["kind"] == kind && n["name"] == name);
        node.unwrap()["key"].as_str().unwrap().to_owned()
    };
    assert_ne!(key("config", GCC), key("config", SAME));
    assert_eq!(key("kernel", GCC), key("kernel", SAME));

    // Again: nothing.
    let again = demo.realize(&["--keep-going"]);
    assert_eq!((again.code, again.ran), (0, vec![]));
    assert_eq!(again.nodes.len(), first.nodes.len());
    assert!(again.nodes.iter().all(|node| node["cached"] == true));

    results_are_found_by_address(&demo);
    a_boot_is_repeated_by_hand(&demo);
    edits_run_only_what_follows(&demo);
    boards_say_what_they_lack(&demo);
    a_panic_is_a_failed_boot();
}

fn results_are_found_by_address(demo: &Real) {
    let dir = demo.path().join("results").join(GCC);
    for name in [
        "image",
        "vmlinux",
        "config",
        "System.map",
        "modules.tar",
        "build.log",
        "metadata.json",
    ] {
        assert!(fs::metadata(dir.join(name)).unwrap().len() > 0, "{name}");
    }
    let metadata: Value =
        serde_json::from_slice(&fs::read(dir.join("metadata.json")).unwrap()).unwrap();
    assert!(
        metadata["kernel_release"]
            .as_str()
            .unwrap()
            .starts_with("6.1.")
    );
    assert!(metadata["compiler"].as_str().unwrap().contains("gcc"));
    let boot = dir.join("boots/qemu-pc/general");
    let console =
        String::from_utf8_lossy(&fs::read(boot.join("console.log")).unwrap()).into_owned();
    assert!(console.contains("Linux version 6.1.") && console.contains("engine: init reached"));
    let results: Value =
        serde_json::from_slice(&fs::read(boot.join("results.json")).unwrap()).unwrap();
    assert_eq!(results["verdict"], "succeeded");
    assert!(results["tests"].as_array().unwrap().len() >= 10);
    let lines = demo.stdout(&["results", "--json"]);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .all(|line| line["verdict"] == "succeeded" && line["cached"] == true)
    );
    assert!(
        lines
            .iter()
            .any(|line| line["kind"] == "boot" && line["key"].as_str().unwrap().len() == 64)
    );
}

/// What a boot leaves is enough for QEMU to do the same without the engine.
fn a_boot_is_repeated_by_hand(demo: &Real) {
    let boot = demo
        .path()
        .join("results")
        .join(GCC)
        .join("boots/qemu-pc/general");
    let mut command = Command::new("timeout");
    command.args(["120", "sh"]).arg(boot.join("boot.sh"));
    let output = command.current_dir("/").output().unwrap();
    let console = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && console.contains("engine: suite exited 0"),
        "{console}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn edits_run_only_what_follows(demo: &Real) {
    // A comment changes nothing.
    demo.edit("main.rhai", "import", "// A comment.\nimport");
    assert_eq!(demo.realize(&[]).ran, Vec::<String>::new());
    // A board's requirement: matched again, nothing built.
    let matched = key(demo, "match", GCC);
    demo.edit(
        "boards.rhai",
        "rootfs: DISK,",
        "rootfs: DISK, requires: qemu::on_disk(qemu::pc()).requires & cfg(\"NET\"),",
    );
    let ran = demo.realize(&[]).ran;
    assert!(ran.iter().all(|node| node.starts_with("match:")), "{ran:?}");
    assert_ne!(key(demo, "match", GCC), matched);
    // The image's recipe, but not its bytes: libelf-dev brings libelf1 anyhow.
    let (image, kernel) = (key(demo, "image", "kbuild"), key(demo, "kernel", GCC));
    demo.edit(
        "toolchains.rhai",
        "packages: [\"bc\",",
        "packages: [\"bc\", \"libelf1\",",
    );
    demo.update();
    let ran = demo.realize(&[GCC]).ran;
    assert_ne!(key(demo, "image", "kbuild"), image);
    assert_eq!(key(demo, "kernel", GCC), kernel);
    assert!(
        !ran.iter()
            .any(|node| node.starts_with("kernel:") || node.starts_with("config:")),
        "{ran:?}"
    );
    // A fixup: its config and what follows; `why` names it.
    let config = key(demo, "config", GCC);
    demo.edit("configs.rhai", "\"BUG\",", "\"BUG\", \"HIGH_RES_TIMERS\",");
    let why = demo.stdout(&["why", &format!("config:{GCC}")]);
    assert!(why.contains("HIGH_RES_TIMERS"), "{why}");
    let ran = demo
        .realize(&["--until", "match", &format!("match:{GCC}")])
        .ran;
    let follows = [format!("config:{GCC}"), format!("match:{GCC}")];
    assert!(ran.iter().all(|node| follows.contains(node)), "{ran:?}");
    assert_ne!(key(demo, "config", GCC), config);
    let plan = demo.stdout(&["plan", GCC]);
    assert!(plan.contains("kernel"), "{plan}");
}

/// The key of a node as the definitions are now. What ran tells less, as the store may hold its
/// result from an earlier run of the tests.
fn key(demo: &Real, kind: &str, name: &str) -> String {
    let lines = demo.stdout(&["results", "--json", &format!("{kind}:{name}")]);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let line = lines
        .into_iter()
        .find(|line: &Value| line["kind"] == kind && line["address"] == name);
    line.unwrap_or_else(|| panic!("no {kind} {name}"))["key"].to_string()
}

fn boards_say_what_they_lack(demo: &Real) {
    let why = demo.stdout(&["boards", "--why", GCC, "qemu-pc-disk"]);
    for symbol in ["ATA_PIIX", "BLK_DEV_SD", "EXT4_FS"] {
        assert!(why.contains(symbol), "{why}");
    }
}

fn a_panic_is_a_failed_boot() {
    let demo_again = Real::demo();
    let panic = format!("{GCC}/qemu-pc/panic");
    let run = demo_again.realize(&[&panic]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(verdict(&run.nodes, "boot", &panic), "failed");
    let node = run
        .nodes
        .iter()
        .find(|node| node["name"] == panic.as_str())
        .unwrap();
    assert_eq!(node["reason"], "kernel panic: sysrq triggered crash");
    assert!(
        demo_again
            .stdout(&["log", &panic])
            .contains("Kernel panic - not syncing: sysrq triggered crash")
    );
}

/// Kconfig's own files say why a value did not stick, what must be set first, and which names there are.
#[test]
fn messages_of_everyday_name_the_cause() {
    const MORE: &str = r#"
const PIIX = board("piix", #{ requires: cfg("ATA_PIIX") & cfg("PRINTK_TIME"), rootfs: boards::INITRAMFS, suites: [], qemu: #{ binary: "qemu-system-x86_64" } });
defconfig(X86_64, "followed", #{ recipe: tiny(), toolchains: [toolchains::gcc], fixups: [satisfy(PIIX)] });
defconfig(X86_64, "lost", #{ recipe: tiny(), toolchains: [toolchains::gcc], fixups: [
    want(#{ ATA_PIIX: "y", HZ_1000: "y", PCI_MYSTERY: "y", KALLSYMZ: "y", HAVE_PCI: "n", PREEMPT_COUNT: "y" }),
] });
defconfig(X86_64, "typo", #{ recipe: target("x86_64_defcnfig"), toolchains: [toolchains::gcc] });
defconfig(X86_64, "other", #{ recipe: target("sunxi_defconfig"), toolchains: [toolchains::gcc] });
"#;
    let demo = Real::demo();
    demo.edit("boards.rhai", "const INITRAMFS", "export const INITRAMFS");
    let main = demo.path().join("main.rhai");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, text + MORE).unwrap();
    let config = |name: &str| {
        let address = format!("config:linux-6.1/x86_64/{name}/gcc");
        let run = demo.realize(&["--retry-failed", "--until", "config", &address]);
        (
            run,
            demo.path()
                .join("results")
                .join(&address["config:".len()..]),
        )
    };

    let (run, results) = config("lost");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let reports: Value =
        serde_json::from_slice(&fs::read(results.join("fixups.json")).unwrap()).unwrap();
    let lines: Vec<&str> = reports
        .as_array()
        .unwrap()
        .iter()
        .map(|report| report["outcome"].as_str().unwrap())
        .collect();
    insta::with_settings!({filters => vec![(r"Kconfig([.\w]*):\d+", "Kconfig$1:[LINE]")]}, {
        insta::assert_snapshot!(lines.join("\n"), @r"
        `ATA_PIIX`: asked `y`, got nothing: depends on `ATA`, `ATA_SFF`, `ATA_BMDMA` and `PCI`, which are not set (drivers/ata/Kconfig:[LINE])
        `HAVE_PCI`: asked `n`, got `y`: selected by `X86`
        `HZ_1000`: asked `y`, got `y`
        `KALLSYMZ`: asked `y`, got nothing: no Kconfig file of this arch has it; did you mean `KALLSYMS`?
        `PCI_MYSTERY`: asked `y`, got nothing: no Kconfig file of this arch has it
        `PREEMPT_COUNT`: asked `y`, got nothing: it cannot be set, only selected by `PREEMPTION`, `DRM_I915_DEBUG`, `PROVE_LOCKING`, `DEBUG_ATOMIC_SLEEP`, 1 more (kernel/Kconfig.preempt:[LINE])
        ");
    });

    let (run, results) = config("followed");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = fs::read_to_string(results.join("config")).unwrap();
    for symbol in ["ATA_PIIX", "ATA", "PCI", "BLOCK", "PRINTK_TIME"] {
        assert!(text.contains(&format!("CONFIG_{symbol}=y\n")), "{symbol}");
    }
    let reports = fs::read_to_string(results.join("fixups.json")).unwrap();
    assert!(reports.contains("as `ATA_PIIX` depends on it"), "{reports}");

    let failed = |name: &str| {
        let (run, _) = config(name);
        assert_eq!(run.code, 1, "{}", run.stderr);
        let node = run.nodes.iter().find(|node| node["verdict"] == "failed");
        node.unwrap()["reason"].as_str().unwrap().to_owned()
    };
    insta::assert_snapshot!(failed("typo"), @"this source has no `x86_64_defcnfig` for the arch; did you mean `x86_64_defconfig`?");
    insta::assert_snapshot!(failed("other"), @"this source has no `sunxi_defconfig` for the arch; did you mean `i386_defconfig`?");

    // A package that there is not is the definition's fault, at its place.
    demo.edit("toolchains.rhai", "\"libelf-dev\"", "\"libelf-dve\"");
    let output = demo.engine(&["update", "image/kbuild"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.split_once("error:").unwrap().1;
    insta::assert_snapshot!(said, @r#"
     `image/kbuild`: there is no package `libelf-dve` in Debian bookworm
      --> toolchains.rhai:10:35
       |
    10 |     packages: ["bc", "e2fsprogs", "libelf-dve", "libssl-dev"],
       |                                   ^^^^^^^^^^^^
       = help: did you mean `libelf-dev`?
    "#);
}

/// QEMU out of an image, and the host's processor where a probe says that it works: on a machine without a usable KVM the probe ends by
/// itself, and the boot says why it was done otherwise.
#[test]
fn qemu_is_pinned_by_an_image_and_kvm_follows_a_probe() {
    const BOARDS: &str = r#"
const QEMU_IMAGE = image("qemu", #{ base: toolchains::BOOKWORM, packages: ["qemu-system-x86"] });
fn pc(more) {
    #{ requires: qemu::on_initramfs(qemu::pc()).requires, qemu: qemu::pc().qemu.extend(more), rootfs: global::INITRAMFS, suites: [global::GENERAL] }
}
board("pinned", pc(#{ image: QEMU_IMAGE }));
board("fast", pc(#{ accel: "kvm" }));
"#;
    let demo = Real::demo();
    demo.edit("toolchains.rhai", "const BOOKWORM", "export const BOOKWORM");
    let boards = demo.path().join("boards.rhai");
    let text = fs::read_to_string(&boards).unwrap();
    fs::write(&boards, text + BOARDS).unwrap();
    demo.update();
    let told = |board: &str| -> Value {
        let boot = format!("{GCC}/{board}/general");
        let run = demo.realize(&[&boot]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let results = format!("results/{GCC}/boots/{board}/general/results.json");
        serde_json::from_slice(&fs::read(demo.path().join(results)).unwrap()).unwrap()
    };
    let pinned = told("pinned");
    let version = pinned["qemu"].as_str().unwrap();
    assert!(
        version.starts_with("QEMU emulator version 7.2"),
        "{version}"
    );
    assert_eq!(pinned["accel"], "tcg");
    let fast = told("fast");
    let why = fast["accel_reason"].as_str().unwrap();
    assert_eq!(fast["accel"] == "kvm", why.is_empty(), "{fast}");
    let show = demo.stdout(&["show", "--json", &format!("probe:{GCC}/fast")]);
    let show: Value = serde_json::from_str(&show).unwrap();
    assert_eq!(show["spec"]["limit_secs"], 20, "{show}");
}

#[test]
fn the_demo_kernel_is_bit_identical_when_built_again() {
    let demo = Real::demo();
    let kernel = format!("kernel:{GCC}");
    assert_eq!(demo.realize(&[&kernel]).code, 0);
    let again = demo.realize(&["--rebuild", &kernel]);
    assert_eq!(
        (again.code, again.ran),
        (0, vec![kernel.clone()]),
        "{}",
        again.stderr
    );
}
