//! Programs of other architectures: which emulator runs them, and how a sandbox makes the kernel use it.
//!
//! Since Linux 6.7 each user namespace may have a `binfmt_misc` of its own. The kernel looks there
//! by the user namespace of whoever executes, wherever the file system is mounted; one below sees
//! that of the one above, and what is registered is gone with the last mount. So a sandbox
//! mounts one, registers its one emulator, and the machine's own registrations stay as they are.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::iter;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::path::PathBuf;

use nix::mount::MsFlags;
use nix::mount::mount;
use serde::Deserialize;
use serde::Serialize;

use super::cancel::Cancel;
use super::channel::Order;
use super::error::SandboxError;
use super::error::Step;
use super::error::StepError;
use super::run::Sandbox;
use crate::elf::Elf;
use crate::elf::Program;
use crate::model::Abi;

/// Where programs look for `binfmt_misc`.
pub(super) const BINFMT_MISC: &str = "/proc/sys/fs/binfmt_misc";

/// How much of an executable tells its architecture: `e_ident`, `e_type`, `e_machine`.
const HEADER: usize = 20;

/// What to do where there is no emulator.
const MISSING: &str = "; install the package `qemu-user-static`";

/// Which emulator a sandbox registers; found by [`Sandbox::emulator`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// What the programs are compiled for.
    abi: Abi,
    /// The emulator on the host, without links.
    program: PathBuf,
}

/// What QEMU runs user programs of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    abi: Abi,
    /// QEMU's name, as in `qemu-aarch64`.
    qemu: &'static str,
}

impl Target {
    /// QEMU's programs, as in its `scripts/qemu-binfmt-conf.sh`; it has none for Itanium.
    fn of(abi: Abi) -> Option<Self> {
        let qemu = match abi {
            Abi::X86_64 => "x86_64",
            Abi::I386 => "i386",
            Abi::Armel | Abi::Armhf => "arm",
            Abi::Aarch64 => "aarch64",
            Abi::Alpha => "alpha",
            Abi::Hppa => "hppa",
            Abi::M68k => "m68k",
            Abi::Mips => "mips",
            Abi::Mipsel => "mipsel",
            Abi::Mips64el => "mips64el",
            Abi::Powerpc => "ppc",
            Abi::Powerpc64 => "ppc64",
            Abi::Powerpc64le => "ppc64le",
            Abi::Riscv64 => "riscv64",
            Abi::Sparc64 => "sparc64",
            Abi::S390x => "s390x",
            Abi::Loongarch64 => "loongarch64",
            Abi::Ia64 => return None,
        };
        Some(Self { abi, qemu })
    }

    /// All of them.
    fn all() -> impl Iterator<Item = Self> {
        Abi::all().filter_map(Self::of)
    }

    /// The header of its executables, and the bits of it that count: not the system's ABI, nor
    /// whether a program can be loaded anywhere.
    fn header(self) -> ([u8; HEADER], [u8; HEADER]) {
        let Elf {
            bits,
            big_endian,
            machine,
        } = self.abi.elf();
        let half = |number: u16| {
            if big_endian {
                number.to_be_bytes()
            } else {
                number.to_le_bytes()
            }
        };
        let (class, data) = (bits / 32, if big_endian { 2 } else { 1 });
        let (mut magic, mut mask) = ([0; HEADER], [0xff; HEADER]);
        magic[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, data, 1]);
        magic[16..18].copy_from_slice(&half(2));
        magic[18..].copy_from_slice(&half(machine));
        mask[7..9].fill(0);
        mask[16..18].copy_from_slice(&half(!1));
        (magic, mask)
    }

    fn matches(self, header: &[u8]) -> bool {
        let (magic, mask) = self.header();
        header.len() >= HEADER
            && iter::zip(header, iter::zip(magic, mask))
                .all(|(byte, (m, mask))| byte & mask == m & mask)
    }
}

/// Whether this machine's processor runs programs of an ABI.
pub fn is_native(abi: Abi) -> bool {
    let natives: &[Abi] = match env::consts::ARCH {
        "x86_64" => &[Abi::X86_64, Abi::I386],
        "aarch64" => &[Abi::Aarch64],
        "powerpc64" if cfg!(target_endian = "little") => &[Abi::Powerpc64le],
        "s390x" => &[Abi::S390x],
        "riscv64" => &[Abi::Riscv64],
        "loongarch64" => &[Abi::Loongarch64],
        _ => &[],
    };
    natives.contains(&abi)
}

/// The ABI of an unpacked image, by its `/bin/sh`; of those whose programs look the same, the first.
pub fn abi_of(image: &Path) -> Option<Abi> {
    // A link that leads out of the image would tell of the host.
    let shell = fs::canonicalize(image.join("bin/sh")).ok()?;
    if !shell.starts_with(fs::canonicalize(image).ok()?) {
        return None;
    }
    let mut header = [0; HEADER];
    File::open(shell).ok()?.read_exact(&mut header).ok()?;
    let target = Target::all().find(|target| target.matches(&header))?;
    Some(target.abi)
}

impl Sandbox {
    /// Gives what a sandbox must register for programs of an ABI: nothing where this machine runs them
    /// itself, or where it must be the machine's own registration that counts.
    pub fn emulator(&self, abi: Abi) -> Result<Option<Emulator>, SandboxError> {
        if is_native(abi) {
            return Ok(None);
        }
        let target = Target::of(abi).ok_or_else(|| SandboxError::NoEmulator {
            abi: abi.name(),
            found: "none is known for them".to_owned(),
            hint: String::new(),
        })?;
        let program = find(target.qemu);
        let source = match program {
            Ok(program) => {
                let emulator = Emulator { abi, program };
                let order = Order::Probe {
                    emulator: Some(emulator.clone()),
                };
                match self.order(&order, &Cancel::new()) {
                    Ok(()) => return Ok(Some(emulator)),
                    Err(SandboxError::Step(source)) => Ok(source),
                    Err(error) => return Err(error),
                }
            }
            Err(found) => Err(found),
        };
        if registered(Path::new(BINFMT_MISC), target) {
            return Ok(None);
        }
        let abi = abi.name();
        Err(match source {
            Ok(source) => SandboxError::NoBinfmt { abi, source },
            Err(found) => SandboxError::NoEmulator {
                abi,
                found,
                hint: MISSING.to_owned(),
            },
        })
    }

    /// The same for an unpacked image. Nothing is given for one that no emulator
    /// is known for: what fails then is its command.
    pub fn emulator_of(&self, image: &Path) -> Result<Option<Emulator>, SandboxError> {
        abi_of(image).map_or(Ok(None), |abi| self.emulator(abi))
    }
}

/// The user-mode QEMU that programs of an ABI need and this machine lacks; nothing where it runs them.
pub fn emulator_program(abi: Abi) -> Option<String> {
    let target = Target::of(abi).filter(|_| !is_native(abi))?;
    let missing = find(target.qemu).is_err();
    missing.then(|| format!("qemu-{}-static", target.qemu))
}

/// Finds a QEMU program that needs no file of the image it runs in; else says what there is.
fn find(qemu: &str) -> Result<PathBuf, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where programs are is what PATH is for; which one it is changes no result"
    )]
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path)
        .chain(iter::once(PathBuf::from("/usr/bin")))
        .collect();
    let mut dynamic = None;
    for name in [format!("qemu-{qemu}-static"), format!("qemu-{qemu}")] {
        for program in dirs.iter().map(|dir| dir.join(&name)) {
            match is_static(&program) {
                Ok(true) => return fs::canonicalize(&program).map_err(|error| error.to_string()),
                Ok(false) => dynamic = dynamic.or(Some(program)),
                Err(_) => {}
            }
        }
    }
    Err(dynamic.map_or_else(
        || format!("`qemu-{qemu}-static` is not there"),
        |program| format!("`{}` is not statically linked", program.display()),
    ))
}

/// Whether a program asks for no dynamic linker.
fn is_static(program: &Path) -> io::Result<bool> {
    let mut bytes = Vec::new();
    // Program headers follow the file's header in whatever a linker makes.
    File::open(program)?.take(4096).read_to_end(&mut bytes)?;
    let program = Program::read(&bytes).ok_or_else(|| io::Error::other("no program"))?;
    Ok(!program.needs_loader)
}

/// Whether `dir`, a mounted `binfmt_misc`, has an enabled entry that takes the target's programs and
/// whose emulator need not be in an image (flag `F`).
fn registered(dir: &Path, target: Target) -> bool {
    let status = fs::read_to_string(dir.join("status")).unwrap_or_default();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    status.trim() == "enabled"
        && entries
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .any(|entry| takes(&entry, target))
}

/// Reads an entry: `enabled`, then `interpreter PATH`, `flags: OPF`, `offset 0`, `magic HEX`, `mask HEX`.
fn takes(entry: &str, target: Target) -> bool {
    let field = |name: &str| {
        entry
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let Some(magic) = field("magic ").and_then(unhex) else {
        return false;
    };
    let mask = field("mask ").and_then(unhex);
    let mask = mask.unwrap_or_else(|| vec![0xff; magic.len()]);
    let (header, _) = target.header();
    entry.lines().next() == Some("enabled")
        && field("flags:").is_some_and(|flags| flags.contains('F'))
        && field("offset ") == Some("0")
        // More than the header cannot be judged, and `mipsel` has such: the ABI's flag is not set.
        && iter::zip(&magic, &mask)
            .zip(header)
            .all(|((m, mask), byte)| m & mask == byte & mask)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Mounts a `binfmt_misc` of the calling process's user namespace on `dir` and registers the
/// emulator, which is seen below `host` now and need not be seen later.
pub(super) fn register(emulator: &Emulator, dir: &str, host: &Path) -> Result<(), StepError> {
    const KIND: &str = "binfmt_misc";
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some(KIND), dir, Some(KIND), flags, None::<&str>)
        .step(|| format!("mount `{KIND}` on `{dir}`"))?;
    let program = emulator.program.strip_prefix("/");
    let program = host.join(program.unwrap_or(&emulator.program));
    let step = || {
        format!(
            "register `{}` for `{}`",
            program.display(),
            emulator.abi.name()
        )
    };
    let target = Target::of(emulator.abi)
        .ok_or_else(|| io::Error::other("there is no emulator of it"))
        .step(step)?;
    fs::write(Path::new(dir).join("register"), line(target, &program)).step(step)
}

/// The line that registers a program. Flags: `O` opens what it runs for it, `P` keeps the first
/// argument, `F` opens the program now.
fn line(target: Target, program: &Path) -> Vec<u8> {
    let escaped = |bytes: [u8; HEADER]| bytes.map(|byte| format!("\\x{byte:02x}")).concat();
    let (magic, mask) = target.header();
    let start = format!(
        ":qemu-{}:M::{}:{}:",
        target.qemu,
        escaped(magic),
        escaped(mask)
    );
    let program = OsString::from(program).into_vec();
    [start.into_bytes(), program, b":OPF".to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of QEMU's `qemu-binfmt-conf.sh`, as Debian installs them.
    const AARCH64: &str = r":qemu-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:";
    const S390X: &str = r":qemu-s390x:M::\x7f\x45\x4c\x46\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16:\xff\xff\xff\xff\xff\xff\xff\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff:";

    #[test]
    fn lines_are_those_of_qemu_but_for_the_abi() {
        for (abi, theirs) in [(Abi::Aarch64, AARCH64), (Abi::S390x, S390X)] {
            let target = Target::of(abi).unwrap();
            let ours = String::from_utf8(line(target, Path::new("/q"))).unwrap();
            let ours = ours.strip_suffix("/q:OPF").unwrap();
            // The mask of the two bytes for the system's ABI and its version.
            let at = theirs.len() - 1 - 13 * 4;
            let theirs = format!(r"{}\x00\x00{}", &theirs[..at], &theirs[at + 8..]);
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn a_header_names_one_architecture() {
        for target in Target::all() {
            let (mut header, _) = target.header();
            // A program that can be loaded anywhere, for GNU/Linux.
            header[16] |= header[16] >> 1;
            header[17] |= header[17] >> 1;
            header[7] = 3;
            let mut found = Target::all().filter(|other| other.matches(&header));
            assert!(found.all(|other| other.qemu == target.qemu), "{target:?}");
            assert!(target.matches(&header));
            assert!(!target.matches(&header[..HEADER - 1]));
        }
        assert!(is_native(Abi::X86_64) || env::consts::ARCH != "x86_64");
        assert!(!is_native(Abi::M68k));
    }

    #[test]
    fn entries_of_the_host_count_when_enabled_and_open() {
        let entry = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POF\noffset 0\n\
                     magic 7f454c460201010000000000000000000200b700\n\
                     mask ffffffffffffff00fffffffffffffffffeffffff\n";
        let arm64 = Target::of(Abi::Aarch64).unwrap();
        assert!(takes(entry, arm64));
        assert!(!takes(entry, Target::of(Abi::Armhf).unwrap()));
        for (from, to) in [
            ("enabled", "disabled"),
            ("POF", "PO"),
            ("offset 0", "offset 1"),
            ("b700", "b7"),
            ("7f45", "7x45"),
        ] {
            assert!(
                !takes(&entry.replace(from, to), arm64) || to == "b7",
                "{to}"
            );
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("status"), "enabled\n").unwrap();
        assert!(!registered(dir.path(), arm64));
        fs::write(dir.path().join("qemu-aarch64"), entry).unwrap();
        assert!(registered(dir.path(), arm64));
        fs::write(dir.path().join("status"), "disabled\n").unwrap();
        assert!(!registered(dir.path(), arm64));
    }

    #[test]
    fn errors_say_what_to_do() {
        let abi = Abi::Aarch64.name();
        let missing = SandboxError::NoEmulator {
            abi,
            found: find("no-such").unwrap_err(),
            hint: MISSING.to_owned(),
        };
        insta::assert_snapshot!(missing, @"programs for `aarch64` need an emulator on this machine, and `qemu-no-such-static` is not there; install the package `qemu-user-static`");
        let refused = SandboxError::NoBinfmt {
            abi,
            source: StepError {
                step: "mount `binfmt_misc` on `/sys`".to_owned(),
                reason: "Operation not permitted".to_owned(),
                errno: Some(1),
            },
        };
        insta::assert_snapshot!(refused, @"the emulator for `aarch64` cannot be registered: cannot mount `binfmt_misc` on `/sys`: Operation not permitted; Linux 6.7 or later lets each sandbox have its own, an older one needs it registered for the whole machine: as root, install `qemu-user-static` and `binfmt-support`, or run `systemctl restart systemd-binfmt`");
    }

    #[test]
    fn this_test_needs_a_dynamic_linker() {
        assert!(!is_static(Path::new("/proc/self/exe")).unwrap());
        assert!(is_static(Path::new("/proc/self/status")).is_err());
    }
}
