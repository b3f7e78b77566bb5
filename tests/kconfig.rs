//! The engine's `.config`s are byte for byte those of a plain `make` in the same image.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "world/plain.rs"]
mod plain;
#[path = "world/real.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod real;

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::thread;

use plain::Plain;
use real::Real;

/// An arch of Debian and of the kernel, and the prefix of its compiler.
type Arch = (&'static str, &'static str, &'static str);

const X86_64: Arch = ("amd64", "x86_64", "");
const FOREIGN: [Arch; 2] = [
    ("arm64", "arm64", "aarch64-linux-gnu-"),
    ("m68k", "m68k", "m68k-linux-gnu-"),
];

const DEFINITIONS: &str = r#"
import "std/debian" as debian;
const BASE = base("bookworm", debian::kbuild("bookworm", "amd64"));
const PACKAGES = ["bc", "e2fsprogs", "libelf-dev", "libssl-dev"];
source("linux-6.1", debian::linux("6.1", "bookworm"));
fn declare(kernel_arch, packages, compiler, seeds) {
    let image = image("kbuild-" + kernel_arch, #{ base: global::BASE, packages: global::PACKAGES + packages });
    let gcc = toolchain("gcc-" + kernel_arch, compiler.extend(#{ image: image }));
    let arch = arch(kernel_arch, #{ kernel_arch: kernel_arch, kernel_image: "vmlinux", toolchains: [gcc] });
    defconfig(arch, "defconfig", #{});
    defconfig(arch, "tiny", #{ recipe: tiny() });
    for seed in seeds {
        let fixups = if seed % 2 == 0 { [] } else { [want(#{ MODULES: "y", NET: "y" })] };
        let fields = #{ seed: seed };
        if seed % 3 == 0 { fields.probability = "30:20:10"; }
        defconfig(arch, "random-" + seed, #{ recipe: randconfig(fields), fixups: fixups });
    }
}
"#;

/// The same as the definitions, by hand.
const PLAIN: &str = r#"
mk() { make -C /src O=/build ARCH=$ARCH CROSS_COMPILE=$PREFIX "$@"; }
mk defconfig
mk olddefconfig
mv .config defconfig
cat /src/kernel/configs/tiny-base.config /src/kernel/configs/tiny.config > all.config
[ ! -f /src/arch/$SRCARCH/configs/tiny.config ] || cat /src/arch/$SRCARCH/configs/tiny.config >> all.config
KCONFIG_ALLCONFIG=/build/all.config mk allnoconfig
mv .config tiny
printf 'CONFIG_MODULES=y\nCONFIG_NET=y\n' > all.config
seed=$FIRST
while [ $seed -lt $END ]; do
    (
        export KCONFIG_SEED=$seed
        [ $((seed % 2)) = 0 ] || export KCONFIG_ALLCONFIG=/build/all.config
        [ $((seed % 3)) != 0 ] || export KCONFIG_PROBABILITY=30:20:10
        mk randconfig
    )
    mv .config random-$seed
    seed=$((seed + 1))
done
"#;

/// Compares all of some arches and seeds; gives how many they were.
fn compare(arches: &[Arch], seeds: &Range<u32>) -> usize {
    let project = Real::demo();
    let mut definitions = DEFINITIONS.to_owned();
    for (debian, kernel, prefix) in arches {
        let compiler = match *prefix {
            "" => "[], #{ kind: \"gcc\" }".to_owned(),
            prefix => format!(
                "debian::cross(\"{debian}\").packages, #{{ kind: \"cross\", prefix: \"{prefix}\" }}"
            ),
        };
        let Range { start, end } = seeds;
        let _ = writeln!(
            definitions,
            "declare(\"{kernel}\", {compiler}, range({start}, {end}));"
        );
    }
    fs::write(project.path().join("main.rhai"), definitions).unwrap();
    project.update();
    let ran = project.realize(&["--until", "config", "--keep-going"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    thread::scope(|scope| {
        let arches = arches.iter();
        let compared: Vec<_> = arches
            .map(|arch| scope.spawn(|| compare_arch(&project, *arch, seeds)))
            .collect();
        compared.into_iter().map(|arch| arch.join().unwrap()).sum()
    })
}

fn compare_arch(project: &Real, (_, kernel, prefix): Arch, seeds: &Range<u32>) -> usize {
    let engine = PathBuf::from(env!("CARGO_BIN_EXE_engine"));
    let image = format!("kbuild-{kernel}");
    let plain = Plain::new(project.path(), &project.store, &image, engine);
    let srcarch = if kernel == "x86_64" { "x86" } else { kernel };
    let Range { start, end } = seeds;
    plain.run(&format!(
        "ARCH={kernel} SRCARCH={srcarch} PREFIX={prefix} FIRST={start} END={end}\n{PLAIN}"
    ));
    let names = ["defconfig", "tiny"].map(str::to_owned).into_iter();
    let names = names.chain(seeds.clone().map(|seed| format!("random-{seed}")));
    let mut compared = 0;
    for name in names {
        let ours = format!("results/linux-6.1/{kernel}/{name}/gcc-{kernel}/config");
        let ours = fs::read(project.path().join(ours)).unwrap();
        let theirs = fs::read(plain.build.path().join(&name)).unwrap();
        assert!(ours.len() > 10_000, "{kernel} {name}");
        assert!(ours == theirs, "{kernel} {name} differs");
        compared += 1;
    }
    compared
}

#[test]
fn configurations_are_those_of_plain_make() {
    assert_eq!(compare(&[X86_64], &(1..4)), 5);
}

#[test]
#[ignore = "three hundred times `make randconfig`: `make test-explore-all` runs it"]
fn configurations_of_three_arches_are_those_of_plain_make() {
    let [arm64, m68k] = FOREIGN;
    let compared = compare(&[X86_64, arm64, m68k], &(1000..1102));
    println!("{compared} .configs of three arches compared with plain make: all the same bytes");
    assert_eq!(compared, 3 * 104);
}
