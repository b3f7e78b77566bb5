//! Raw console bytes to clean lines, with lines torn apart by printk made whole again.

use std::mem;
use std::sync::LazyLock;

use regex::Regex;

/// Bytes of one line that are kept; a machine gone mad prints without newlines.
const MAX_LINE: usize = 4096;

/// `[    1.234567] ` of `PRINTK_TIME`, with `[    T1]` of `PRINTK_CALLER` and `<6>` of a raw log.
static STAMP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:<\d{1,3}>)?\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? ?")
        .expect("a constant expression")
});

/// CSI sequences, OSC sequences, and the two-byte escapes.
static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])")
        .expect("a constant expression")
});

/// How a line of user space that matters begins: KTAP, and the markers of `/init`.
const TEARABLE: [&str; 6] = [
    "ok ",
    "not ok ",
    "KTAP version ",
    "TAP version ",
    "1..",
    "engine: ",
];

/// One clean line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Text without timestamp, escapes and control characters; leading spaces kept.
    pub(super) text: String,
    /// Whether it carried a printk timestamp, and so is certainly the kernel's.
    pub(super) stamped: bool,
}

/// Text without what could command a terminal: escape sequences and control characters.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let shown = |c: &char| matches!(c, '\n' | '\t') || !c.is_control();
    ESCAPE
        .replace_all(&text, "")
        .chars()
        .filter(shown)
        .collect()
}

/// Cuts bytes into lines.
///
/// User space and the kernel share the console, so printk may come in the middle of a line that
/// user space is printing. The head of such a line is held and joined with the next unstamped line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    head: String,
}

impl Lines {
    /// Adds `bytes`; hands every line that is complete to `sink`.
    pub(super) fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Line)) {
        for &byte in bytes {
            match byte {
                b'\n' => {
                    let raw = mem::take(&mut self.partial);
                    self.line(&raw, &mut sink);
                }
                // Serial consoles print CR LF, some CR CR LF.
                b'\r' => {}
                _ if self.partial.len() < MAX_LINE => self.partial.push(byte),
                _ => {}
            }
        }
    }

    /// Hands over what is left at the end of the log.
    pub(super) fn finish(mut self, mut sink: impl FnMut(Line)) {
        let raw = mem::take(&mut self.partial);
        self.line(&raw, &mut sink);
    }

    fn line(&mut self, raw: &[u8], sink: &mut impl FnMut(Line)) {
        let text = clean(raw);
        let Some(stamp) = STAMP.find(&text) else {
            let text = mem::take(&mut self.head) + text.as_str();
            sink(Line {
                text,
                stamped: false,
            });
            return;
        };
        let before = &text[..stamp.start()];
        if is_torn(before) {
            if !self.head.is_empty() {
                sink(Line {
                    text: mem::take(&mut self.head),
                    stamped: false,
                });
            }
            before.clone_into(&mut self.head);
        } else if !before.trim().is_empty() {
            sink(Line {
                text: before.to_owned(),
                stamped: false,
            });
        }
        sink(Line {
            text: text[stamp.end()..].to_owned(),
            stamped: true,
        });
    }
}

fn is_torn(before: &str) -> bool {
    let before = before.trim_start();
    !before.is_empty()
        && TEARABLE
            .iter()
            .any(|start| before.starts_with(start) || start.starts_with(before))
}

fn clean(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    ESCAPE
        .replace_all(&text, "")
        .chars()
        .filter(|c| *c == '\t' || !c.is_control())
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        let mut sink = |line: Line| {
            found.push(format!(
                "{}{}",
                if line.stamped { "k|" } else { "u|" },
                line.text
            ));
        };
        lines.push(bytes, &mut sink);
        lines.finish(&mut sink);
        found
    }

    #[test]
    fn escapes_carriage_returns_and_bad_bytes_go() {
        let raw = b"\x1bc\x1b[?7l\x1b[2JSeaBIOS\xff\r\r\n\x1b[1;31mred\x1b[0m\x00 \x1b]0;title\x07end  \r\n";
        insta::assert_debug_snapshot!(lines(raw), @r#"
        [
            "u|SeaBIOS�",
            "u|red end",
            "u|",
        ]
        "#);
    }

    #[test]
    fn a_torn_line_is_made_whole() {
        let raw = b"ok 3 pi[    1.000001][    T1] random: crng init done\r\n[    1.2] no stamp\nok 4 x\r[   12.345678] usb\r\n\n";
        insta::assert_debug_snapshot!(lines(raw), @r#"
        [
            "k|random: crng init done",
            "u|ok 3 pi[    1.2] no stamp",
            "k|usb",
            "u|ok 4 x",
            "u|",
        ]
        "#);
    }

    #[test]
    fn firmware_before_the_first_stamp_is_not_glued_to_user_space() {
        let raw = b"Booting from ROM..[    0.000000] Linux version 6\nengine: init reached\n";
        insta::assert_debug_snapshot!(lines(raw), @r#"
        [
            "u|Booting from ROM..",
            "k|Linux version 6",
            "u|engine: init reached",
            "u|",
        ]
        "#);
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let found = lines(&vec![b'x'; 1 << 20]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), MAX_LINE + 2);
    }
}
