//! The project of twelve arches: what it declares, that this machine's QEMU has its machines, and two
//! of its boards for real: m68k with Debian's static C library, alpha without any.

#[path = "world/real.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod real;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use engine::eval::evaluate;
use engine::kconfig::Version;
use engine::model::Catalog;
use engine::model::ToolchainKind;
use real::Real;

const ARCHES: [&str; 12] = [
    "alpha", "arm", "arm64", "hppa", "m68k", "mips", "ppc", "ppc64", "riscv", "sparc64", "x86",
    "x86_64",
];

fn catalog() -> Catalog {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions/arches");
    let evaluated = evaluate(&project);
    evaluated
        .unwrap_or_else(|errors| panic!("{}", errors[0].to_plain()))
        .catalog
}

#[test]
fn every_arch_has_a_small_and_a_true_configuration_and_a_board() {
    let catalog = catalog();
    for arch in ARCHES {
        let of_arch = |name: &str| {
            catalog
                .defconfigs
                .contains_key(&(arch.to_owned(), name.to_owned()))
        };
        assert!(of_arch("boot"), "{arch}");
        let names = catalog.defconfigs.values().filter(|d| d.arch == arch);
        assert!(
            names
                .into_iter()
                .any(|d| d.name.ends_with("defconfig") && !d.manual),
            "{arch}"
        );
    }
    let boards = catalog
        .boards
        .keys()
        .filter(|name| !name.ends_with("-disk"));
    let boards: Vec<&str> = boards.map(String::as_str).collect();
    insta::assert_snapshot!(boards.join("\n"), @"
    qemu-alpha-clipper
    qemu-arm-virt
    qemu-arm64-virt
    qemu-cubieboard
    qemu-hppa-b160l
    qemu-m68k-q800
    qemu-mips-malta
    qemu-mipsel-malta
    qemu-ppc-g3beige
    qemu-ppc64-pseries
    qemu-ppc64le-pseries
    qemu-riscv64-virt
    qemu-sparc64-sun4u
    qemu-x86-pc
    qemu-x86_64-pc
    ");
    for board in boards {
        assert!(
            catalog.boards.contains_key(&format!("{board}-disk")),
            "{board}"
        );
    }
}

#[test]
fn what_nothing_can_boot_is_declared_and_told() {
    let told: Vec<String> = catalog().not_bootable().collect();
    insta::assert_snapshot!(told.join("\n"), @"ia64 is not boot-testable: QEMU has no Itanium machine");
}

#[test]
fn a_cross_compiler_comes_from_its_image() {
    let catalog = catalog();
    let mut crosses = 0;
    for toolchain in catalog.toolchains.values() {
        let ToolchainKind::Cross { prefix } = &toolchain.kind else {
            continue;
        };
        crosses += 1;
        let package = format!("gcc-{}", prefix.trim_end_matches('-').replace('_', "-"));
        let packages = &catalog.images[&toolchain.image].packages;
        assert!(packages.contains(&package), "{package}: {packages:?}");
    }
    assert!(crosses >= 12);
}

#[test]
fn versions_choose_the_successor_of_a_defconfig() {
    let catalog = catalog();
    let mut chosen = String::new();
    for (arch, name) in [("mips", "malta_defconfig"), ("ppc64", "pseries_defconfig")] {
        let recipe = &catalog.defconfigs[&(arch.to_owned(), name.to_owned())].recipe;
        for version in ["5.10", "6.1", "6.12"] {
            let version: Version = version.parse().unwrap();
            let _ = writeln!(
                chosen,
                "{arch} {version}: {:?}",
                recipe.at(Some(&version)).unwrap()
            );
        }
    }
    insta::assert_snapshot!(chosen, @r#"
    mips 5.10: Defconfig { target: "malta_kvm_guest_defconfig" }
    mips 6.1: Defconfig { target: "malta_defconfig" }
    mips 6.12: Defconfig { target: "malta_defconfig" }
    ppc64 5.10: Defconfig { target: "pseries_defconfig" }
    ppc64 6.1: Defconfig { target: "pseries_defconfig" }
    ppc64 6.12: Defconfig { target: "ppc64_guest_defconfig" }
    "#);
}

/// Names of machines change between versions of QEMU.
#[test]
fn the_qemu_of_this_machine_has_every_machine() {
    let mut machines: BTreeMap<String, Vec<(String, Vec<String>)>> = BTreeMap::new();
    for board in catalog().boards.into_values() {
        if let Some(qemu) = board.qemu {
            machines
                .entry(qemu.binary)
                .or_default()
                .push((board.name, qemu.machine));
        }
    }
    assert!(machines.len() >= 12);
    for (binary, boards) in machines {
        let output = Command::new(&binary).args(["-M", "help"]).output();
        let output = output
            .unwrap_or_else(|error| panic!("{binary}: {error}: see the packages in README.md"));
        let help = String::from_utf8(output.stdout).unwrap();
        let offered: Vec<&str> = help
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        for (board, names) in boards {
            let has = |name: &String| offered.contains(&name.split(',').next().unwrap_or_default());
            assert!(
                names.iter().any(has),
                "{board}: {binary} has none of {names:?}"
            );
        }
    }
}

/// Builds and boots them, each by its cross compiler out of an image.
fn boot(builds: &[&str]) -> Real {
    let arches = Real::of("arches");
    let first = arches.realize(builds);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let table = arches.stdout(&[&["matrix"], builds].concat());
    let all = builds.len();
    assert!(
        table.ends_with(&format!("matrix: {all}/{all} booted\n")),
        "{table}"
    );
    arches
}

#[test]
fn a_foreign_arch_boots() {
    const M68K: &str = "linux-6.1/m68k/boot";
    let arches = boot(&[M68K]);
    let markdown = arches.stdout(&["matrix", "--markdown", M68K]);
    assert!(markdown.contains("m68k-linux-gnu-gcc"), "{markdown}");

    // The plan knows which builds boot each board, and says why another does not.
    let plan = arches.stdout(&["plan", "--resolve", M68K]);
    assert!(
        plan.contains("board qemu-m68k-q800: 1 build would boot it\n  linux-6.1/m68k/boot/"),
        "{plan}"
    );
    assert!(
        plan.contains("boards that none of these builds boots:") && plan.contains("qemu-arm-virt,"),
        "{plan}"
    );
    let build = "linux-6.1/m68k/boot/gcc-m68k-linux-gnu";
    let why = arches.stdout(&["boards", "--why", build, "qemu-alpha-clipper"]);
    for symbol in ["ALPHA_GENERIC", "SERIAL_8250_CONSOLE", "ALPHA"] {
        assert!(why.contains(&format!("`{symbol}` is not set")), "{why}");
    }
}

/// Its programs bring their own C library, as Debian's for it crashes.
#[test]
#[ignore = "some minutes: `make test-arches` runs it"]
fn an_arch_with_a_c_library_of_its_own_boots_beside_another() {
    boot(&["linux-6.1/m68k/boot", "linux-6.1/alpha/boot"]);
}
