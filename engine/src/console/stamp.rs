//! What stands before a kernel's line: log levels, times, callers, and what `syslog` and `/dev/kmsg` put there.
//!
//! Formats: kernel `kernel/printk/printk.c` (`print_syslog`, `print_time`, `print_caller`), `Documentation/ABI/testing/dev-kmsg`, RFC 3164.

use memchr::memchr;

/// Who printed a line, with `CONFIG_PRINTK_CALLER`: the two of one machine that print at once are told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    /// `T123`: a task by its thread id, perhaps `T123@CPU1`.
    Task(u32),
    /// `C1`: a processor outside of tasks.
    Cpu(u32),
}

/// A kernel's mark before its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Microseconds since boot; `None` where another clock is printed.
    pub(super) time: Option<u64>,
    pub(super) caller: Option<Caller>,
    /// Where the text begins, in bytes.
    pub(super) end: usize,
}

/// The stamp that `text` begins with, whatever tool has put more before it.
pub(super) fn leading(text: &str) -> Option<Stamp> {
    let mut at = dropped(text);
    at += level(&text[at..]);
    if let Some(stamp) = bracketed(text, at) {
        return Some(stamp);
    }
    // Only now, as it is rare.
    let rest = &text[at..];
    kmsg(rest)
        .or_else(|| syslog(rest))
        .or_else(|| called(rest))
        .or_else(|| dated(rest))
        .or_else(|| damaged(rest))
        .map(|stamp| Stamp {
            end: stamp.end + at,
            ..stamp
        })
}

/// The first `[   12.345678] ` with where it begins; a level right before it belongs to it.
pub(super) fn inside(text: &str) -> Option<(usize, Stamp)> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = memchr(b'[', &bytes[from..]) {
        let at = from + found;
        if let Some(stamp) = bracketed(text, at) {
            let begin = text[..at]
                .rfind('<')
                .filter(|begin| begin + level(&text[*begin..]) == at && *begin < at)
                .unwrap_or(at);
            return Some((begin, stamp));
        }
        from = at + 1;
    }
    None
}

/// `** 93 printk messages dropped ** `
fn dropped(text: &str) -> usize {
    if !text.starts_with("** ") {
        return 0;
    }
    text.find(" dropped ** ").map_or(0, |at| at + 12)
}

/// `<6>`
fn level(text: &str) -> usize {
    let Some(rest) = text.strip_prefix('<') else {
        return 0;
    };
    let digits = digits(rest.as_bytes());
    if (1..=3).contains(&digits) && rest.as_bytes().get(digits) == Some(&b'>') {
        digits + 2
    } else {
        0
    }
}

/// `[   12.345678] `, then perhaps `[    T1] `.
fn bracketed(text: &str, at: usize) -> Option<Stamp> {
    let bytes = text.as_bytes();
    if bytes.get(at) != Some(&b'[') {
        return None;
    }
    let mut at = at + 1;
    at += spaces(&bytes[at..]);
    let (time, after) = seconds(text, at)?;
    at = after;
    if bytes.get(at) != Some(&b']') {
        return None;
    }
    at += 1;
    let (caller, after) = caller(text, at);
    Some(Stamp {
        time: Some(time),
        caller,
        end: after + usize::from(bytes.get(after) == Some(&b' ')),
    })
}

/// `12.345678` in microseconds, and where it ends.
fn seconds(text: &str, at: usize) -> Option<(u64, usize)> {
    let bytes = text.as_bytes();
    let whole = digits(&bytes[at..]);
    let dot = at + whole;
    if whole == 0 || bytes.get(dot) != Some(&b'.') || digits(&bytes[dot + 1..]) != 6 {
        return None;
    }
    let end = dot + 7;
    let seconds: u64 = text[at..dot].parse().ok()?;
    let rest: u64 = text[dot + 1..end].parse().ok()?;
    Some((seconds.saturating_mul(1_000_000).saturating_add(rest), end))
}

/// `[    T1]`, `[   C12]` or `[ T1@CPU0]`, perhaps after a space, and where it ends.
fn caller(text: &str, at: usize) -> (Option<Caller>, usize) {
    let bytes = text.as_bytes();
    let mut next = at + usize::from(bytes.get(at) == Some(&b' '));
    if bytes.get(next) != Some(&b'[') {
        return (None, at);
    }
    next += 1;
    next += spaces(&bytes[next..]);
    let kind = bytes.get(next).copied();
    next += 1;
    let count = bytes.get(next..).map_or(0, digits);
    let number = text.get(next..next + count).and_then(|it| it.parse().ok());
    next += count;
    if let Some(rest) = text.get(next..).and_then(|it| it.strip_prefix("@CPU")) {
        next += 4 + digits(rest.as_bytes());
    }
    let made = match (kind, number) {
        (Some(b'T'), Some(number)) => Caller::Task(number),
        (Some(b'C'), Some(number)) => Caller::Cpu(number),
        _ => return (None, at),
    };
    if bytes.get(next) == Some(&b']') {
        (Some(made), next + 1)
    } else {
        (None, at)
    }
}

/// `[    T1] ` alone, of a kernel that stamps no time.
fn called(text: &str) -> Option<Stamp> {
    let (caller, end) = caller(text, 0);
    let stamp = Stamp {
        time: None,
        caller: Some(caller?),
        end: end + 1,
    };
    // The kernel pads it to six letters.
    (end >= 8 && text.starts_with('[') && text.as_bytes().get(end) == Some(&b' ')).then_some(stamp)
}

/// `6,1234,12345678,-;`: priority, sequence, microseconds, flags, perhaps `,caller=T1`.
fn kmsg(text: &str) -> Option<Stamp> {
    let (head, _) = text.split_once(';')?;
    let mut parts = head.split(',');
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (_, _, time) = (number()?, number()?, number()?);
    if !matches!(parts.next()?, "-" | "c" | "+") {
        return None;
    }
    let caller = parts.find_map(|part| {
        let who = part.strip_prefix("caller=")?;
        let id = who.get(1..)?.parse().ok()?;
        match who.as_bytes()[0] {
            b'T' => Some(Caller::Task(id)),
            b'C' => Some(Caller::Cpu(id)),
            _ => None,
        }
    });
    Some(Stamp {
        time: Some(time),
        caller,
        end: head.len() + 1,
    })
}

/// `Nov 28 17:04:10 host kernel: `, or the same with the time as RFC 3339, perhaps with a stamp behind it.
fn syslog(text: &str) -> Option<Stamp> {
    let month = [
        "Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ",
        "Dec ",
    ];
    let dated = month.iter().any(|name| text.starts_with(name))
        || (digits(text.as_bytes()) == 4 && text.get(10..11) == Some("T"));
    if !dated {
        return None;
    }
    let end = text.find(" kernel: ")? + 9;
    if text[..end].split_whitespace().count() > 5 {
        return None;
    }
    Some(bracketed(text, end).unwrap_or(Stamp {
        time: None,
        caller: None,
        end,
    }))
}

/// `[Sat Nov 28 17:04:10 2026] ` of `dmesg -T`.
fn dated(text: &str) -> Option<Stamp> {
    let inner = text.strip_prefix('[')?.split_once("] ")?.0;
    let parts: Vec<&str> = inner.split_whitespace().collect();
    let [day, _, _, time, year] = parts[..] else {
        return None;
    };
    let known = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&day);
    let (hour, _) = time.split_once(':')?;
    if !known || hour.parse::<u8>().is_err() || year.parse::<u16>().is_err() {
        return None;
    }
    Some(Stamp {
        time: None,
        caller: None,
        end: inner.len() + 3,
    })
}

/// What is left of a stamp whose beginning was lost: ` 12.345678] `.
fn damaged(text: &str) -> Option<Stamp> {
    let bytes = text.as_bytes();
    let at = spaces(bytes);
    let whole = digits(&bytes[at..]);
    let dot = at + whole;
    if bytes.get(dot) != Some(&b'.')
        || digits(&bytes[dot + 1..]) != 6
        || bytes.get(dot + 7) != Some(&b']')
    {
        return None;
    }
    let (caller, after) = caller(text, dot + 8);
    Some(Stamp {
        time: None,
        caller,
        end: after + usize::from(bytes.get(after) == Some(&b' ')),
    })
}

fn digits(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == b' ').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_stamp() {
        for (line, caller) in [
            ("[    1.234567] BUG: x", None),
            ("<4>[    1.234567] BUG: x", None),
            ("[    1.234567][    T1] BUG: x", Some(Caller::Task(1))),
            ("[    1.234567] [   C12] BUG: x", Some(Caller::Cpu(12))),
            ("[    1.234567][   T1@CPU0] BUG: x", Some(Caller::Task(1))),
            (
                "** 93 printk messages dropped ** [    1.234567] BUG: x",
                None,
            ),
            ("[    T1] BUG: x", Some(Caller::Task(1))),
            ("<4>[   C12] BUG: x", Some(Caller::Cpu(12))),
            ("4,1234,1234567,-;BUG: x", None),
            ("4,1234,1234567,-,caller=T7;BUG: x", Some(Caller::Task(7))),
            ("4,1234,1234567,-,caller=;BUG: x", None),
            ("Nov 28 17:04:10 host kernel: BUG: x", None),
            ("Nov 28 17:04:10 host kernel: [    1.234567] BUG: x", None),
            ("2026-11-28T17:04:10.123+01:00 host kernel: BUG: x", None),
            ("[Sat Nov 28 17:04:10 2026] BUG: x", None),
            ("   1.234567][  C0] BUG: x", Some(Caller::Cpu(0))),
        ] {
            let stamp = leading(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(
                (&line[stamp.end..], stamp.caller),
                ("BUG: x", caller),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_stamp() {
        for line in [
            "[ OK ] Started",
            "[T1] x",
            "[    T1]x",
            "[    1.2] x",
            "[12345678] x",
            "<b>[",
            "[    1.234567",
            "1,2,3;x",
            "Nov 28 is when the new kernel: comes out with a lot of words",
            "",
        ] {
            assert_eq!(leading(line), None, "{line}");
        }
    }
}
