//! Which function a complaint is about.

use regex::Captures;

use super::frames;
use super::frames::Frame;
use super::frames::Part;
use super::headers::Blame;
use super::headers::Header;
use super::skip;

/// The function at fault of what `header` began and `lines` tell, the header's line first.
pub(super) fn blame(header: &Header, said: &Captures, lines: &[String]) -> Option<Frame> {
    let report = Report {
        header,
        parts: parts(lines),
        lines,
    };
    let frame = match header.blame {
        Blame::Nobody => None,
        Blame::Stack => report.stack(),
        Blame::Pc => report.pc(),
        Blame::Exactly => report
            .pcs()
            .find_map(Clone::clone)
            .or_else(|| report.stack()),
        Blame::Named => report.named(said),
        Blame::Lock(words) => {
            match report.lock(words) {
                // Whoever flushes the queue holds what its work wants.
                Some(frame) if frame.function == "process_one_work" => {
                    report.after("-> #").or(Some(frame))
                }
                Some(frame) if report.counts(&frame) => Some(frame),
                helper => report.stack().or(helper),
            }
        }
        Blame::After(words) => report.after(words).or_else(|| report.stack()),
        Blame::Stall => report.stall(),
        Blame::Hang => report.hang(),
    };
    frame.as_ref().map(called)
}

struct Report<'a> {
    header: &'a Header,
    lines: &'a [String],
    /// Of the lines behind the header's.
    parts: Vec<Part>,
}

impl Report<'_> {
    fn counts(&self, frame: &Frame) -> bool {
        let name = &frame.function;
        let skipped = self.header.skip.as_ref();
        !skip::never(name) && skipped.is_none_or(|skip| !skip.is_match(name))
    }

    /// The first stack: from its begin to whatever else begins.
    fn first_stack(&self) -> &[Part] {
        let begin = self.parts.iter().position(|part| *part == Part::Trace);
        let parts = &self.parts[begin.map_or(0, |at| at + 1)..];
        let ends = |part: &Part| matches!(part, Part::Trace | Part::History);
        let is_frame = |part: &Part| matches!(part, Part::Frame(_) | Part::Unreliable(_));
        let any = parts.iter().position(is_frame);
        let end = any.and_then(|any| Some(any + parts[any..].iter().position(ends)?));
        &parts[..end.unwrap_or(parts.len())]
    }

    fn stack(&self) -> Option<Frame> {
        frames_of(self.first_stack())
            .find(|frame| self.counts(frame))
            .cloned()
    }

    fn pcs(&self) -> impl Iterator<Item = &Option<Frame>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Pc(frame) => Some(frame),
            _ => None,
        })
    }

    fn pc(&self) -> Option<Frame> {
        let first = self.pcs().next().cloned().flatten();
        match first {
            Some(frame) if self.counts(&frame) => Some(frame),
            // It jumped nowhere, or into a helper: who called it.
            first => self.stack().or_else(|| self.returns()).or(first),
        }
    }

    fn returns(&self) -> Option<Frame> {
        self.parts.iter().find_map(|part| match part {
            Part::Return(frame) if self.counts(frame) => Some(frame.clone()),
            _ => None,
        })
    }

    fn named(&self, said: &Captures) -> Option<Frame> {
        let header = self.lines.first()?;
        let at = said.name("at")?;
        let frame = frames::named(&header[at.start()..]).unwrap_or_else(|| {
            let name = at.as_str();
            Frame {
                function: frames::bare(name.split(['+', '(']).next().unwrap_or(name)),
                module: String::new(),
                place: None,
            }
        });
        let frame = Frame {
            place: frame.place.or_else(|| frames::source(header)),
            ..frame
        };
        let is_name = !frame.function.starts_with(|c: char| c.is_ascii_digit());
        match is_name {
            true if self.counts(&frame) => Some(frame),
            true => self.stack().or_else(|| self.pc()).or(Some(frame)),
            false => self.pc(),
        }
    }

    /// Where the first of `words` (parted by `|`) is said, as an index of lines.
    fn said(&self, words: &str) -> Option<(usize, usize)> {
        let found = |line: &String| {
            words
                .split('|')
                .find_map(|word| Some(line.find(word)? + word.len()))
        };
        self.lines
            .iter()
            .enumerate()
            .skip(1)
            .find_map(|(at, line)| Some((at, found(line)?)))
    }

    fn lock(&self, words: &str) -> Option<Frame> {
        let (at, end) = self.said(words)?;
        let rests = std::iter::once(&self.lines[at][end..])
            .chain(self.lines[at + 1..].iter().map(String::as_str));
        let mut near = rests.take(12).skip_while(|line| !line.contains("at:"));
        let first = near.next()?.split_once("at:")?.1;
        frames::named(first).or_else(|| frames::named(near.next()?))
    }

    fn after(&self, words: &str) -> Option<Frame> {
        let (at, end) = self.said(words)?;
        let rest = self.lines[at][end..].trim();
        if !rest.is_empty() && !words.starts_with("->") {
            return Some(Frame {
                function: frames::bare(rest.split_whitespace().next()?),
                module: String::new(),
                place: None,
            });
        }
        let behind: Vec<Part> = self.lines[at + 1..]
            .iter()
            .map(|line| frames::part(line))
            .collect();
        frames_of(&behind).find(|frame| self.counts(frame)).cloned()
    }

    /// What the processor did before its clock interrupted it.
    fn stall(&self) -> Option<Frame> {
        let interrupted = self.parts.iter().position(|part| match part {
            Part::Interrupted => true,
            Part::Frame(frame) | Part::Unreliable(frame) => is_interrupt(&frame.function),
            _ => false,
        });
        let pc = self
            .parts
            .iter()
            .position(|part| matches!(part, Part::Pc(Some(_))));
        let begin = match (interrupted, pc) {
            // The registers come first, then the stack of what ran.
            (Some(interrupted), Some(pc)) => interrupted.min(pc),
            (one, other) => one
                .or(other)
                .or_else(|| self.parts.iter().position(|part| *part == Part::Trace))?,
        };
        let mut ran = self.parts[begin..].iter().filter_map(|part| match part {
            Part::Frame(frame) | Part::Pc(Some(frame))
                if self.counts(frame) && !is_interrupt(&frame.function) =>
            {
                Some(frame)
            }
            _ => None,
        });
        let first = ran.next()?;
        if first.function.starts_with(EVERYWHERE) {
            return Some(Frame {
                function: EVERYWHERE.to_owned(),
                ..first.clone()
            });
        }
        if skip::is_anchor(&first.function) {
            return Some(first.clone());
        }
        let mut before = first;
        for frame in ran {
            if skip::is_anchor(&frame.function) {
                return Some(before.clone());
            }
            before = frame;
        }
        Some(first.clone())
    }

    fn hang(&self) -> Option<Frame> {
        let stack = self.first_stack();
        if let Some((name, frame)) =
            frames_of(stack).find_map(|frame| Some((skip::held_up_by(&frame.function)?, frame)))
        {
            return Some(Frame {
                function: name.to_owned(),
                ..frame.clone()
            });
        }
        frames_of(stack)
            .find(|frame| self.counts(frame) && !skip::waits(&frame.function))
            .cloned()
    }
}

/// The parts of a report, without the stack of RCU's own thread: what stalls is another.
fn parts(lines: &[String]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut own = false;
    for line in lines.iter().skip(1) {
        if line.contains("kthread stack dump") {
            own = true;
        } else if ["NMI backtrace", "Sending NMI", "Task dump"]
            .iter()
            .any(|begin| line.contains(begin))
        {
            own = false;
        }
        if own {
            continue;
        }
        for part in frames::parts(line) {
            // Some arches print each caller twice.
            if part == Part::Other || parts.last() != Some(&part) {
                parts.push(part);
            }
        }
    }
    parts
}

/// The frames of a stack; those that its unwinder does not stand for, where there are no others.
fn frames_of(parts: &[Part]) -> impl Iterator<Item = &Frame> {
    let guessed = !parts.iter().any(|part| matches!(part, Part::Frame(_)));
    parts.iter().filter_map(move |part| match part {
        Part::Frame(frame) => Some(frame),
        Part::Unreliable(frame) if guessed => Some(frame),
        _ => None,
    })
}

fn called(frame: &Frame) -> Frame {
    Frame {
        function: skip::system_call(&frame.function),
        ..frame.clone()
    }
}

/// Waits for all processors to answer: that hang is its own, whoever called.
const EVERYWHERE: &str = "smp_call_function";

/// Entries of interrupts, the clock's first of all.
fn is_interrupt(function: &str) -> bool {
    const ENTRIES: [&str; 12] = [
        "apic_timer_interrupt",
        "asm_sysvec_",
        "reschedule_interrupt",
        "el1_irq",
        "el1h_64_irq",
        "el1_interrupt",
        "irq_svc",
        "ret_from_intr",
        "common_interrupt",
        "timer_interrupt",
        "decrementer_common",
        "gic_handle_irq",
    ];
    ENTRIES.iter().any(|entry| function.contains(entry))
}
