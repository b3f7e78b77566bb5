//! The boards of twelve arches against extracts of real .config files of these arches: `boot` is the
//! kernel's `tinyconfig` with the fixups of `satisfy(board)`, `defconfig` the arch's usual one, both of
//! Linux 6.1.192; of 6.12.117 there is the `pseries_defconfig`, which became little-endian.

use std::fmt::Write as _;

use super::*;
use crate::kconfig;
use crate::kconfig::Config;
use crate::kconfig::Predicate;
use crate::model::Abi;

macro_rules! configs {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../tests/matching/", $name, ".config")))),*]
    };
}

const CONFIGS: [(&str, &str); 25] = configs![
    "x86_64-boot",
    "x86_64-defconfig",
    "x86-boot",
    "x86-defconfig",
    "arm-boot",
    "arm-defconfig",
    "arm64-boot",
    "arm64-defconfig",
    "alpha-boot",
    "alpha-defconfig",
    "hppa-boot",
    "hppa-defconfig",
    "m68k-boot",
    "m68k-defconfig",
    "mips-boot",
    "mips-defconfig",
    "ppc-boot",
    "ppc-defconfig",
    "ppc64-boot",
    "ppc64-defconfig",
    "riscv-boot",
    "riscv-defconfig",
    "sparc64-boot",
    "sparc64-defconfig",
    "ppc64-6.12-defconfig",
];

/// A board's name, the ABI of its root filesystem, and the symbols it requires beside `BLK_DEV_INITRD`
/// and `TTY`.
type Row = (&'static str, Abi, &'static [&'static str]);

#[rustfmt::skip]
const BOARDS: [Row; 12] = [
    ("pc", Abi::X86_64, &["64BIT", "PCI", "ACPI", "SERIAL_8250", "SERIAL_8250_CONSOLE"]),
    ("pc-32", Abi::I386, &["X86_32", "PCI", "ACPI", "SERIAL_8250", "SERIAL_8250_CONSOLE"]),
    ("arm-virt", Abi::Armhf, &["MMU", "ARCH_MULTIPLATFORM", "ARCH_MULTI_V7", "ARM_PATCH_PHYS_VIRT", "ARCH_VIRT", "SERIAL_AMBA_PL011", "SERIAL_AMBA_PL011_CONSOLE"]),
    ("arm64-virt", Abi::Aarch64, &["SERIAL_AMBA_PL011", "SERIAL_AMBA_PL011_CONSOLE"]),
    ("clipper", Abi::Alpha, &["ALPHA_GENERIC", "PCI", "SERIAL_8250", "SERIAL_8250_CONSOLE"]),
    ("hppa", Abi::Hppa, &["PA7100LC", "GSC", "GSC_LASI", "PCI", "SERIAL_8250", "SERIAL_8250_CONSOLE"]),
    ("q800", Abi::M68k, &["MMU", "M68KCLASSIC", "M68040", "MAC", "SERIAL_PMACZILOG", "SERIAL_PMACZILOG_TTYS", "SERIAL_PMACZILOG_CONSOLE"]),
    ("malta", Abi::Mips, &["MIPS_MALTA", "CPU_BIG_ENDIAN", "CPU_MIPS32_R2", "PCI", "SERIAL_8250", "SERIAL_8250_CONSOLE"]),
    ("g3beige", Abi::Powerpc, &["PPC_PMAC", "PPC_OF_BOOT_TRAMPOLINE", "PCI", "ADB", "ADB_CUDA", "MACINTOSH_DRIVERS", "SERIAL_PMACZILOG", "SERIAL_PMACZILOG_TTYS", "SERIAL_PMACZILOG_CONSOLE"]),
    ("pseries", Abi::Powerpc64, &["PPC64", "PPC_BOOK3S_64", "PPC_PSERIES", "PPC_OF_BOOT_TRAMPOLINE", "CPU_BIG_ENDIAN", "HVC_CONSOLE", "PCI"]),
    ("riscv-virt", Abi::Riscv64, &["MMU", "64BIT", "ARCH_RV64I", "SOC_VIRT", "SERIAL_OF_PLATFORM", "SERIAL_8250", "SERIAL_8250_CONSOLE"]),
    ("sun4u", Abi::Sparc64, &["64BIT", "PCI", "SERIAL_SUNCORE", "SERIAL_SUNSU", "SERIAL_SUNSU_CONSOLE"]),
];

fn requires(symbols: &[&str]) -> Predicate {
    let all = ["BLK_DEV_INITRD", "TTY"].iter().chain(symbols);
    Predicate::All(all.map(|symbol| Predicate::built_in(*symbol)).collect())
}

/// A verdict is a near miss if so few causes stand against it.
const NEAR: usize = 2;

#[test]
#[expect(clippy::too_many_lines, reason = "most of them are the table")]
fn the_truth_table_of_twelve_arches() {
    let requires = BOARDS.map(|(_, _, symbols)| requires(symbols));
    let needs = || {
        BOARDS
            .iter()
            .zip(&requires)
            .map(|((board, abi, _), requires)| Needs {
                board,
                requires,
                abi: Some(*abi),
            })
    };
    let mut table = format!("{:22}", "");
    for (board, ..) in BOARDS {
        let _ = write!(table, "{board:11}");
    }
    let mut misses = String::new();
    for (name, text) in CONFIGS {
        let config = Config::parse(text).unwrap();
        let verdicts = match_boards(&config, needs());
        let _ = write!(table, "\n{name:22}");
        for verdict in &verdicts {
            let _ = write!(table, "{:11}", if verdict.matched { "yes" } else { "." });
            let causes = verdict.reasons.len() + verdict.rootfs.len();
            if (1..=NEAR).contains(&causes) {
                let _ = writeln!(misses, "{name} on {}", verdict.board);
                for reason in &verdict.reasons {
                    let _ = writeln!(misses, "    {reason}");
                }
                for reason in &verdict.rootfs {
                    let _ = writeln!(misses, "    rootfs: {reason}");
                }
            }
        }
    }
    let table: Vec<&str> = table.lines().map(str::trim_end).collect();
    let table = table.join(
        "
",
    );
    insta::assert_snapshot!(format!("{table}\n\n{misses}"), @"
                          pc         pc-32      arm-virt   arm64-virt clipper    hppa       q800       malta      g3beige    pseries    riscv-virt sun4u
    x86_64-boot           yes        .          .          .          .          .          .          .          .          .          .          .
    x86_64-defconfig      yes        .          .          .          .          .          .          .          .          .          .          .
    x86-boot              .          yes        .          .          .          .          .          .          .          .          .          .
    x86-defconfig         .          yes        .          .          .          .          .          .          .          .          .          .
    arm-boot              .          .          yes        .          .          .          .          .          .          .          .          .
    arm-defconfig         .          .          yes        .          .          .          .          .          .          .          .          .
    arm64-boot            .          .          .          yes        .          .          .          .          .          .          .          .
    arm64-defconfig       .          .          .          yes        .          .          .          .          .          .          .          .
    alpha-boot            .          .          .          .          yes        .          .          .          .          .          .          .
    alpha-defconfig       .          .          .          .          yes        .          .          .          .          .          .          .
    hppa-boot             .          .          .          .          .          yes        .          .          .          .          .          .
    hppa-defconfig        .          .          .          .          .          yes        .          .          .          .          .          .
    m68k-boot             .          .          .          .          .          .          yes        .          .          .          .          .
    m68k-defconfig        .          .          .          .          .          .          yes        .          .          .          .          .
    mips-boot             .          .          .          .          .          .          .          yes        .          .          .          .
    mips-defconfig        .          .          .          .          .          .          .          .          .          .          .          .
    ppc-boot              .          .          .          .          .          .          .          .          yes        .          .          .
    ppc-defconfig         .          .          .          .          .          .          .          .          yes        .          .          .
    ppc64-boot            .          .          .          .          .          .          .          .          .          yes        .          .
    ppc64-defconfig       .          .          .          .          .          .          .          .          .          yes        .          .
    riscv-boot            .          .          .          .          .          .          .          .          .          .          yes        .
    riscv-defconfig       .          .          .          .          .          .          .          .          .          .          yes        .
    sparc64-boot          .          .          .          .          .          .          .          .          .          .          .          yes
    sparc64-defconfig     .          .          .          .          .          .          .          .          .          .          .          yes
    ppc64-6.12-defconfig  .          .          .          .          .          .          .          .          .          .          .          .

    x86_64-boot on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    x86_64-defconfig on pc-32
        `X86_32` is not set, wanted `y`
    x86_64-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    x86-boot on pc
        `64BIT` is not set, wanted `y`
        rootfs: `X86_64` is not set, wanted `y`
    x86-boot on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    x86-defconfig on pc
        `64BIT` is not set, wanted `y`
        rootfs: `X86_64` is not set, wanted `y`
    x86-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    arm-boot on arm64-virt
        rootfs: `ARM64` is not set, wanted `y`
    arm-defconfig on arm64-virt
        rootfs: `ARM64` is not set, wanted `y`
    arm-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    arm64-defconfig on pc
        rootfs: `X86_64` is not set, wanted `y`
    arm64-defconfig on pc-32
        `X86_32` is not set, wanted `y`
        rootfs: none of: `X86_32` is not set, wanted `y`; `IA32_EMULATION` is not set, wanted `y`
    arm64-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    alpha-boot on pc
        `ACPI` is not set, wanted `y`
        rootfs: `X86_64` is not set, wanted `y`
    alpha-defconfig on pc
        `ACPI` is not set, wanted `y`
        rootfs: `X86_64` is not set, wanted `y`
    hppa-boot on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    hppa-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    mips-boot on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    mips-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    mips-defconfig on malta
        `CPU_BIG_ENDIAN` is not set, wanted `y`
        rootfs: `CPU_BIG_ENDIAN` is not set, wanted `y`
    ppc64-defconfig on pc
        `ACPI` is not set, wanted `y`
        rootfs: `X86_64` is not set, wanted `y`
    ppc64-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    riscv-defconfig on pc
        `ACPI` is not set, wanted `y`
        rootfs: `X86_64` is not set, wanted `y`
    riscv-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    ppc64-6.12-defconfig on pc
        `ACPI` is not set, wanted `y`
        rootfs: `X86_64` is not set, wanted `y`
    ppc64-6.12-defconfig on clipper
        `ALPHA_GENERIC` is not set, wanted `y`
        rootfs: `ALPHA` is not set, wanted `y`
    ppc64-6.12-defconfig on pseries
        `CPU_BIG_ENDIAN` is not set, wanted `y`
        rootfs: `CPU_BIG_ENDIAN` is not set, wanted `y`
    ");
}

#[test]
fn satisfying_a_board_makes_it_match() {
    for (board, abi, symbols) in BOARDS {
        let all = requires(symbols) & abi.requires();
        let parts = kconfig::satisfy(&all).unwrap();
        let symbols = parts.iter().flat_map(|part| &part.symbols);
        let lines = kconfig::fragment(symbols.map(|(symbol, value)| (symbol.as_str(), value)));
        assert_eq!(
            all.explain(&Config::parse(&lines).unwrap()),
            Ok(()),
            "{board}"
        );
    }
}

#[test]
fn programs_of_an_abi_start_only_where_the_kernel_can_run_them() {
    let mut table = String::new();
    for (name, text) in CONFIGS {
        let config = Config::parse(text).unwrap();
        let runs = |abi: &&str| Abi::of_name(abi).is_some_and(|abi| abi.requires().holds(&config));
        let runs: Vec<&str> = Abi::names().filter(runs).collect();
        let _ = writeln!(table, "{name:22}{}", runs.join(" "));
    }
    insta::assert_snapshot!(table, @"
    x86_64-boot           x86_64
    x86_64-defconfig      x86_64 i386
    x86-boot              i386
    x86-defconfig         i386
    arm-boot              armel armhf
    arm-defconfig         armel armhf
    arm64-boot            aarch64
    arm64-defconfig       armel armhf aarch64
    alpha-boot            alpha
    alpha-defconfig       alpha
    hppa-boot             hppa
    hppa-defconfig        hppa
    m68k-boot             m68k
    m68k-defconfig        m68k
    mips-boot             mips
    mips-defconfig        mipsel
    ppc-boot              powerpc
    ppc-defconfig         powerpc
    ppc64-boot            powerpc64
    ppc64-defconfig       powerpc powerpc64
    riscv-boot            riscv64
    riscv-defconfig       riscv64
    sparc64-boot          sparc64
    sparc64-defconfig     sparc64
    ppc64-6.12-defconfig  powerpc64le
    ");
}
