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
use crate::elf::Program;

/// Where programs look for `binfmt_misc`.
pub(super) const BINFMT_MISC: &str = "/proc/sys/fs/binfmt_misc";

/// How much of an executable tells its architecture: `e_ident`, `e_type`, `e_machine`.
const HEADER: usize = 20;

/// What to do where there is no emulator.
const MISSING: &str = "; install the package `qemu-user-static`";

/// Which emulator a sandbox registers; found by [`Sandbox::emulator`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// Debian's name of the architecture.
    arch: String,
    /// The emulator on the host, without links.
    program: PathBuf,
}

/// An architecture that QEMU runs user programs of.
struct Target {
    /// Debian's name.
    arch: &'static str,
    /// QEMU's name, as in `qemu-aarch64`.
    qemu: &'static str,
    /// 1 for 32 bits, 2 for 64 (`EI_CLASS`).
    class: u8,
    /// 1 for little endian, 2 for big (`EI_DATA`).
    data: u8,
    /// `e_machine`.
    machine: u16,
}

/// The same facts as in QEMU's `scripts/qemu-binfmt-conf.sh`.
const TARGETS: [Target; 17] = [
    target("amd64", "x86_64", 2, 1, 62),
    target("i386", "i386", 1, 1, 3),
    target("arm64", "aarch64", 2, 1, 183),
    target("armhf", "arm", 1, 1, 40),
    target("armel", "arm", 1, 1, 40),
    target("ppc64el", "ppc64le", 2, 1, 21),
    target("ppc64", "ppc64", 2, 2, 21),
    target("powerpc", "ppc", 1, 2, 20),
    target("s390x", "s390x", 2, 2, 22),
    target("mips64el", "mips64el", 2, 1, 8),
    target("mipsel", "mipsel", 1, 1, 8),
    target("riscv64", "riscv64", 2, 1, 243),
    target("loong64", "loongarch64", 2, 1, 258),
    target("alpha", "alpha", 2, 1, 0x9026),
    target("hppa", "hppa", 1, 2, 15),
    target("m68k", "m68k", 1, 2, 4),
    target("sparc64", "sparc64", 2, 2, 43),
];

const fn target(
    arch: &'static str,
    qemu: &'static str,
    class: u8,
    data: u8,
    machine: u16,
) -> Target {
    Target {
        arch,
        qemu,
        class,
        data,
        machine,
    }
}

impl Target {
    fn of_arch(arch: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.arch == arch)
    }

    /// The header of its executables, and the bits of it that count: not the system's ABI, nor
    /// whether a program can be loaded anywhere.
    fn header(&self) -> ([u8; HEADER], [u8; HEADER]) {
        let half = |number: u16| match self.data {
            1 => number.to_le_bytes(),
            _ => number.to_be_bytes(),
        };
        let (mut magic, mut mask) = ([0; HEADER], [0xff; HEADER]);
        magic[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', self.class, self.data, 1]);
        magic[16..18].copy_from_slice(&half(2));
        magic[18..].copy_from_slice(&half(self.machine));
        mask[7..9].fill(0);
        mask[16..18].copy_from_slice(&half(!1));
        (magic, mask)
    }

    fn matches(&self, header: &[u8]) -> bool {
        let (magic, mask) = self.header();
        header.len() >= HEADER
            && iter::zip(header, iter::zip(magic, mask))
                .all(|(byte, (m, mask))| byte & mask == m & mask)
    }
}

/// Whether this machine's processor runs programs of a Debian architecture.
pub fn is_native(arch: &str) -> bool {
    let natives: &[&str] = match env::consts::ARCH {
        "x86_64" => &["amd64", "i386", "x32"],
        "aarch64" => &["arm64"],
        "powerpc64" if cfg!(target_endian = "little") => &["ppc64el"],
        "s390x" => &["s390x"],
        "riscv64" => &["riscv64"],
        "loongarch64" => &["loong64"],
        _ => &[],
    };
    natives.contains(&arch)
}

/// Debian's name of the architecture an unpacked image is for, by its `/bin/sh`. `armhf` also stands
/// for `armel`, which looks the same.
pub fn arch_of(image: &Path) -> Option<&'static str> {
    // A link that leads out of the image would tell of the host.
    let shell = fs::canonicalize(image.join("bin/sh")).ok()?;
    if !shell.starts_with(fs::canonicalize(image).ok()?) {
        return None;
    }
    let mut header = [0; HEADER];
    File::open(shell).ok()?.read_exact(&mut header).ok()?;
    let target = TARGETS.iter().find(|target| target.matches(&header))?;
    Some(target.arch)
}

impl Sandbox {
    /// Gives what a sandbox must register for programs of a Debian architecture: nothing where this
    /// machine runs them itself, or where it must be the machine's own registration that counts.
    pub fn emulator(&self, arch: &str) -> Result<Option<Emulator>, SandboxError> {
        if is_native(arch) {
            return Ok(None);
        }
        let target = Target::of_arch(arch).ok_or_else(|| SandboxError::NoEmulator {
            arch: arch.to_owned(),
            found: "none is known for them".to_owned(),
            hint: String::new(),
        })?;
        let program = find(target.qemu);
        let source = match program {
            Ok(program) => {
                let emulator = Emulator {
                    arch: target.arch.to_owned(),
                    program,
                };
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
        let arch = arch.to_owned();
        Err(match source {
            Ok(source) => SandboxError::NoBinfmt { arch, source },
            Err(found) => SandboxError::NoEmulator {
                arch,
                found,
                hint: MISSING.to_owned(),
            },
        })
    }

    /// The same for the architecture of an unpacked image. Nothing is given for one that no emulator
    /// is known for: what fails then is its command.
    pub fn emulator_of(&self, image: &Path) -> Result<Option<Emulator>, SandboxError> {
        arch_of(image).map_or(Ok(None), |arch| self.emulator(arch))
    }
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
fn registered(dir: &Path, target: &Target) -> bool {
    let status = fs::read_to_string(dir.join("status")).unwrap_or_default();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    status.trim() == "enabled"
        && entries
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .any(|entry| takes(&entry, target))
}

/// Reads an entry: `enabled`, then `interpreter PATH`, `flags: OPF`, `offset 0`, `magic HEX`, `mask HEX`.
fn takes(entry: &str, target: &Target) -> bool {
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
    let step = || format!("register `{}` for `{}`", program.display(), emulator.arch);
    let target = Target::of_arch(&emulator.arch)
        .ok_or_else(|| io::Error::other("the architecture is not known"))
        .step(step)?;
    fs::write(Path::new(dir).join("register"), line(target, &program)).step(step)
}

/// The line that registers a program. Flags: `O` opens what it runs for it, `P` keeps the first
/// argument, `F` opens the program now.
fn line(target: &Target, program: &Path) -> Vec<u8> {
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
        for (arch, theirs) in [("arm64", AARCH64), ("s390x", S390X)] {
            let target = Target::of_arch(arch).unwrap();
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
        for target in &TARGETS {
            let (mut header, _) = target.header();
            // A program that can be loaded anywhere, for GNU/Linux.
            header[16] |= header[16] >> 1;
            header[17] |= header[17] >> 1;
            header[7] = 3;
            let found = TARGETS.iter().filter(|other| other.matches(&header));
            assert!(
                found.into_iter().all(|other| other.qemu == target.qemu),
                "{}",
                target.arch
            );
            assert!(target.matches(&header));
            assert!(!target.matches(&header[..HEADER - 1]));
        }
        assert!(is_native("amd64") || env::consts::ARCH != "x86_64");
        assert!(!is_native("hurd-i386"));
    }

    #[test]
    fn entries_of_the_host_count_when_enabled_and_open() {
        let entry = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POF\noffset 0\n\
                     magic 7f454c460201010000000000000000000200b700\n\
                     mask ffffffffffffff00fffffffffffffffffeffffff\n";
        let arm64 = Target::of_arch("arm64").unwrap();
        assert!(takes(entry, arm64));
        assert!(!takes(entry, Target::of_arch("armhf").unwrap()));
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
        let arch = || "arm64".to_owned();
        let missing = SandboxError::NoEmulator {
            arch: arch(),
            found: find("no-such").unwrap_err(),
            hint: MISSING.to_owned(),
        };
        insta::assert_snapshot!(missing, @"programs for `arm64` need an emulator on this machine, and `qemu-no-such-static` is not there; install the package `qemu-user-static`");
        let refused = SandboxError::NoBinfmt {
            arch: arch(),
            source: StepError {
                step: "mount `binfmt_misc` on `/sys`".to_owned(),
                reason: "Operation not permitted".to_owned(),
                errno: Some(1),
            },
        };
        insta::assert_snapshot!(refused, @"the emulator for `arm64` cannot be registered: cannot mount `binfmt_misc` on `/sys`: Operation not permitted; Linux 6.7 or later lets each sandbox have its own, an older one needs it registered for the whole machine: as root, install `qemu-user-static` and `binfmt-support`, or run `systemctl restart systemd-binfmt`");
    }

    #[test]
    fn this_test_needs_a_dynamic_linker() {
        assert!(!is_static(Path::new("/proc/self/exe")).unwrap());
        assert!(is_static(Path::new("/proc/self/status")).is_err());
    }
}
