//! A program of the host with what it needs to run, and nothing else of the host.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::spec::Bind;
use crate::elf::loader;

/// Where programs of the host are looked for.
const PATH: [&str; 6] = [
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
];

/// Where programs are that others start.
const LIBEXEC: &str = "/usr/libexec";

/// For temporary files: QEMU takes `/var/tmp` where it is told `/tmp`.
pub const TEMPORARY: &str = "/dev/shm";

/// More of a program's installation than its shared libraries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras {
    /// Directories with shared objects that it loads as it needs them.
    pub modules: &'static [&'static str],
    /// How the names of those begin whose own libraries are needed too.
    pub prefixes: &'static [&'static str],
    /// Directories with its data; what links in them lead to is shown too.
    pub data: &'static [&'static str],
}

/// A program, its loader, the closure of its shared libraries, and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Path of the program, the same inside.
    pub program: PathBuf,
    /// What must be shown, read-only.
    pub binds: Vec<Bind>,
    /// Directories of the libraries, for `LD_LIBRARY_PATH`: inside there is no `/etc/ld.so.cache`.
    pub libraries: String,
}

/// The path of a program of the host by its bare name, in the system's directories.
pub fn host_program(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let mut paths = PATH.iter().map(|dir| Path::new(dir).join(name));
    let path = paths.find(|path| path.is_file())?;
    // Debian wraps `qemu-system-i386` in a script, for Xen's sake.
    let wrapped = Path::new(LIBEXEC).join(name);
    Some(if wrapped.is_file() && is_script(&path) {
        wrapped
    } else {
        path
    })
}

fn is_script(path: &Path) -> bool {
    let mut begin = [0; 2];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *b"#!"
}

/// Bytes of a program in which its headers lie.
const HEADERS: u64 = 64 << 10;

impl Installation {
    /// Finds a program by its bare name in the system's directories; `NotFound` where there is none.
    pub fn find(name: &str, extras: Extras) -> io::Result<Self> {
        if name.is_empty() || name.contains('/') {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let program = host_program(name);
        let program = program.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut files = BTreeSet::from([program.clone()]);
        libraries(&program, &mut files)?;
        let mut dirs = BTreeSet::new();
        for dir in extras.modules.iter().map(Path::new) {
            let Ok(entries) = fs::read_dir(dir) else {
                continue;
            };
            dirs.insert(dir.to_owned());
            for entry in entries {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if extras
                    .prefixes
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
                {
                    // A module whose libraries are not there is none that the program can load.
                    let _ = libraries(&path, &mut files);
                }
            }
        }
        for dir in extras.data.iter().map(Path::new) {
            if dir.is_dir() {
                dirs.insert(dir.to_owned());
                linked(dir, &mut files)?;
            }
        }
        files.retain(|file| !dirs.iter().any(|dir| file.starts_with(dir)));
        let libraries: BTreeSet<String> = files
            .iter()
            .filter(|file| **file != program)
            .filter_map(|file| Some(file.parent()?.display().to_string()))
            .filter(|dir| dir.contains("/lib"))
            .collect();
        let bind = |path: &PathBuf| Bind {
            source: path.clone(),
            target: path.clone(),
            read_only: true,
        };
        Ok(Self {
            binds: dirs.iter().chain(&files).map(bind).collect(),
            libraries: libraries.into_iter().collect::<Vec<_>>().join(":"),
            program,
        })
    }

    /// Variables of its environment.
    pub fn env(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("LD_LIBRARY_PATH".to_owned(), self.libraries.clone()),
            ("LC_ALL".to_owned(), "C".to_owned()),
            ("TMPDIR".to_owned(), TEMPORARY.to_owned()),
        ])
    }
}

/// Adds the loader of a program or shared object, and what it would load.
fn libraries(program: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let mut headers = Vec::new();
    fs::File::open(program)?
        .take(HEADERS)
        .read_to_end(&mut headers)?;
    // A shared object names no loader: that of any program here does.
    let loader = match loader(&headers) {
        Some(loader) => PathBuf::from(loader),
        None => match files.iter().find(|file| is_loader(file)) {
            Some(loader) => loader.clone(),
            // A static program.
            None => return Ok(()),
        },
    };
    let output = Command::new(&loader)
        .arg("--list")
        .arg(program)
        .env_clear()
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io::Error::other(said));
    }
    files.extend(listed(&String::from_utf8_lossy(&output.stdout)));
    files.insert(loader);
    Ok(())
}

fn is_loader(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("ld-") || name.starts_with("ld.so") || name.starts_with("ld64.so")
}

/// The paths in what the loader lists: `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)`.
fn listed(text: &str) -> impl Iterator<Item = PathBuf> + '_ {
    text.lines().filter_map(|line| {
        let path = line.rsplit(" => ").next()?.trim();
        let path = path.split(" (").next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    })
}

/// Adds the files that links in a directory lead to.
fn linked(dir: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_symlink()
            && let Ok(target) = fs::canonicalize(&path)
            && target.is_file()
        {
            files.insert(target);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaders_list_is_read() {
        let text = "\tlinux-vdso.so.1 (0x00007fff)\n\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let paths: Vec<PathBuf> = listed(text).collect();
        assert_eq!(
            paths,
            [
                Path::new("/lib/x86_64-linux-gnu/libz.so.1"),
                Path::new("/lib64/ld-linux-x86-64.so.2")
            ]
        );
    }

    #[test]
    fn only_a_bare_name_is_looked_for() {
        let kind = |name: &str| Installation::find(name, Extras::default()).map_err(|e| e.kind());
        assert_eq!(kind("/bin/sh"), Err(io::ErrorKind::InvalidInput));
        assert_eq!(kind("../sh"), Err(io::ErrorKind::InvalidInput));
        assert_eq!(kind("no-such-program"), Err(io::ErrorKind::NotFound));
        let sh = kind("cat").unwrap();
        assert!(sh.binds.iter().all(|bind| bind.read_only));
        assert!(sh.binds.iter().any(|bind| bind.source == sh.program));
    }
}
