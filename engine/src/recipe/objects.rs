//! How far a kernel's build is, by what kbuild prints: `  CC      init/main.o`.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::Step;

/// Between two looks at the log.
const TICK: Duration = Duration::from_millis(300);

/// What a build's log told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Built {
    /// Objects compiled.
    pub objects: u64,
    /// Warnings of the compiler, the linker and objtool, not of make.
    pub warnings: u64,
}

/// Counts objects and warnings in a growing log.
#[derive(Debug)]
pub(super) struct Objects {
    of: u64,
    built: Built,
    at: String,
    read: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
}

impl Objects {
    /// Of a build of a .config.
    pub(super) fn new(config: &[u8]) -> Self {
        Self {
            of: expected(config),
            built: Built::default(),
            at: String::new(),
            read: 0,
            rest: Vec::new(),
        }
    }

    /// Looks at the log until `end` is dropped, telling what is new; gives what there was.
    pub(super) fn watch(mut self, log: &File, end: &Receiver<()>, tell: &dyn Fn(Step)) -> Built {
        loop {
            let ended = end.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected);
            if self.look(log) {
                tell(self.step());
            }
            if ended {
                return self.built;
            }
        }
    }

    /// Reads what the log has grown by; says whether there were objects in it.
    fn look(&mut self, log: &File) -> bool {
        let before = self.built.objects;
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = log.read_at(&mut buffer, self.read) {
            self.read += count as u64;
            for byte in &buffer[..count] {
                if *byte == b'\n' {
                    let line = std::mem::take(&mut self.rest);
                    self.line(&String::from_utf8_lossy(&line));
                } else {
                    self.rest.push(*byte);
                }
            }
        }
        self.built.objects > before
    }

    fn line(&mut self, line: &str) {
        if let Some(object) = object(line) {
            self.built.objects += 1;
            object.clone_into(&mut self.at);
        } else if line.contains(": warning: ") && !line.starts_with("make") {
            self.built.warnings += 1;
        }
    }

    fn step(&self) -> Step {
        Step {
            done: self.built.objects,
            of: Some(self.of.max(self.built.objects)),
            at: self.at.clone(),
        }
    }
}

/// The object that a line of kbuild's tells of: compiled C or assembly, built in or for a module.
fn object(line: &str) -> Option<&str> {
    let line = line.strip_prefix("  ")?;
    let rest = line
        .strip_prefix("CC ")
        .or_else(|| line.strip_prefix("AS "))?;
    let rest = rest.trim_start();
    let object = rest.strip_prefix("[M]").unwrap_or(rest).trim();
    object.strip_suffix(".o").map(|_| object)
}

/// About how many objects a .config makes.
///
/// Measured on 6.1: 133 symbols give 438 objects (m68k), 140 give 475 (alpha), 397 give 847 (x86).
fn expected(config: &[u8]) -> u64 {
    let lines = config.split(|byte| *byte == b'\n');
    let on = lines.filter(|line| line.ends_with(b"=y") || line.ends_with(b"=m"));
    250 + on.count() as u64 * 8 / 5
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn objects_are_counted_and_the_last_is_named() {
        let mut log = tempfile::tempfile().unwrap();
        let mut objects = Objects::new(b"CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=\"y\"\n");
        log.write_all(b"  HOSTCC  scripts/basic/fixdep\n  CC      init/main.o\n  CC [M]  fs/ex")
            .unwrap();
        assert!(objects.look(&log));
        let step = objects.step();
        assert_eq!(
            (step.done, step.of, &*step.at),
            (1, Some(253), "init/main.o")
        );
        log.write_all(b"t2/balloc.o\n  AS      arch/x86/head.o\n  LD      vmlinux.o\n")
            .unwrap();
        assert!(objects.look(&log));
        assert!(!objects.look(&log));
        let step = objects.step();
        assert_eq!((step.done, &*step.at), (3, "arch/x86/head.o"));
    }

    #[test]
    fn what_is_in_the_log_at_the_end_is_counted() {
        let mut log = tempfile::tempfile().unwrap();
        log.write_all(
            b"  CC      a.o\na.c:3:1: warning: unused variable `x` [-Wunused-variable]\n",
        )
        .unwrap();
        let (end, ended) = channel();
        drop(end);
        let objects = Objects::new(b"");
        let built = Built {
            objects: 1,
            warnings: 1,
        };
        assert_eq!(objects.watch(&log, &ended, &|_| {}), built);
    }
}
