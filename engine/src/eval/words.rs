//! Words of definitions that go on to make, a shell, QEMU or LAVA.

use crate::text::Spelling;

/// `ARCH=`
pub(super) const KERNEL_ARCH: Spelling = Spelling {
    noun: "a kernel architecture",
    example: "x86_64",
    begins: "",
    upper: false,
    marks: "_",
    ends: "",
};

/// A word of make's command line that is no option and sets no variable.
pub(super) const MAKE_TARGET: Spelling = Spelling {
    noun: "a make target",
    example: "multi_v7_defconfig",
    begins: "",
    upper: true,
    marks: "_.+-/",
    ends: "",
};

/// A file that a build leaves.
pub(super) const BUILD_FILE: Spelling = Spelling {
    noun: "a file below the build directory",
    example: "arch/x86/boot/bzImage",
    begins: "",
    upper: true,
    marks: "_.+-/",
    ends: "",
};

/// `CROSS_COMPILE=`, to be found in `PATH`.
pub(super) const TOOL_PREFIX: Spelling = Spelling {
    noun: "a cross compiler's prefix",
    example: "arm-linux-gnueabihf-",
    begins: "",
    upper: true,
    marks: "_.-",
    ends: "-",
};

/// A program of QEMU that runs a whole machine.
pub(super) const QEMU_BINARY: Spelling = Spelling {
    noun: "a system emulator of QEMU",
    example: "qemu-system-x86_64",
    begins: "qemu-system-",
    upper: false,
    marks: "_-",
    ends: "",
};

/// What QEMU's `-M` and `-device` take.
pub(super) const QEMU_MODEL: Spelling = Spelling {
    noun: "a model of QEMU with its properties",
    example: "virt,highmem=off",
    begins: "",
    upper: true,
    marks: "_.,=:+-",
    ends: "",
};

/// What QEMU's `-cpu` takes; some models of SPARC have blanks in their names.
pub(super) const QEMU_CPU: Spelling = Spelling {
    noun: "a processor of QEMU with its properties",
    example: "cortex-a15",
    begins: "",
    upper: true,
    marks: "_.,=+- ",
    ends: "",
};

/// `if=` of QEMU's `-drive`.
pub(super) const DRIVE_INTERFACE: Spelling = Spelling {
    noun: "a drive interface of QEMU",
    example: "scsi",
    begins: "",
    upper: false,
    marks: "-",
    ends: "",
};

/// `console=` of the kernel's command line.
pub(super) const CONSOLE: Spelling = Spelling {
    noun: "a console device",
    example: "ttyS0",
    begins: "",
    upper: true,
    marks: "_,-",
    ends: "",
};

/// `root=` of the kernel's command line.
pub(super) const ROOT_DEVICE: Spelling = Spelling {
    noun: "a block device",
    example: "/dev/sda",
    begins: "/dev/",
    upper: true,
    marks: "_-/",
    ends: "",
};

/// A device type, a tag or a user of a LAVA server.
pub(super) const LAVA_NAME: Spelling = Spelling {
    noun: "a name in LAVA",
    example: "beaglebone-black",
    begins: "",
    upper: true,
    marks: "_.@+-",
    ends: "",
};

/// A commit of git.
pub(super) const COMMIT: Spelling = Spelling {
    noun: "a commit",
    example: "0123456789abcdef0123456789abcdef01234567",
    begins: "",
    upper: false,
    marks: "",
    ends: "",
};

/// A file of a git repository.
pub(super) const REPOSITORY_FILE: Spelling = Spelling {
    noun: "a file of the repository",
    example: "automated/linux/smoke/smoke.yaml",
    begins: "",
    upper: true,
    marks: "_.+-/",
    ends: "",
};

/// A program in an image.
pub(super) const IMAGE_FILE: Spelling = Spelling {
    noun: "a file of the image",
    example: "/bin/busybox",
    begins: "/",
    upper: true,
    marks: "_.+-/",
    ends: "",
};

/// A variable of the environment.
pub(super) const ENVIRONMENT: Spelling = Spelling {
    noun: "a variable of the environment",
    example: "LAVA_TOKEN",
    begins: "",
    upper: true,
    marks: "_",
    ends: "",
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [&Spelling; 15] = [
        &KERNEL_ARCH,
        &MAKE_TARGET,
        &BUILD_FILE,
        &TOOL_PREFIX,
        &QEMU_BINARY,
        &QEMU_MODEL,
        &QEMU_CPU,
        &DRIVE_INTERFACE,
        &CONSOLE,
        &ROOT_DEVICE,
        &LAVA_NAME,
        &COMMIT,
        &REPOSITORY_FILE,
        &IMAGE_FILE,
        &ENVIRONMENT,
    ];

    #[test]
    fn examples_are_spelt_so() {
        for spelling in ALL {
            assert!(spelling.fits(spelling.example), "{spelling}");
        }
    }

    proptest! {
        #[test]
        fn what_fits_is_one_word_to_make_and_to_a_shell(word in "[a-z0-9/_.,:=+@$`;&|<>(){}*?'\"\\\\#!~% \t\n-]{1,12}") {
            for spelling in ALL.into_iter().filter(|spelling| spelling.fits(&word)) {
                let mark = |c: char| !c.is_ascii_alphanumeric() && !"/_.,:=+@-".contains(c);
                let odd = word.contains(mark) && *spelling != QEMU_CPU;
                prop_assert!(!odd && !word.starts_with('-'), "{spelling}");
                let variable = word.contains('=') && ![QEMU_MODEL, QEMU_CPU].contains(spelling);
                prop_assert!(!variable, "{spelling}");
                prop_assert!(!word.split('/').any(|part| part == ".."), "{spelling}");
            }
        }
    }
}
