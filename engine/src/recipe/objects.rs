//! How far a kernel's build is, by what its log tells.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::Step;
use crate::buildlog::BuildLog;

/// Between two looks at the log.
const TICK: Duration = Duration::from_millis(300);

/// Reads a log that grows.
#[derive(Debug)]
pub(super) struct Objects {
    of: u64,
    log: BuildLog,
    read: u64,
}

impl Objects {
    /// Of a build of a .config, whose part of the log begins at an offset.
    pub(super) fn new(config: &[u8], begin: u64) -> Self {
        Self {
            of: expected(config),
            log: BuildLog::default(),
            read: begin,
        }
    }

    /// Looks at the log until `end` is dropped, telling what is new; gives what there was.
    pub(super) fn watch(mut self, log: &File, end: &Receiver<()>, tell: &dyn Fn(Step)) -> BuildLog {
        loop {
            let ended = end.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected);
            if self.look(log) {
                tell(self.step());
            }
            if ended {
                self.log.end();
                return self.log;
            }
        }
    }

    /// Reads what the log has grown by; says whether there were objects in it.
    fn look(&mut self, log: &File) -> bool {
        let before = self.log.objects;
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = log.read_at(&mut buffer, self.read) {
            self.read += count as u64;
            self.log.push(&buffer[..count]);
        }
        self.log.objects > before
    }

    fn step(&self) -> Step {
        Step {
            done: self.log.objects,
            of: Some(self.of.max(self.log.objects)),
            at: self.log.at.clone(),
        }
    }
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
        let mut objects = Objects::new(b"CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=\"y\"\n", 0);
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
        let objects = Objects::new(b"", 0);
        let log = objects.watch(&log, &ended, &|_| {});
        assert_eq!((log.objects, log.warnings), (1, 1));
    }
}
