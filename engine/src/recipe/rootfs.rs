//! A root filesystem: a static `/init` and one suite, compiled by the toolchain and packed reproducibly.

use std::collections::BTreeMap;
use std::path::Path;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::End;
use super::step::Step;
use super::step::left;
use crate::elf::Program;
use crate::model::Abi;
use crate::model::RootfsFormat;
use crate::sandbox::User;
use crate::spec::RootfsSpec;

// Objects have names of their own, as some compilers put the name of a temporary one into the program.
const COMPILE: &str = r#"
mkdir -p root/dev root/proc root/sys root/tmp
options= libraries=
if [ -f libc.c ]; then
    options='-nostdlib -ffreestanding' libraries='libc.o -lgcc'
fi
for source in *.c; do
    $CC $options -Os -Wall -Wextra -c -o ${source%.c}.o $source
done
for program in init suite; do
    [ ! -f $program.o ] || $CC $options -static -o root/$program $program.o $libraries
done
if [ -n "$BUSYBOX" ]; then
    if [ ! -f "$BUSYBOX" ]; then
        echo "rootfs: error: the toolchain's image has no \`$BUSYBOX\`: add the package with a static busybox to it"
        exit 1
    fi
    mkdir -p root/bin root/sbin root/etc root/root
    cp "$BUSYBOX" root/bin/busybox
    ln -s busybox root/bin/sh
fi
find root -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
"#;

const PACK_INITRAMFS: &str = r"
cd root
find . | LC_ALL=C sort | cpio --quiet --create --format=newc --reproducible --owner=0:0 | gzip -9 --no-name > ../initrd
";

// mke2fs copies the owner and the time of change of each file, which are whose and when they happen to be.
const PACK_EXT2: &str = r#"
if ! command -v mke2fs > /dev/null || ! command -v debugfs > /dev/null; then
    echo "rootfs: error: the toolchain's image has no \`mke2fs\`: add the package \`e2fsprogs\` to it"
    exit 1
fi
export E2FSPROGS_FAKE_TIME="$SOURCE_DATE_EPOCH"
id=00000000-0000-4000-8000-000000000001
mke2fs -q -t ext2 -b 1024 -I 256 -m 0 -N 64 -U $id -E hash_seed=$id -d root disk 8M
for file in $(cd root && find . | LC_ALL=C sort); do
    for field in 'uid 0' 'gid 0' "atime @$SOURCE_DATE_EPOCH" "ctime @$SOURCE_DATE_EPOCH"; do
        echo "set_inode_field /${file#./} $field"
    done
done > owners
debugfs -w -f owners disk > /dev/null
"#;

const PACK_TAR: &str = r#"
tar --create --directory=root --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" . | gzip -9 --no-name > nfsroot
"#;

impl Tools {
    /// Output `initrd`, a gzip-compressed cpio archive (newc), `disk`, an ext2 file system, or `nfsroot`, a gzip-compressed tarball.
    pub(super) fn rootfs(&self, spec: &RootfsSpec, job: &Job) -> Result<Finished, Broken> {
        let tools = self;
        let image = tools.image_tree(job)?;
        let work = tools.build_dir("rootfs")?;
        tools.write(&work.path().join("init.c"), &spec.init)?;
        if let Some(suite) = &spec.suite {
            tools.write(&work.path().join("suite.c"), suite)?;
        }
        if let Some(libc) = &spec.libc {
            tools.write(&work.path().join("libc.c"), libc)?;
        }
        let (pack, output) = match spec.format {
            RootfsFormat::Initramfs => (PACK_INITRAMFS, "initrd"),
            RootfsFormat::Ext2 => (PACK_EXT2, "disk"),
            RootfsFormat::Tar => (PACK_TAR, "nfsroot"),
        };
        let step = Step {
            script: &format!("{COMPILE}{pack}"),
            env: BTreeMap::from([
                ("CC".to_owned(), spec.cc.clone()),
                ("BUSYBOX".to_owned(), spec.shell.clone().unwrap_or_default()),
            ]),
            user: User::Worker,
            binds: Vec::new(),
            parallel: false,
        };
        let failure = |message| Finished::failure(message, BTreeMap::new(), String::new());
        if let End::Failure(message) = tools.step(job, image.path(), work.path(), &step)? {
            return Ok(failure(message));
        }
        let suite = spec.suite.as_ref().map(|_| "suite");
        let shell = spec.shell.as_ref().map(|_| "bin/busybox");
        let programs = std::iter::once("init").chain(suite).chain(shell);
        if let Some(message) = unfit(&work.path().join("root"), programs, spec.abi) {
            return Ok(failure(message));
        }
        let outputs = tools.take(work.path(), &[(output, output)])?;
        Ok(Finished::success(outputs, String::new()))
    }
}

/// Why programs cannot be booted where those of an ABI run alone.
fn unfit<'p>(root: &Path, programs: impl Iterator<Item = &'p str>, abi: Abi) -> Option<String> {
    for name in programs {
        let bytes = left(root, name).and_then(|path| std::fs::read(path).ok());
        let Some(program) = bytes.and_then(|bytes| Program::read(&bytes)) else {
            return Some(format!("`/{name}` is no ELF file"));
        };
        if program.elf != abi.elf() {
            return Some(format!(
                "`/{name}` is {}, not {} as programs of the ABI `{}`",
                program.elf,
                abi.elf(),
                abi.name()
            ));
        }
        if program.needs_loader {
            return Some(format!(
                "`/{name}` is not static: it needs a loader for shared libraries"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A little-endian program of 64 bits, with one program header of a type.
    fn elf(machine: u8, header: u8) -> Vec<u8> {
        let mut program = b"\x7fELF\x02\x01\x01".to_vec();
        program.resize(64 + 56, 0);
        (program[18], program[32], program[54], program[56]) = (machine, 64, 56, 1);
        program[64] = header;
        program
    }

    #[test]
    fn both_programs_are_static_and_of_the_abi() {
        let root = tempfile::tempdir().unwrap();
        let unfit = |init: &[u8], suite: &[u8]| {
            std::fs::write(root.path().join("init"), init).unwrap();
            std::fs::write(root.path().join("suite"), suite).unwrap();
            let programs = ["init", "suite"].into_iter();
            unfit(root.path(), programs, Abi::Aarch64).unwrap_or_default()
        };
        let fit = elf(183, 1);
        assert_eq!(unfit(&fit, &fit), "");
        insta::assert_snapshot!(unfit(&fit, &elf(183, 3)), @"`/suite` is not static: it needs a loader for shared libraries");
        insta::assert_snapshot!(unfit(&fit, &elf(62, 1)), @"`/suite` is ELF of 64 bits, little-endian, machine 62, not ELF of 64 bits, little-endian, machine 183 as programs of the ABI `aarch64`");
        insta::assert_snapshot!(unfit(b"#!/bin/sh", &fit), @"`/init` is no ELF file");
    }
}
