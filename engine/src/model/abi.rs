//! What user space is compiled for, and what a kernel must have to run it.

use serde::Deserialize;
use serde::Serialize;

use crate::elf::Elf;
use crate::kconfig::Predicate;

/// The ABI of a root filesystem's programs. It follows from the toolchain that compiles them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the names are the field's own; `ROWS` says the rest"
)]
pub enum Abi {
    X86_64,
    I386,
    Armel,
    Armhf,
    Aarch64,
    Alpha,
    Hppa,
    M68k,
    Mips,
    Mipsel,
    Mips64el,
    Powerpc,
    Powerpc64,
    Powerpc64le,
    Riscv64,
    Sparc64,
    S390x,
    Ia64,
    Loongarch64,
}

/// One ABI: its name, what triplets look like, its programs.
struct Row {
    abi: Abi,
    name: &'static str,
    /// First component of a triplet; a `*` at the end stands for anything.
    cpus: &'static [&'static str],
    /// Last component of a triplet, after `gnu` or `musl`.
    ending: &'static str,
    elf: Elf,
}

const fn row(
    abi: Abi,
    name: &'static str,
    cpus: &'static [&'static str],
    ending: &'static str,
    elf: (u8, bool, u16),
) -> Row {
    Row {
        abi,
        name,
        cpus,
        ending,
        elf: Elf {
            bits: elf.0,
            big_endian: elf.1,
            machine: elf.2,
        },
    }
}

const LITTLE: bool = false;
const BIG: bool = true;

#[rustfmt::skip]
const ROWS: [Row; 19] = [
    row(Abi::X86_64, "x86_64", &["x86_64"], "", (64, LITTLE, 62)),
    row(Abi::I386, "i386", &["i386", "i486", "i586", "i686"], "", (32, LITTLE, 3)),
    row(Abi::Armel, "armel", &["arm", "armv*"], "eabi", (32, LITTLE, 40)),
    row(Abi::Armhf, "armhf", &["arm", "armv*"], "eabihf", (32, LITTLE, 40)),
    row(Abi::Aarch64, "aarch64", &["aarch64"], "", (64, LITTLE, 183)),
    row(Abi::Alpha, "alpha", &["alpha*"], "", (64, LITTLE, 0x9026)),
    row(Abi::Hppa, "hppa", &["hppa", "hppa1.1", "hppa2.0"], "", (32, BIG, 15)),
    row(Abi::M68k, "m68k", &["m68k"], "", (32, BIG, 4)),
    row(Abi::Mips, "mips", &["mips"], "", (32, BIG, 8)),
    row(Abi::Mipsel, "mipsel", &["mipsel"], "", (32, LITTLE, 8)),
    row(Abi::Mips64el, "mips64el", &["mips64el"], "abi64", (64, LITTLE, 8)),
    row(Abi::Powerpc, "powerpc", &["powerpc"], "", (32, BIG, 20)),
    row(Abi::Powerpc64, "powerpc64", &["powerpc64"], "", (64, BIG, 21)),
    row(Abi::Powerpc64le, "powerpc64le", &["powerpc64le"], "", (64, LITTLE, 21)),
    row(Abi::Riscv64, "riscv64", &["riscv64"], "", (64, LITTLE, 243)),
    row(Abi::Sparc64, "sparc64", &["sparc64"], "", (64, BIG, 43)),
    row(Abi::S390x, "s390x", &["s390x"], "", (64, BIG, 22)),
    row(Abi::Ia64, "ia64", &["ia64"], "", (64, LITTLE, 50)),
    row(Abi::Loongarch64, "loongarch64", &["loongarch64"], "", (64, LITTLE, 258)),
];

impl Row {
    /// Whether a cross compiler's prefix, such as `armv7a-unknown-linux-gnueabihf-`, is for it.
    fn has_prefix(&self, prefix: &str) -> bool {
        let triplet = prefix.rsplit('/').next().unwrap_or(prefix);
        let parts: Vec<&str> = triplet.trim_end_matches('-').split('-').collect();
        let ([cpu, "linux", system] | [cpu, _, "linux", system]) = parts[..] else {
            return false;
        };
        let fits = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(start) => cpu.starts_with(start),
            None => cpu == *pattern,
        };
        // `armv7b` and the like are big-endian.
        let ends = ["gnu", "musl"]
            .iter()
            .any(|libc| system.strip_prefix(libc) == Some(self.ending));
        ends && self.cpus.iter().any(fits) && !(cpu.starts_with("armv") && cpu.ends_with('b'))
    }
}

impl Abi {
    /// Its name, as definitions write it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        ROWS.iter().map(|row| row.name)
    }

    /// The ABI of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.abi)
    }

    /// The ABI of what a cross compiler makes, by the triplet in its prefix. `None` where the table does not know it.
    pub fn of_prefix(prefix: &str) -> Option<Self> {
        let row = ROWS.iter().find(|row| row.has_prefix(prefix));
        row.map(|row| row.abi)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.abi)
    }

    /// What the header of its programs says.
    pub fn elf(self) -> Elf {
        self.row().elf
    }

    fn row(self) -> &'static Row {
        // A test holds that each row stands at its ABI's place.
        &ROWS[self as usize]
    }

    /// What a .config must have for the kernel to run its programs, support for floating point
    /// included where the ABI uses it and a .config may lack it.
    pub fn requires(self) -> Predicate {
        let cfg = |symbol: &str| Predicate::built_in(symbol);
        let little_arm = |own: Predicate| {
            let arm = cfg("ARM") & own;
            (arm | (cfg("ARM64") & cfg("COMPAT"))) & !cfg("CPU_BIG_ENDIAN")
        };
        let mips = |order: &str| cfg("MIPS") & cfg(order) & cfg("MIPS_FP_SUPPORT");
        let o32 = || cfg("32BIT") | cfg("MIPS32_O32");
        let own = match self {
            Self::X86_64 => cfg("X86_64"),
            Self::I386 => cfg("X86_32") | cfg("IA32_EMULATION"),
            Self::Armel => little_arm(cfg("AEABI")),
            // Debian, and gcc for this triplet, compile to Thumb-2.
            Self::Armhf => little_arm(cfg("AEABI") & cfg("VFP") & cfg("ARM_THUMB")),
            Self::Aarch64 => cfg("ARM64") & !cfg("CPU_BIG_ENDIAN"),
            Self::Alpha => cfg("ALPHA"),
            Self::Hppa => cfg("PARISC") & (!cfg("64BIT") | cfg("COMPAT")),
            Self::M68k => {
                let cpu = cfg("M68020") | cfg("M68030") | cfg("M68040") | cfg("M68060");
                cfg("M68K") & cfg("MMU") & cfg("FPU") & cpu
            }
            Self::Mips => mips("CPU_BIG_ENDIAN") & o32(),
            Self::Mipsel => mips("CPU_LITTLE_ENDIAN") & o32(),
            Self::Mips64el => mips("CPU_LITTLE_ENDIAN") & cfg("64BIT"),
            Self::Powerpc => {
                let bits = cfg("PPC32") | (cfg("PPC64") & cfg("COMPAT"));
                cfg("PPC") & cfg("CPU_BIG_ENDIAN") & bits
            }
            Self::Powerpc64 => cfg("PPC64") & cfg("CPU_BIG_ENDIAN"),
            Self::Powerpc64le => cfg("PPC64") & cfg("CPU_LITTLE_ENDIAN"),
            Self::Riscv64 => cfg("RISCV") & cfg("64BIT") & cfg("FPU"),
            Self::Sparc64 => cfg("SPARC64"),
            Self::S390x => cfg("S390") & cfg("64BIT"),
            Self::Ia64 => cfg("IA64"),
            Self::Loongarch64 => cfg("LOONGARCH") & cfg("64BIT"),
        };
        if self.elf().bits == 32 {
            // glibc's default `time_t` there has 32 bits; a tiny config has not the system calls for it.
            own & cfg("COMPAT_32BIT_TIME")
        } else {
            own
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn rows_stand_at_their_places_and_names_are_unique() {
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(row.abi as usize, index, "{}", row.name);
            assert_eq!(Abi::of_name(row.abi.name()), Some(row.abi));
        }
    }

    #[test]
    fn prefixes_of_cross_compilers_are_known() {
        let debian = [
            "x86_64-linux-gnu-",
            "i686-linux-gnu-",
            "arm-linux-gnueabi-",
            "arm-linux-gnueabihf-",
            "aarch64-linux-gnu-",
            "alpha-linux-gnu-",
            "hppa-linux-gnu-",
            "m68k-linux-gnu-",
            "mips-linux-gnu-",
            "mipsel-linux-gnu-",
            "mips64el-linux-gnuabi64-",
            "powerpc-linux-gnu-",
            "powerpc64-linux-gnu-",
            "powerpc64le-linux-gnu-",
            "riscv64-linux-gnu-",
            "sparc64-linux-gnu-",
            "s390x-linux-gnu-",
            "ia64-linux-gnu-",
            "loongarch64-linux-gnu-",
        ];
        for (row, prefix) in ROWS.iter().zip(debian) {
            assert_eq!(Abi::of_prefix(prefix), Some(row.abi), "{prefix}");
        }
        assert_eq!(
            Abi::of_prefix("armv7a-unknown-linux-gnueabihf-"),
            Some(Abi::Armhf)
        );
        assert_eq!(
            Abi::of_prefix("/opt/cross/bin/x86_64-pc-linux-musl-"),
            Some(Abi::X86_64)
        );
        assert_eq!(
            Abi::of_prefix("alphaev67-unknown-linux-gnu-"),
            Some(Abi::Alpha)
        );
        for unknown in [
            "armv7b-linux-gnueabihf-",
            "armeb-linux-gnueabi-",
            "aarch64_be-linux-gnu-",
            "x86_64-linux-gnux32-",
            "hppa64-linux-gnu-",
            "mips64el-linux-gnuabin32-",
            "arm-none-eabi-",
            "powerpc-linux-gnuspe-",
            "gnu-",
            "-",
        ] {
            assert_eq!(Abi::of_prefix(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_each_abi_wants() {
        let mut text = String::new();
        for row in &ROWS {
            let Elf {
                bits,
                big_endian,
                machine,
            } = row.elf;
            let order = if big_endian { "big" } else { "little" };
            let _ = writeln!(
                text,
                "{:11} {bits} {order:6} {machine:5}  {}",
                row.name,
                row.abi.requires()
            );
        }
        insta::assert_snapshot!(text, @r#"
        x86_64      64 little    62  cfg("X86_64")
        i386        32 little     3  (cfg("X86_32") | cfg("IA32_EMULATION")) & cfg("COMPAT_32BIT_TIME")
        armel       32 little    40  (cfg("ARM") & cfg("AEABI") | cfg("ARM64") & cfg("COMPAT")) & !cfg("CPU_BIG_ENDIAN") & cfg("COMPAT_32BIT_TIME")
        armhf       32 little    40  (cfg("ARM") & cfg("AEABI") & cfg("VFP") & cfg("ARM_THUMB") | cfg("ARM64") & cfg("COMPAT")) & !cfg("CPU_BIG_ENDIAN") & cfg("COMPAT_32BIT_TIME")
        aarch64     64 little   183  cfg("ARM64") & !cfg("CPU_BIG_ENDIAN")
        alpha       64 little 36902  cfg("ALPHA")
        hppa        32 big       15  cfg("PARISC") & (!cfg("64BIT") | cfg("COMPAT")) & cfg("COMPAT_32BIT_TIME")
        m68k        32 big        4  cfg("M68K") & cfg("MMU") & cfg("FPU") & (cfg("M68020") | cfg("M68030") | cfg("M68040") | cfg("M68060")) & cfg("COMPAT_32BIT_TIME")
        mips        32 big        8  cfg("MIPS") & cfg("CPU_BIG_ENDIAN") & cfg("MIPS_FP_SUPPORT") & (cfg("32BIT") | cfg("MIPS32_O32")) & cfg("COMPAT_32BIT_TIME")
        mipsel      32 little     8  cfg("MIPS") & cfg("CPU_LITTLE_ENDIAN") & cfg("MIPS_FP_SUPPORT") & (cfg("32BIT") | cfg("MIPS32_O32")) & cfg("COMPAT_32BIT_TIME")
        mips64el    64 little     8  cfg("MIPS") & cfg("CPU_LITTLE_ENDIAN") & cfg("MIPS_FP_SUPPORT") & cfg("64BIT")
        powerpc     32 big       20  cfg("PPC") & cfg("CPU_BIG_ENDIAN") & (cfg("PPC32") | cfg("PPC64") & cfg("COMPAT")) & cfg("COMPAT_32BIT_TIME")
        powerpc64   64 big       21  cfg("PPC64") & cfg("CPU_BIG_ENDIAN")
        powerpc64le 64 little    21  cfg("PPC64") & cfg("CPU_LITTLE_ENDIAN")
        riscv64     64 little   243  cfg("RISCV") & cfg("64BIT") & cfg("FPU")
        sparc64     64 big       43  cfg("SPARC64")
        s390x       64 big       22  cfg("S390") & cfg("64BIT")
        ia64        64 little    50  cfg("IA64")
        loongarch64 64 little   258  cfg("LOONGARCH") & cfg("64BIT")
        "#);
    }
}
