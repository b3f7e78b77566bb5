//! The parts of a trace, as the twelve arches print them.
//!
//! Sources: kernel `arch/*/kernel/{traps,process,dumpstack,stacktrace}.c`, `lib/bug.c`, `scripts/decode_stacktrace.sh`.

use std::sync::LazyLock;

use regex::Regex;

use super::finding::Place;
use super::skip;
use crate::text::regex;

/// A function on a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Without suffixes of the compiler.
    pub(super) function: String,
    pub(super) module: String,
    pub(super) place: Option<Place>,
}

/// What a line of a report is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Begins a stack: `Call Trace:`, `Backtrace:`.
    Trace,
    /// Begins a stack that tells what was before: who allocated, freed, took the lock.
    History,
    /// The instruction pointer; `None` where it points to no function.
    Pc(Option<Frame>),
    /// The return address, as some arches print it beside the registers.
    Return(Frame),
    /// A frame of a stack.
    Frame(Frame),
    /// A frame that the unwinder does not stand for.
    Unreliable(Frame),
    /// The end of an interrupt's stack: what it interrupted comes next.
    Interrupted,
    Other,
}

const NAME: &str = r"(?:[A-Za-z_.$][\w.$]*|<[^+]*>(?:::[\w<>]+)+)";

static TRACE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^\s*(?:\[.*\] )?(?:call ?trace|(?:stack )?backtrace|trace)(?: for .*)?:\s*(?:\(.*\))?\s*(.*)$",
    )
});

static HISTORY: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^(?:(?:Last )?(?:[Aa]llocated|[Ff]reed|Creation|Call_rcu)(?: by task \d+| by interrupt)?(?: on cpu .*)?:$|allocated by task|freed by task",
        r"|(?:Last|Second to last) potentially related work creation|Uninit was (?:stored|created)|Local variable|page last (?:allocated|free)|INFO: (?:Allocated|Freed) in )",
    ))
});

static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        concat!(
            r"^\s*(?:(?:</?[A-Z#]+>|#\d+|\d+:)\s*)*\(?(?:\[?<?(?:0x)?[0-9a-f]{{6,}}>?\]?:? *){{0,2}}(\? +)?",
            r"(?:\(?({NAME})(?:\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?)?\)? from |\(?({NAME})\+0x[0-9a-f]+(?:/(?:0x)?[0-9a-f]+)?)",
            r"(.*)$",
        ),
        NAME = NAME
    ))
});

/// `func lib/x.c:12 [inline]`
static INLINE: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"^\s*(?:\[?<?(?:0x)?[0-9a-f]{{6,}}>?\]? *)?({NAME}) (\S+:\d+) \[inline\]"
    ))
});

/// `func (lib/x.c:12 (discriminator 3))` of `decode_stacktrace.sh`.
static DECODED: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"^\s*(\? )?({NAME}) \((\S+:\d+)[^)]*\)")));

static SOURCE: LazyLock<Regex> = LazyLock::new(|| regex(r"([\w./-]+\.[chSrs]+):(\d+)"));

static MODULE: LazyLock<Regex> = LazyLock::new(|| regex(r"^\)? \[([\w-]+)(?: [0-9a-f]+)?\]"));

static PC: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^\s*(?:RIP|EIP|IP): ?(?:[0-9a-f]{2,4}:)?|^\s*EIP is at |^(?:PC|pc) is at |^pc : |^epc *: |^NIP(?: \[| [a-z_])|^PC: |^TPC: <|^\s*IAOQ\[0\]: ",
        r"|^Krnl PSW : |^--- interrupt: [0-9a-f]+ at |^\s*ip : |^era *: |^ERA: ",
    ))
});

static RETURN: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^LR is at |^lr : |^LR \[|^ra *: |^\s*RP\(r2\): |^I7: <|^RPC: <|^RA: | ra : ")
});

static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"({NAME})\+0x[0-9a-f]+(?:/(?:0x)?[0-9a-f]+)?(.*)$"
    ))
});

/// What `line` is: one part, or what it interrupted behind the end of an interrupt's stack.
pub(super) fn parts(line: &str) -> Vec<Part> {
    let Some((_, rest)) = line
        .split_once("<EOI>")
        .or_else(|| line.split_once("</IRQ>"))
    else {
        let first = part(line);
        // Arm tells the caller too, which has no line of its own at the bottom of a stack.
        let caller = match first {
            // An offset of 0 is the next function: the call does not return.
            Part::Frame(_) => line.split_once(" from ").and_then(|(_, caller)| {
                named(caller)
                    .filter(|frame| !caller.contains("+0x0/") || skip::is_anchor(&frame.function))
            }),
            _ => None,
        };
        return std::iter::once(first)
            .chain(caller.map(Part::Frame))
            .collect();
    };
    let first = match part(rest) {
        Part::Other => return vec![Part::Interrupted],
        Part::Unreliable(frame) => Part::Frame(frame),
        other => other,
    };
    vec![Part::Interrupted, first]
}

/// What `line` is.
pub(super) fn part(line: &str) -> Part {
    let text = line.trim_end();
    if HISTORY.is_match(text) {
        return Part::History;
    }
    if PC.is_match(text) {
        // A user's instruction pointer ends the kernel's part.
        return Part::Pc(named(text));
    }
    if RETURN.is_match(text)
        && let Some(frame) = named(text)
    {
        return Part::Return(frame);
    }
    if let Some(found) = FRAME.captures(text) {
        let name = found.get(2).or_else(|| found.get(3));
        let rest = found.get(4).map_or("", |rest| rest.as_str());
        let frame = Frame {
            function: bare(name.map_or("", |name| name.as_str())),
            module: module(rest),
            place: source(rest),
        };
        let unreliable = found.get(1).is_some() || rest.contains("(unreliable)");
        return if unreliable {
            Part::Unreliable(frame)
        } else {
            Part::Frame(frame)
        };
    }
    if let Some(found) = INLINE.captures(text) {
        return Part::Frame(Frame {
            function: bare(&found[1]),
            module: String::new(),
            place: source(&found[2]),
        });
    }
    if TRACE.is_match(text) {
        return Part::Trace;
    }
    if let Some(found) = DECODED.captures(text) {
        let frame = Frame {
            function: bare(&found[2]),
            module: String::new(),
            place: source(&found[3]),
        };
        return match found.get(1) {
            Some(_) => Part::Unreliable(frame),
            None => Part::Frame(frame),
        };
    }
    Part::Other
}

/// The first `func+0x12/0x34` of `text`.
pub(super) fn named(text: &str) -> Option<Frame> {
    let found = NAMED.captures(text)?;
    Some(Frame {
        function: bare(&found[1]),
        module: module(&found[2]),
        place: source(&found[2]),
    })
}

/// The first `file.c:12` of `text`.
pub(super) fn source(text: &str) -> Option<Place> {
    let found = SOURCE.captures(text)?;
    Some(Place {
        file: found[1].trim_start_matches("./").to_owned(),
        line: found[2].parse().ok()?,
    })
}

fn module(rest: &str) -> String {
    match MODULE.captures(rest) {
        Some(found) if &found[1] != "inline" => found[1].to_owned(),
        _ => String::new(),
    }
}

/// A function's name without what compilers add: `.isra.0`, `.constprop.1`, `.part.2`, `.cold`, `.llvm.123`.
///
/// Rust's are demangled.
pub(super) fn bare(name: &str) -> String {
    const SUFFIXES: [&str; 6] = [
        ".isra",
        ".constprop",
        ".part",
        ".cold",
        ".llvm",
        ".localalias",
    ];
    if let Ok(demangled) = rustc_demangle::try_demangle(name) {
        return format!("{demangled:#}");
    }
    let cut = SUFFIXES.iter().filter_map(|suffix| name.find(suffix)).min();
    name[..cut.filter(|cut| *cut > 0).unwrap_or(name.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(line: &str) -> String {
        match part(line) {
            Part::Frame(frame) => frame.function,
            Part::Unreliable(frame) => format!("? {}", frame.function),
            Part::Pc(Some(frame)) => format!("pc {}", frame.function),
            Part::Return(frame) => format!("return {}", frame.function),
            other => format!("{other:?}"),
        }
    }

    /// A frame of the stack, arch by arch.
    #[test]
    fn frames_of_every_arch() {
        for line in [
            " do_thing+0x12/0x20",                      // x86, arm64
            " do_thing.isra.0+0x12/0x20 [ext4]",        // in a module
            " [<ffffffff81234567>] do_thing+0x12/0x20", // older x86, mips, s390
            " [<ffffffff81234567>] [<ffffffff81234567>] do_thing+0x12/0x20",
            "[<80b10c70>] (do_thing) from [<8062eec8>] (caller+0x154/0x3c4)", // arm
            "[<c0013ea0>] (do_thing+0x0/0x11c) from [<c00108c8>] (show_stack+0x10/0x14)",
            " do_thing from caller+0x18/0x1c", // arm since 6.0
            "[c000000012345678] [c00000000012345c] do_thing+0x10/0x20", // powerpc
            "[<ffffffe000203766>] do_thing+0x56/0xa2", // riscv
            " [<0000000000123456>] do_thing+0x10/0x20 ", // s390
            "([<0000000000123456>] do_thing+0x10/0x20)",
            " [00000000004a1234] do_thing+0x10/0x20", // sparc64
            " [<0001234a>] do_thing+0x10/0x20",       // m68k
            "[<fffffc0000312345>] do_thing+0x10/0x20", // alpha
            " do_thing fs/x.c:12 [inline]",
            " do_thing (fs/x.c:12 (discriminator 3))",
            " <IRQ>  [<ffffffff8138d924>] do_thing+0x378/0x387",
        ] {
            assert_eq!(frame(line), "do_thing", "{line}");
        }
        assert_eq!(frame(" ? do_thing+0x12/0x20"), "? do_thing");
        assert_eq!(
            frame("[c000000012345678] [c00000000012345c] do_thing+0x10/0x20 (unreliable)"),
            "? do_thing"
        );
    }

    /// Where it happened, arch by arch.
    #[test]
    fn the_instruction_pointer_of_every_arch() {
        for line in [
            "RIP: 0010:do_thing+0x12/0x20",
            "RIP: 0010:[<ffffffff81234567>]  [<ffffffff81234567>] do_thing+0x12/0x20",
            "IP: [<ffffffff81234567>] do_thing+0x12/0x20",
            "EIP: do_thing+0x12/0x20",
            "EIP is at do_thing+0x12/0x20",
            "PC is at do_thing+0x12/0x20",
            "pc is at do_thing+0x12/0x20",
            "pc : do_thing+0x12/0x20",
            "epc : do_thing+0x12/0x20",
            "epc   : 80100abc do_thing+0x12/0x20",
            "NIP [c000000000012340] do_thing+0x12/0x20",
            "PC: [<0000abcd>] do_thing+0x12/0x20",
            "TPC: <do_thing+0x12/0x20>",
            " IAOQ[0]: do_thing+0x12/0x20",
            "Krnl PSW : 0704c00180000000 0000000000123456 (do_thing+0x12/0x20)",
            "--- interrupt: 700 at do_thing+0x12/0x20",
        ] {
            assert_eq!(frame(line), "pc do_thing", "{line}");
        }
        assert_eq!(part("RIP: 0033:0x457099"), Part::Pc(None));
    }

    #[test]
    fn what_begins_a_stack() {
        for line in [
            "Call Trace:",
            "Call trace:",
            "Backtrace: ",
            "stack backtrace:",
            "Trace:",
            "Call Trace:<IRQ>",
        ] {
            assert_eq!(part(line), Part::Trace, "{line}");
        }
        for line in [
            "Allocated by task 7667:",
            "Freed by task 1:",
            "Uninit was stored to memory at:",
        ] {
            assert_eq!(part(line), Part::History, "{line}");
        }
        for line in [
            "RSP: 0018:ffffc90017cffa00 EFLAGS: 00010212",
            "Modules linked in:",
            "",
        ] {
            assert_eq!(part(line), Part::Other, "{line}");
        }
    }
}
