//! Which objects a kernel is made of, and on which CONFIG symbols each depends: the output `objects.json`.
//!
//! Linux 6.1 and later link from `vmlinux.a`, an archive of names that holds every built-in object but those of the libraries; the `.mod` file
//! of each module names the module's. So what an earlier build left beside them does not count. What an object
//! depends on is in the `.cmd` file that `fixdep` wrote beside it (kernel: scripts/basic/fixdep.c). A symbol that decides the flags of
//! every compiler call stands in no `.cmd` file: these are read from the Makefiles that make the flags.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

use crate::sandbox::Layers;

/// The output's name.
pub const OBJECTS: &str = "objects.json";

/// The largest file that is read: an archive of names of 100,000 objects.
const MOST_BYTES: u64 = 16 << 20;

/// The objects of a kernel; sorted, and the same however it was built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectList {
    /// Version of the format: 1.
    pub version: u32,
    /// Paths below the build directory.
    pub objects: BTreeSet<String>,
    /// How many of them depend on each symbol, named without `CONFIG_`.
    pub symbols: BTreeMap<String, u32>,
    /// Symbols that decide how all of them are compiled.
    pub flags: BTreeSet<String>,
}

impl ObjectList {
    /// Reads the output.
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json)
            .ok()
            .filter(|list: &Self| list.version == 1)
    }

    /// How many objects are compiled anew when a symbol changes, as far as can be told.
    pub fn dependents(&self, symbol: &str) -> usize {
        if self.flags.contains(symbol) {
            return self.objects.len();
        }
        self.symbols.get(symbol).copied().unwrap_or_default() as usize
    }

    /// Symbols on which at least such a part of the objects depends, in percent.
    pub fn costly(&self, percent: usize) -> impl Iterator<Item = &str> {
        let many = self.objects.len() * percent / 100;
        let symbols = self.symbols.iter();
        let symbols = symbols.filter(move |(_, count)| **count as usize >= many);
        let flags = self.flags.iter().map(String::as_str);
        symbols.map(|(symbol, _)| &**symbol).chain(flags)
    }

    /// Lists what a build left; `None` where this kernel does not say what it is linked from.
    pub(super) fn read(build: &Layers, source: &Path, srcarch: &str) -> Option<Self> {
        let mut objects: BTreeSet<String> = members(&bytes(build, "vmlinux.a")?).collect();
        for dir in ["lib".to_owned(), format!("arch/{srcarch}/lib")] {
            let archive = bytes(build, &format!("{dir}/lib.a")).unwrap_or_default();
            objects.extend(members(&archive).map(|name| format!("{dir}/{name}")));
        }
        let order = bytes(build, "modules.order").unwrap_or_default();
        for module in String::from_utf8_lossy(&order).split_whitespace() {
            let parts = bytes(
                build,
                &Path::new(module).with_extension("mod").to_string_lossy(),
            );
            let parts = parts.unwrap_or_default();
            let parts = String::from_utf8_lossy(&parts);
            let parts = parts.split_whitespace().filter(|part| is_object(part));
            objects.extend(parts.map(str::to_owned));
        }
        let mut symbols = BTreeMap::new();
        for object in &objects {
            let (dir, name) = object.rsplit_once('/').unwrap_or((".", object));
            let command = bytes(build, &format!("{dir}/.{name}.cmd")).unwrap_or_default();
            for symbol in depends(&String::from_utf8_lossy(&command)) {
                *symbols.entry(symbol.to_owned()).or_insert(0) += 1;
            }
        }
        let flags = flags(source, srcarch);
        Some(Self {
            version: 1,
            objects,
            symbols,
            flags,
        })
    }
}

fn is_object(name: &str) -> bool {
    name.strip_suffix(".o").is_some()
}

fn bytes(build: &Layers, path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(build.file(path)?).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The names that a thin archive holds: its second or first member, `//`, lists them by lines that end in `/`.
fn members(archive: &[u8]) -> impl Iterator<Item = String> {
    const HEADER: usize = 60;
    let mut rest = archive.strip_prefix(b"!<thin>\n").unwrap_or_default();
    let mut names = &[][..];
    while let Some((header, body)) = rest.split_at_checked(HEADER) {
        let size = str::from_utf8(&header[48..58]).ok();
        let Some(size) = size.and_then(|size| size.trim().parse::<usize>().ok()) else {
            break;
        };
        let Some((body, after)) = body.split_at_checked(size) else {
            break;
        };
        if header.starts_with(b"//") {
            names = body;
            break;
        }
        // Only the symbols before the names have a body here.
        rest = after
            .strip_prefix(b"\n")
            .filter(|_| size % 2 == 1)
            .unwrap_or(after);
    }
    let names = names.split(|byte| *byte == b'\n');
    let names = names.filter_map(|name| name.strip_suffix(b"/"));
    let names: Vec<String> = names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    names.into_iter().filter(|name| is_object(name))
}

/// The symbols of a `.cmd` file, each once.
fn depends(command: &str) -> BTreeSet<&str> {
    let parts = command.split("$(wildcard include/config/").skip(1);
    parts
        .filter_map(|part| Some(part.split_once(')')?.0))
        .collect()
}

/// The symbols of the lines that make the flags of all compiler calls.
fn flags(source: &Path, srcarch: &str) -> BTreeSet<String> {
    let scripts = fs::read_dir(source.join("scripts"))
        .into_iter()
        .flatten()
        .flatten();
    let scripts = scripts.map(|entry| entry.path());
    let scripts = scripts.filter(|path| {
        path.file_stem().is_some_and(|stem| stem == "Makefile") && path.extension().is_some()
    });
    let mut files: Vec<_> = scripts.collect();
    files.push(source.join("Makefile"));
    files.push(source.join("arch").join(srcarch).join("Makefile"));
    let mut found = BTreeSet::new();
    for file in files
        .iter()
        .filter(|file| file.symlink_metadata().is_ok_and(|facts| facts.is_file()))
    {
        let text = fs::read(file).unwrap_or_default();
        found.extend(mentioned(&String::from_utf8_lossy(&text)).map(str::to_owned));
    }
    found
}

fn mentioned(makefile: &str) -> impl Iterator<Item = &str> {
    let lines = makefile.lines().filter(|line| {
        let words = ["FLAGS", "flags", "ifdef ", "ifndef ", "ifeq ", "ifneq "];
        words.iter().any(|word| line.contains(word))
    });
    let parts = lines.flat_map(|line| line.split("CONFIG_").skip(1));
    let end = |part: &str| part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    parts.map(move |part| &part[..end(part).unwrap_or(part.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, size: usize) -> String {
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644)
    }

    fn thin(names: &[&str]) -> Vec<u8> {
        let list = names.join("/\n") + "/\n";
        let symbols = header("/", 5) + "12345\n";
        let names = header("//", list.len()) + list.as_str();
        format!("!<thin>\n{symbols}{names}{}", header("/0", 1234)).into_bytes()
    }

    #[test]
    fn what_is_linked_counts_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, bytes: &[u8]| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        put("b/vmlinux.a", &thin(&["init/main.o", "kernel/fork.o"]));
        put("b/lib/lib.a", &thin(&["argv.o"]));
        put("b/modules.order", b"fs/ext2/ext2.ko\n");
        put("b/fs/ext2/ext2.mod", b"fs/ext2/super.o\n\n");
        let wildcards = "deps_x := \\\n  a.h \\\n    $(wildcard include/config/SMP) \\\n    $(wildcard include/config/SMP) \\\n";
        put("b/init/.main.o.cmd", wildcards.as_bytes());
        put("b/fs/ext2/.super.o.cmd", wildcards.as_bytes());
        put("b/kernel/.gone.o.cmd", wildcards.as_bytes());
        put("s/Makefile", b"else ifdef CONFIG_FRAME_POINTER\nKBUILD_CFLAGS-$(CONFIG_CC_X) += -x\nobj-$(CONFIG_PCI) += y\n");
        let build = Layers::new(dir.path().join("b"), Vec::new());
        let list = ObjectList::read(&build, &dir.path().join("s"), "x86").unwrap();
        insta::assert_snapshot!(serde_json::to_string(&list).unwrap(), @r#"{"version":1,"objects":["fs/ext2/super.o","init/main.o","kernel/fork.o","lib/argv.o"],"symbols":{"SMP":2},"flags":["CC_X","FRAME_POINTER"]}"#);
        assert_eq!(
            (
                list.dependents("SMP"),
                list.dependents("CC_X"),
                list.dependents("X")
            ),
            (2, 4, 0)
        );
        assert_eq!(
            list.costly(50).collect::<Vec<_>>(),
            ["SMP", "CC_X", "FRAME_POINTER"]
        );
        assert_eq!(
            ObjectList::parse(&serde_json::to_vec(&list).unwrap()),
            Some(list)
        );
    }

    #[test]
    fn a_torn_archive_has_no_members() {
        let whole = thin(&["a.o"]);
        assert_eq!(members(&whole).collect::<Vec<_>>(), ["a.o"]);
        for end in 0..whole.len() - 61 {
            assert_eq!(members(&whole[..end]).count(), 0, "{end}");
        }
    }
}
