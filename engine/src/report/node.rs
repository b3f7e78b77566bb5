//! How every report names a node's verdict, place and log.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::path::Path;

use store::OutcomeVerdict;

use crate::spec::Kind;

/// How much of a log's end is read for its last lines, in bytes.
const TAIL_BYTES: u64 = 64 * 1024;

/// The verdict as one word.
pub(super) fn verdict_word(verdict: OutcomeVerdict) -> &'static str {
    match verdict {
        OutcomeVerdict::Succeeded => "succeeded",
        OutcomeVerdict::Failed => "failed",
        OutcomeVerdict::Broken => "broken",
        OutcomeVerdict::Skipped => "skipped",
    }
}

/// Whether nodes of this kind are named by a build or boot address.
pub(super) fn is_addressed(kind: Kind) -> bool {
    matches!(kind, Kind::Config | Kind::Kernel | Kind::Match | Kind::Boot)
}

/// The last lines of a log, at most so many. Bytes that are no UTF-8 are replaced.
pub(super) fn log_tail(path: &Path, lines: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let skipped = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut tail: Vec<&str> = text.lines().rev().take(lines).collect();
    tail.reverse();
    Ok(tail.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_tail_is_bounded_in_lines_and_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("build.log");
        fs::write(&log, b"one\ntwo\r\nth\xffree\n").unwrap();
        assert_eq!(log_tail(&log, 2).unwrap(), "two\nth\u{fffd}ree");
        fs::write(&log, "x".repeat(200_000)).unwrap();
        assert_eq!(log_tail(&log, 9).unwrap().len(), 64 * 1024);
        fs::write(&log, "").unwrap();
        assert_eq!(log_tail(&log, 9).unwrap(), "");
    }
}
