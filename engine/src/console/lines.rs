//! Raw console bytes to clean lines, with lines torn apart by printk made whole again.

use std::borrow::Cow;
use std::mem;
use std::sync::LazyLock;

use memchr::memchr2;
use regex::Regex;

use super::stamp;
use super::stamp::Caller;
use super::stamp::Stamp;
use crate::text::regex;

/// Bytes of one line that are kept; a machine gone mad prints without newlines.
const MAX_LINE: usize = 4096;

/// CSI sequences, OSC sequences, and the two-byte escapes.
static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])")
});

/// How a line of user space that matters begins: KTAP, and the markers of `/init`.
const TEARABLE: [&str; 8] = [
    "ok ",
    "not ok ",
    "KTAP version ",
    "TAP version ",
    "1..",
    "engine: ",
    "Bail out!",
    "# ",
];

/// One clean line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Text without stamp, escapes and control characters; leading spaces kept.
    pub(super) text: &'a str,
    /// Whether it carried a printk stamp, and so is certainly the kernel's.
    pub(super) stamped: bool,
    /// Who printed it, where the kernel says so.
    pub(super) caller: Option<Caller>,
    /// Its number in the log, from 1: of newlines, whatever was torn.
    pub(super) number: u64,
}

/// Text without what could command a terminal: escape sequences and control characters.
pub fn printable(bytes: &[u8]) -> String {
    shown(bytes, &['\n', '\t'])
}

/// Text without escape sequences, and without control characters but these.
fn shown(bytes: &[u8], controls: &[char]) -> String {
    let text = String::from_utf8_lossy(bytes);
    ESCAPE
        .replace_all(&text, "")
        .chars()
        .filter(|c| controls.contains(c) || !c.is_control())
        .collect()
}

/// A kernel's line that came in the middle of a line of user space, until it is known to be one.
#[derive(Debug)]
struct Doubtful {
    /// From the stamp on, as it was printed.
    whole: String,
    stamp: Stamp,
    number: u64,
}

/// Cuts bytes into lines.
///
/// User space and the kernel share the console, so printk may come in the middle of a line that
/// user space is printing. The head of such a line is held and joined with the next unstamped line.
/// What looks like a stamp in a line that is whole without it, and is followed by another whole line, is text.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    head: String,
    head_number: u64,
    doubtful: Option<Doubtful>,
    /// The newest time that the kernel printed at the begin of a line.
    time: u64,
    number: u64,
    /// A carriage return ended the line, and a newline may belong to it.
    returned: bool,
    /// `partial` goes on with a line that was too long.
    continued: bool,
}

impl Lines {
    /// Adds `bytes`; hands every line that is complete to `sink`.
    pub(super) fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Line)) {
        let mut rest = bytes;
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            self.part(&rest[..end], &mut sink);
            match rest[end] {
                b'\n' => {
                    // Serial consoles print CR LF, some CR CR LF.
                    if !mem::take(&mut self.returned) || !self.partial.is_empty() {
                        self.end(&mut sink);
                    }
                    self.number += 1;
                }
                _ if self.partial.is_empty() => {}
                // Whoever overwrites a line has ended it, as far as results go.
                _ => {
                    self.returned = true;
                    self.end(&mut sink);
                }
            }
            rest = &rest[end + 1..];
        }
        self.part(rest, &mut sink);
    }

    /// Hands over what is left at the end of the log.
    pub(super) fn finish(mut self, mut sink: impl FnMut(Line)) {
        if !self.partial.is_empty() {
            self.end(&mut sink);
        }
        self.release(&mut sink);
        self.give_head(&mut sink);
    }

    fn part(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Line)) {
        if bytes.is_empty() {
            return;
        }
        self.returned = false;
        while self.partial.len() + bytes.len() > MAX_LINE {
            let (now, later) = bytes.split_at(MAX_LINE - self.partial.len());
            self.partial.extend_from_slice(now);
            bytes = later;
            // A stamp may lie across the cut.
            let near = self.partial.len() - 48;
            let cut = self.partial[near..].iter().rposition(|byte| *byte == b'[');
            let kept = cut.map(|at| self.partial.split_off(near + at));
            self.end(sink);
            self.partial = kept.unwrap_or_default();
            self.continued = true;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn end(&mut self, sink: &mut impl FnMut(Line)) {
        let raw = mem::take(&mut self.partial);
        let text = clean(&raw);
        let continued = mem::take(&mut self.continued);
        match stamp::leading(&text).filter(|_| !continued) {
            Some(stamp) => self.stamped(&text, stamp, sink),
            None => self.unstamped(&text, sink),
        }
        drop(text);
        self.partial = raw;
        self.partial.clear();
    }

    fn stamped(&mut self, text: &str, stamp: Stamp, sink: &mut impl FnMut(Line)) {
        // The kernel goes on: what came before was the kernel's too, if its time fits.
        let fits = self.doubtful.as_ref().is_none_or(|doubtful| {
            let time = doubtful.stamp.time.unwrap_or_default();
            time >= self.time && stamp.time.is_none_or(|now| time <= now)
        });
        if fits {
            self.release(sink);
        }
        if self.doubtful.is_none() {
            self.time = stamp.time.unwrap_or(self.time);
        }
        let number = self.number + 1;
        Self::kernel(text, stamp, number, sink);
    }

    fn kernel(text: &str, stamp: Stamp, number: u64, sink: &mut impl FnMut(Line)) {
        let mut text = &text[stamp.end..];
        let mut caller = stamp.caller;
        // Two lines of the kernel that lost the newline between them.
        while let Some((begin, next)) = stamp::inside(text) {
            sink(Line {
                text: text[..begin].trim_end(),
                stamped: true,
                caller,
                number,
            });
            text = &text[next.end..];
            caller = next.caller;
        }
        sink(Line {
            text,
            stamped: true,
            caller,
            number,
        });
    }

    fn unstamped(&mut self, text: &str, sink: &mut impl FnMut(Line)) {
        let (before, torn) = match stamp::inside(text) {
            Some((begin, stamp)) => (&text[..begin], Some((begin, stamp))),
            None => (text, None),
        };
        let number = self.number + 1;
        // A fresh line: the one before was whole as it stood.
        if begins(before) && is_whole(&self.head) {
            if let Some(doubtful) = self.doubtful.take() {
                self.head.push_str(&doubtful.whole);
            }
            self.give_head(sink);
        }
        self.release(sink);
        if self.head.is_empty() {
            self.head_number = number;
        }
        let Some((begin, stamp)) = torn else {
            if self.head.is_empty() {
                sink(Line {
                    text,
                    stamped: false,
                    caller: None,
                    number,
                });
            } else {
                self.head.push_str(text);
                self.give_head(sink);
            }
            return;
        };
        if is_torn(before) || !self.head.is_empty() {
            self.head.push_str(before);
            self.doubtful = Some(Doubtful {
                whole: text[begin..].to_owned(),
                stamp: Stamp {
                    end: stamp.end - begin,
                    ..stamp
                },
                number,
            });
            return;
        }
        if !before.trim().is_empty() {
            sink(Line {
                text: before.trim_end(),
                stamped: false,
                caller: None,
                number,
            });
        }
        self.time = stamp.time.unwrap_or(self.time);
        Self::kernel(text, stamp, number, sink);
    }

    /// What looked like the kernel's was.
    fn release(&mut self, sink: &mut impl FnMut(Line)) {
        if let Some(doubtful) = self.doubtful.take() {
            self.time = doubtful.stamp.time.unwrap_or(self.time);
            Self::kernel(&doubtful.whole, doubtful.stamp, doubtful.number, sink);
        }
    }

    fn give_head(&mut self, sink: &mut impl FnMut(Line)) {
        if !self.head.is_empty() {
            let head = mem::take(&mut self.head);
            sink(Line {
                text: head.trim_end(),
                stamped: false,
                caller: None,
                number: self.head_number,
            });
        }
    }
}

/// Whether `before` may be the head of a line that matters.
fn is_torn(before: &str) -> bool {
    let before = before.trim_start();
    !before.is_empty()
        && TEARABLE
            .iter()
            .any(|start| before.starts_with(start) || start.starts_with(before))
}

/// Whether a line that matters begins here.
fn begins(text: &str) -> bool {
    let text = text.trim_start();
    TEARABLE.iter().any(|start| text.starts_with(start))
}

/// Whether a line that matters could end here: it has what it needs.
fn is_whole(head: &str) -> bool {
    let head = head.trim_start();
    let result = head.strip_prefix("not ").unwrap_or(head);
    match result.strip_prefix("ok ") {
        Some(rest) => {
            let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            digits.len() < rest.len() && digits.starts_with([' ', '\t'])
        }
        None => head.starts_with("# ") && head.len() > 2,
    }
}

fn clean(raw: &[u8]) -> Cow<'_, str> {
    let is_plain = |byte: &u8| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t';
    // Nearly every line.
    if let Ok(text) = str::from_utf8(raw)
        && raw.iter().all(is_plain)
    {
        return Cow::Borrowed(text.trim_end());
    }
    Cow::Owned(shown(raw, &['\t']).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> String {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        let mut sink = |line: Line| {
            let whose = if line.stamped { "k" } else { "u" };
            found.push(format!("{whose}{}|{}", line.number, line.text));
        };
        lines.push(bytes, &mut sink);
        lines.finish(&mut sink);
        found.join("\n")
    }

    #[test]
    fn escapes_carriage_returns_and_bad_bytes_go() {
        let raw = b"\x1bc\x1b[?7l\x1b[2JSeaBIOS\xff\r\r\n\x1b[1;31mred\x1b[0m\x00 \x1b]0;title\x07end  \r\n";
        insta::assert_snapshot!(lines(raw), @r"
        u1|SeaBIOS�
        u2|red end
        ");
    }

    #[test]
    fn a_torn_line_is_made_whole() {
        let raw = b"ok 3 pi[    1.000001][    T1] random: crng init done\r\nng\nok 4 x\r[   12.345678] usb\r\n";
        insta::assert_snapshot!(lines(raw), @r"
        k1|random: crng init done
        u1|ok 3 ping
        u3|ok 4 x
        k3|usb
        ");
        let twice =
            b"no[    1.000001] one\nt ok[    1.000002] two\n 2 b\nok 3[    1.000003] three\n\n";
        insta::assert_snapshot!(lines(twice), @r"
        k1|one
        k2|two
        u1|not ok 2 b
        k4|three
        u4|ok 3
        ");
    }

    #[test]
    fn a_stamp_in_a_line_that_is_whole_is_text() {
        let raw = b"[    1.000000] up\nok 1 clock is at [   12.345678] s\nnot ok 2 b\n# at [    0.500000] BUG: old\nok 3 c\n";
        insta::assert_snapshot!(lines(raw), @r"
        k1|up
        u2|ok 1 clock is at [   12.345678] s
        u3|not ok 2 b
        u4|# at [    0.500000] BUG: old
        u5|ok 3 c
        ");
        // The kernel goes on: then it was the kernel's.
        let torn = b"ok 1 a[    1.000000] BUG: x\n[    1.000001] RIP: y\n\nok 2 b\n";
        insta::assert_snapshot!(lines(torn), @r"
        k1|BUG: x
        k2|RIP: y
        u1|ok 1 a
        u4|ok 2 b
        ");
    }

    #[test]
    fn a_carriage_return_ends_a_line() {
        insta::assert_snapshot!(lines(b"10%\r100%\rnot ok 2 b\n"), @r"
        u1|10%
        u1|100%
        u1|not ok 2 b
        ");
    }

    #[test]
    fn two_lines_of_the_kernel_without_a_newline_between() {
        insta::assert_snapshot!(lines(b"[    1.000000] x: allocation failure: 1 bytes[    1.000001] BUG: y\n"), @r"
        k1|x: allocation failure: 1 bytes
        k1|BUG: y
        ");
    }

    #[test]
    fn firmware_before_the_first_stamp_is_not_glued_to_user_space() {
        let raw = b"Booting from ROM..[    0.000000] Linux version 6\nengine: init reached\n";
        insta::assert_snapshot!(lines(raw), @r"
        u1|Booting from ROM..
        k1|Linux version 6
        u2|engine: init reached
        ");
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory_and_hides_nothing() {
        let mut raw = vec![b'x'; 3 * MAX_LINE - 10];
        raw.extend(b"[    1.000000] BUG: behind it\n");
        let found = lines(&raw);
        assert!(found.lines().all(|line| line.len() < MAX_LINE + 32));
        assert!(
            found.ends_with("|BUG: behind it"),
            "{}",
            &found[found.len() - 200..]
        );
    }
}
