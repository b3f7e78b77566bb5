//! `definitions/gentoo`: it evaluates without a network, shares what it should, and its chain is planned.

use std::collections::BTreeSet;
use std::fs;

use engine::eval::evaluate;
use engine::model::BaseOrigin;
use engine::model::Catalog;

use super::*;

fn catalog(project: &str) -> Catalog {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions");
    let evaluated = evaluate(&root.join(project));
    let evaluated = evaluated.unwrap_or_else(|errors| panic!("{}", errors[0].to_plain()));
    evaluated.catalog
}

#[test]
fn every_arch_is_built_by_a_stage3_of_its_own() {
    let catalog = catalog("gentoo");
    assert_eq!(catalog.arches.len(), 12);
    let mut stage3s = BTreeSet::new();
    for build in catalog.builds() {
        let base = catalog
            .build(&build.to_string())
            .unwrap()
            .toolchain
            .base(&catalog);
        let BaseOrigin::Gentoo(stage3) = &base.unwrap().origin else {
            panic!("{build} is not built in a stage3");
        };
        stage3s.insert(format!("{} {}", build.arch, stage3.name));
    }
    let stage3s: Vec<String> = stage3s.into_iter().collect();
    insta::assert_snapshot!(stage3s.join("\n"), @r"
    alpha alpha-openrc
    arm armv7a_hardfp-openrc
    arm64 arm64-llvm-openrc
    arm64 arm64-openrc
    hppa hppa2.0-openrc
    m68k m68k-openrc
    mips mips2-openrc
    ppc ppc-openrc
    ppc64 ppc64-openrc
    riscv rv64_lp64d-openrc
    sparc64 sparc64-openrc
    x86 i686-openrc
    x86_64 amd64-llvm-openrc
    x86_64 amd64-openrc
    ");
}

/// Boards and true configurations are said once, in `std/matrix`, for this project and that of Debian's compilers.
#[test]
fn configurations_and_boards_are_those_of_the_arches_project() {
    let (ours, theirs) = (catalog("gentoo"), catalog("arches"));
    for ((arch, name), defconfig) in &ours.defconfigs {
        let other = &theirs.defconfigs[&(arch.clone(), name.clone())];
        assert_eq!(defconfig.fixups, other.fixups, "{arch}/{name}");
        assert_eq!(defconfig.recipe, other.recipe, "{arch}/{name}");
    }
    for (name, board) in &ours.boards {
        let other = &theirs.boards[name];
        assert_eq!(
            (&board.qemu, &board.requires),
            (&other.qemu, &other.requires),
            "{name}"
        );
    }
}

#[test]
fn the_chain_from_stage3_to_boots_is_planned() {
    let world = World::new();
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions/gentoo");
    for name in list(&project) {
        if name != "engine.lock" && name != "results" {
            world.write(&name, &fs::read_to_string(project.join(&name)).unwrap());
        }
    }
    let checked = run(&world, "check");
    assert_eq!(checked.code, Some(0), "{checked}");
    world.pin();
    let planned = run(&world, "plan linux-6.12/x86_64/x86_64_defconfig");
    assert_eq!(planned.code, Some(0), "{planned}");
    insta::assert_snapshot!(planned.stdout, @"
    run      fetch source/linux-6.12: never ran
    may run  source linux-6.12
    run      fetch base/amd64-llvm-openrc: never ran
    may run  base amd64-llvm-openrc
    run      fetch image/amd64-llvm-openrc: never ran
    may run  image amd64-llvm-openrc
    may run  kconfig linux-6.12/x86_64/clang-amd64-llvm-openrc
    run      fetch base/amd64-openrc: never ran
    may run  base amd64-openrc
    run      fetch image/amd64-openrc: never ran
    may run  image amd64-openrc
    may run  kconfig linux-6.12/x86_64/gcc-amd64-openrc
    may run  config linux-6.12/x86_64/x86_64_defconfig/clang-amd64-llvm-openrc
    may run  kernel linux-6.12/x86_64/x86_64_defconfig/clang-amd64-llvm-openrc
    may run  match linux-6.12/x86_64/x86_64_defconfig/clang-amd64-llvm-openrc
    may run  config linux-6.12/x86_64/x86_64_defconfig/gcc-amd64-openrc
    may run  kernel linux-6.12/x86_64/x86_64_defconfig/gcc-amd64-openrc
    may run  match linux-6.12/x86_64/x86_64_defconfig/gcc-amd64-openrc
    5 to run, 13 may run, 0 fresh
    boots of 2 builds: unknown until their configs are resolved and matched
    cost: unknown for 18 nodes that never ran
    ");
}
