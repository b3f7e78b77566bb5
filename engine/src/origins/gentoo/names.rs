//! The stage3s that Gentoo's mirrors carry.
//!
//! From the active specs of gentoo/releng (`releases/specs`, 2026-08). Below `releases/` of a mirror they lie in directories that are not
//! always named as the stage3s in them: `ppc64le` is in `ppc`, `aarch64_be` in `arm64`.

use crate::model::Abi;

/// Stage3s of one directory and ABI.
struct Row {
    /// Below `releases/`.
    dir: &'static str,
    /// What its programs are compiled for; nothing where the engine has no name for that.
    abi: Option<Abi>,
    /// Each with `-openrc` and with `-systemd`.
    both: &'static [&'static str],
    /// Whole names.
    whole: &'static [&'static str],
}

/// A stage3 that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Below `releases/` of a mirror.
    pub dir: &'static str,
    /// What its programs are compiled for; nothing where the engine has no name for that.
    pub abi: Option<Abi>,
}

const ROWS: [Row; 23] = [
    Row {
        dir: "alpha",
        abi: Some(Abi::Alpha),
        both: &["alpha"],
        whole: &[],
    },
    Row {
        dir: "amd64",
        abi: Some(Abi::X86_64),
        both: &[
            "amd64-desktop",
            "amd64-hardened",
            "amd64-hardened-selinux",
            "amd64-llvm",
            "amd64-musl-hardened",
            "amd64-musl-llvm",
            "amd64-musl",
            "amd64-nomultilib",
            "amd64",
        ],
        whole: &["amd64-openrc-splitusr"],
    },
    Row {
        dir: "amd64",
        abi: None,
        both: &["x32"],
        whole: &[],
    },
    Row {
        dir: "arm",
        abi: Some(Abi::Armel),
        both: &[
            "armv4tl",
            "armv4tl-t64",
            "armv5tel",
            "armv5tel-t64",
            "armv6j",
            "armv6j-t64",
            "armv7a",
            "armv7a-t64",
        ],
        whole: &[],
    },
    Row {
        dir: "arm",
        abi: Some(Abi::Armhf),
        both: &[
            "armv6j_hardfp",
            "armv6j_hardfp-t64",
            "armv6j_hardfp_musl-hardened",
            "armv6j_hardfp_musl",
            "armv7a_hardfp",
            "armv7a_hardfp-t64",
            "armv7a_hardfp_musl-hardened",
            "armv7a_hardfp_musl",
        ],
        whole: &[],
    },
    Row {
        dir: "arm64",
        abi: None,
        both: &["aarch64_be"],
        whole: &[],
    },
    Row {
        dir: "arm64",
        abi: Some(Abi::Aarch64),
        both: &[
            "arm64-desktop",
            "arm64-llvm",
            "arm64-musl-hardened",
            "arm64-musl-llvm",
            "arm64-musl",
            "arm64",
        ],
        whole: &["arm64-openrc-splitusr"],
    },
    Row {
        dir: "hppa",
        abi: Some(Abi::Hppa),
        both: &["hppa1.1", "hppa2.0"],
        whole: &[],
    },
    Row {
        dir: "loong",
        abi: Some(Abi::Loongarch64),
        both: &["loong"],
        whole: &[],
    },
    Row {
        dir: "m68k",
        abi: Some(Abi::M68k),
        both: &["m68k", "m68k_a32-t64", "m68k_musl"],
        whole: &[],
    },
    Row {
        dir: "mips",
        abi: Some(Abi::Mips),
        both: &[
            "mips2",
            "mips2-t64",
            "mips2_musl",
            "mips2_softfloat",
            "mips2_softfloat-t64",
        ],
        whole: &[],
    },
    Row {
        dir: "mips",
        abi: None,
        both: &[
            "mips3_multilib",
            "mips3_multilib-t64",
            "mips3_n32",
            "mips3_n32-t64",
            "mips3_n64",
            "mipsel3_multilib",
            "mipsel3_multilib-t64",
            "mipsel3_n32",
            "mipsel3_n32-t64",
        ],
        whole: &[],
    },
    Row {
        dir: "mips",
        abi: Some(Abi::Mipsel),
        both: &[
            "mipsel2",
            "mipsel2-t64",
            "mipsel2_musl",
            "mipsel2_softfloat",
            "mipsel2_softfloat-t64",
        ],
        whole: &[],
    },
    Row {
        dir: "mips",
        abi: Some(Abi::Mips64el),
        both: &["mipsel3_n64"],
        whole: &[],
    },
    Row {
        dir: "ppc",
        abi: Some(Abi::Powerpc64le),
        both: &[
            "power9le-desktop",
            "power9le-musl-hardened",
            "power9le",
            "ppc64le-musl-hardened",
            "ppc64le",
        ],
        whole: &[],
    },
    Row {
        dir: "ppc",
        abi: Some(Abi::Powerpc),
        both: &["ppc-musl-hardened", "ppc", "ppc-t64"],
        whole: &[],
    },
    Row {
        dir: "ppc",
        abi: Some(Abi::Powerpc64),
        both: &["ppc64-musl-hardened", "ppc64"],
        whole: &[],
    },
    Row {
        dir: "riscv",
        abi: None,
        both: &[
            "rv32_ilp32",
            "rv32_ilp32_musl",
            "rv32_ilp32d",
            "rv32_ilp32d_musl",
        ],
        whole: &[],
    },
    Row {
        dir: "riscv",
        abi: Some(Abi::Riscv64),
        both: &[
            "rv64_lp64",
            "rv64_lp64_musl",
            "rv64_lp64d",
            "rv64_lp64d_musl",
            "rv64_multilib",
        ],
        whole: &[],
    },
    Row {
        dir: "s390",
        abi: Some(Abi::S390x),
        both: &["s390x"],
        whole: &[],
    },
    Row {
        dir: "sparc",
        abi: None,
        both: &["sparc"],
        whole: &[],
    },
    Row {
        dir: "sparc",
        abi: Some(Abi::Sparc64),
        both: &["sparc64"],
        whole: &[],
    },
    Row {
        dir: "x86",
        abi: Some(Abi::I386),
        both: &[
            "i486",
            "i486-t64",
            "i686",
            "i686-ssemath",
            "i686-ssemath-t64",
        ],
        whole: &[
            "i686-hardened-openrc",
            "i686-hardened-t64-openrc",
            "i686-musl-openrc",
        ],
    },
];

const INITS: [&str; 2] = ["openrc", "systemd"];

/// Looks a name up: what follows `stage3-` in a file's name, such as `amd64-openrc`.
pub(super) fn known(name: &str) -> Option<Known> {
    let fits = |row: &&Row| {
        let (flavour, init) = name.rsplit_once('-').unwrap_or((name, ""));
        row.whole.contains(&name) || INITS.contains(&init) && row.both.contains(&flavour)
    };
    let row = ROWS.iter().find(fits)?;
    Some(Known {
        dir: row.dir,
        abi: row.abi,
    })
}

/// All names.
pub(super) fn all() -> impl Iterator<Item = String> {
    ROWS.iter().flat_map(|row| {
        let both = row.both.iter();
        let both = both.flat_map(|flavour| INITS.map(|init| format!("{flavour}-{init}")));
        both.chain(row.whole.iter().map(|name| (*name).to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_once() {
        let mut names: Vec<String> = all().collect();
        assert_eq!(names.len(), 179);
        assert!(names.iter().all(|name| known(name).is_some()));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 179);
    }

    #[test]
    fn names_lie_where_the_mirrors_have_them() {
        for (name, dir, abi) in [
            ("amd64-nomultilib-systemd", "amd64", Some(Abi::X86_64)),
            ("amd64-openrc-splitusr", "amd64", Some(Abi::X86_64)),
            ("x32-openrc", "amd64", None),
            ("aarch64_be-systemd", "arm64", None),
            (
                "armv7a_hardfp_musl-hardened-openrc",
                "arm",
                Some(Abi::Armhf),
            ),
            ("power9le-desktop-systemd", "ppc", Some(Abi::Powerpc64le)),
            ("i686-musl-openrc", "x86", Some(Abi::I386)),
        ] {
            assert_eq!(known(name), Some(Known { dir, abi }), "{name}");
        }
        for name in [
            "amd64",
            "i686-musl-systemd",
            "-openrc",
            "amd64-openrc-systemd",
            "",
        ] {
            assert_eq!(known(name), None, "{name}");
        }
    }
}
