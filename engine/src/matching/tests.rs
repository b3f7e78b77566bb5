//! Boards against extracts of real .config files (Linux 6.1.192, `make ARCH=… …_defconfig`).

use std::fmt::Write as _;

use super::*;
use crate::kconfig::Config;
use crate::kconfig::Predicate;
use crate::kconfig::Value;

const CONFIGS: [(&str, &str); 4] = [
    (
        "x86-tiny",
        include_str!("../../../tests/matching/x86-tiny.config"),
    ),
    (
        "x86-64",
        include_str!("../../../tests/matching/x86-64.config"),
    ),
    (
        "arm-multi-v7",
        include_str!("../../../tests/matching/arm-multi-v7.config"),
    ),
    (
        "arm-sunxi",
        include_str!("../../../tests/matching/arm-sunxi.config"),
    ),
];

fn cfg(symbol: &str) -> Predicate {
    Predicate::built_in(symbol)
}

fn boards() -> Vec<(&'static str, Predicate)> {
    let is = |symbol: &str, value: Value| Predicate::Is(symbol.to_owned(), value);
    let enabled = |symbol: &str| Predicate::Enabled(symbol.to_owned());
    vec![
        (
            "qemu-cubieboard",
            cfg("ARCH_SUNXI") & cfg("SERIAL_8250_DW") & (cfg("BLK_DEV_SD") | cfg("MMC_SUNXI")),
        ),
        (
            "qemu-arm-virt",
            cfg("ARCH_VIRT") & cfg("SERIAL_AMBA_PL011") & cfg("VIRTIO_BLK"),
        ),
        (
            "qemu-pc",
            cfg("X86_64") & cfg("PCI") & cfg("ATA_PIIX") & cfg("SERIAL_8250_CONSOLE"),
        ),
        ("one-cpu-box", !cfg("SMP") | is("NR_CPUS", Value::from(8))),
        ("big-endian-arm", cfg("ARM") & !cfg("CPU_LITTLE_ENDIAN")),
        (
            "sound-box",
            enabled("SND") & is("DEFAULT_HOSTNAME", Value::Text("(none)".into())),
        ),
        ("module-box", Predicate::Module("USB_GADGET".into())),
        ("any-board", Predicate::All(vec![])),
    ]
}

#[test]
fn the_truth_table_of_boards_and_configs() {
    let boards = boards();
    let pairs = || {
        boards.iter().map(|(board, requires)| Needs {
            board,
            requires,
            abi: None,
        })
    };
    let mut table = String::new();
    for (name, text) in CONFIGS {
        let config = Config::parse(text).unwrap();
        let _ = writeln!(table, "{name}");
        let verdicts = match_boards(&config, pairs());
        for verdict in &verdicts {
            let mark = if verdict.matched { "yes" } else { "no " };
            let reasons: Vec<String> = verdict.reasons.iter().map(ToString::to_string).collect();
            let line = format!("  {mark} {:16} {}", verdict.board, reasons.join("; "));
            table += line.trim_end();
            table += "\n";
        }
        let matched: Vec<&str> = verdicts
            .iter()
            .filter(|verdict| verdict.matched)
            .map(|v| v.board.as_str())
            .collect();
        assert_eq!(matches_only(&config, pairs()).collect::<Vec<_>>(), matched);
    }
    insta::assert_snapshot!(table, @"
    x86-tiny
      no  qemu-cubieboard  `ARCH_SUNXI` is not set, wanted `y`; `SERIAL_8250_DW` is not set, wanted `y`; none of: `BLK_DEV_SD` is not set, wanted `y`; `MMC_SUNXI` is not set, wanted `y`
      no  qemu-arm-virt    `ARCH_VIRT` is not set, wanted `y`; `SERIAL_AMBA_PL011` is not set, wanted `y`; `VIRTIO_BLK` is not set, wanted `y`
      no  qemu-pc          `X86_64` is not set, wanted `y`; `PCI` is not set, wanted `y`; `ATA_PIIX` is not set, wanted `y`; `SERIAL_8250_CONSOLE` is not set, wanted `y`
      yes one-cpu-box
      no  big-endian-arm   `ARM` is not set, wanted `y`
      no  sound-box        `SND` is not set, wanted `y` or `m`
      no  module-box       `USB_GADGET` is not set, wanted `m`
      yes any-board
    x86-64
      no  qemu-cubieboard  `ARCH_SUNXI` is not set, wanted `y`; `SERIAL_8250_DW` is not set, wanted `y`
      no  qemu-arm-virt    `ARCH_VIRT` is not set, wanted `y`; `SERIAL_AMBA_PL011` is not set, wanted `y`
      yes qemu-pc
      no  one-cpu-box      none of: `SMP` is `y`, must not be; `NR_CPUS` is `64`, wanted `8`
      no  big-endian-arm   `ARM` is not set, wanted `y`
      yes sound-box
      no  module-box       `USB_GADGET` is not set, wanted `m`
      yes any-board
    arm-multi-v7
      yes qemu-cubieboard
      yes qemu-arm-virt
      no  qemu-pc          `X86_64` is not set, wanted `y`; `ATA_PIIX` is not set, wanted `y`
      no  one-cpu-box      none of: `SMP` is `y`, must not be; `NR_CPUS` is `16`, wanted `8`
      no  big-endian-arm   `CPU_LITTLE_ENDIAN` is `y`, must not be
      yes sound-box
      no  module-box       `USB_GADGET` is `y`, wanted `m`
      yes any-board
    arm-sunxi
      yes qemu-cubieboard
      no  qemu-arm-virt    `ARCH_VIRT` is not set, wanted `y`; `SERIAL_AMBA_PL011` is not set, wanted `y`; `VIRTIO_BLK` is not set, wanted `y`
      no  qemu-pc          `X86_64` is not set, wanted `y`; `PCI` is not set, wanted `y`; `ATA_PIIX` is not set, wanted `y`
      yes one-cpu-box
      no  big-endian-arm   `CPU_LITTLE_ENDIAN` is `y`, must not be
      yes sound-box
      no  module-box       `USB_GADGET` is `y`, wanted `m`
      yes any-board
    ");
}
