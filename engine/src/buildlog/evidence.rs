//! Whether it was the machine that failed: by how processes ended, as those who started them tell it at the begin of a line.
//!
//! What a compiler quotes of the source never counts: it stands behind a place, a margin or a quote.
//!
//! Forms: GNU make `job.c` (`Error N`, a signal's name), GCC `gcc.cc` and `collect2.cc` (`terminated with signal`), libiberty `xmalloc.c`, LLVM
//! `ErrorHandling.cpp`, glibc `strerror`.

use std::sync::LazyLock;

use regex::Regex;

use crate::text::regex;

/// What a line tells of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing could be done here: no space, no memory, killed from outside.
    Broken(String),
    /// A tool died of a fault of its own: its bug, or the machine's memory.
    Doubtful(String),
}

/// Of make: a status of 128 and more is a signal's, as the shell tells it.
static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^make(?:\[\d+\])?: \*\*\* \[.*\] (?:Error (\d+)|([A-Z][a-z ]+)(?: \(core dumped\))?)$")
});

/// Of a compiler's driver: a part of it was killed.
static KILLED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\S*(?:gcc|g\+\+|cc|clang|collect2)(?:-[\d.]+)?: (?:fatal )?error: (?:Killed signal terminated program \S+|\S+ terminated with signal 9 .*|unable to execute command: Killed|linker command failed due to signal.*9)",
    )
});

static MEMORY: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^(?:\S*(?:cc1|cc1plus|lto1|ld|ld\.\w+|as|rustc|clang\S*|modpost|objtool|python3?): )(?:fatal error: |error: |final link failed: )?(?:out of memory|memory exhausted|[Cc]annot allocate memory)",
        r"|^cc1(?:plus)?: out of memory allocating|^virtual memory exhausted|^LLVM ERROR: out of memory|^\S+: (?:v?fork|clone): (?:Resource temporarily unavailable|Cannot allocate memory)",
        r"|^/bin/(?:sh|bash): (?:\d+: |line \d+: )?(?:Cannot fork|fork: .*)$|^memory allocation of \d+ bytes failed",
    ))
});

/// What the system answered, at the end of a line that a tool begins with its own name or the file it wrote; dpkg says what it could not do.
static SYSTEM: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^(?:[\w./+-]+: |\{standard input\}: | (?:cannot|unable to|failed to) )[^|]*(?:^|[:'(] ?)(?:\d+: )?(No space left on device|Disk quota exceeded|Too many open files(?: in system)?|Input/output error",
        r"|Read-only file system|Structure needs cleaning|Stale file handle)'?\)?(?:\.| \(os error \d+\))?$",
    ))
});

/// `file:line:column: warning: …` is the compiler's own words about a source.
static PLACED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[^\s:]+:\d+(?::\d+)?: (?:warning|error|note|In file)"));

static CRASHED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"internal compiler error: |^PLEASE (?:submit a full bug report|ATTACH)|^\S*(?:gcc|clang|collect2)\S*: (?:fatal )?error: .*(?:terminated with signal (?:6|7|11)|unable to execute command: (?:Segmentation fault|Bus error|Aborted))",
    )
});

/// What `line` tells of the machine, if anything.
pub(super) fn read(line: &str) -> Option<Evidence> {
    let broken = || Some(Evidence::Broken(line.trim().to_owned()));
    if let Some(found) = STATUS.captures(line) {
        let doubtful = Some(Evidence::Doubtful(line.trim().to_owned()));
        return match (found.get(1), found.get(2).map(|word| word.as_str())) {
            (Some(status), _) => match status.as_str() {
                "137" | "143" => broken(),
                "132" | "134" | "135" | "136" | "139" => doubtful,
                _ => None,
            },
            (_, Some("Killed" | "Terminated")) => broken(),
            (_, Some("Segmentation fault" | "Bus error" | "Aborted" | "Illegal instruction")) => {
                doubtful
            }
            _ => None,
        };
    }
    if KILLED.is_match(line) || MEMORY.is_match(line) {
        return broken();
    }
    if CRASHED.is_match(line) {
        return Some(Evidence::Doubtful(line.trim().to_owned()));
    }
    if SYSTEM.is_match(line) && !PLACED.is_match(line) {
        return broken();
    }
    None
}
