//! Collects what a kernel complains about, as the lines of its console come.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::LazyLock;

use regex::Captures;
use regex::Regex;

use super::super::lines::Line;
use super::super::stamp::Caller;
use super::blame::blame;
use super::finding::Class;
use super::finding::Finding;
use super::frames;
use super::frames::Frame;
use super::frames::Part;
use super::headers;
use super::headers::Header;
use super::headers::Role;
use crate::model::Severity;
use crate::text::regex;

/// Different findings that are kept; more are not told apart any more.
const MAX_FINDINGS: usize = 64;
/// Lines of one finding that are kept.
const MAX_LINES: usize = 1000;
/// Complaints whose lines are looked at; of a flood the rest is counted by the words it begins with.
const MAX_READ: u32 = 1000;
/// Complaints that are told at once, by different callers.
const MAX_OPEN: usize = 8;
/// Lines that are no part of a trace, after which it has ended.
const MAX_IDLE: usize = 24;
/// Lines before a header that may belong to it.
const MAX_BEFORE: usize = 8;
/// Bytes of a title.
const MAX_TITLE: usize = 140;

/// What a panic of the kernel begins with.
pub(crate) const PANIC: &str = "Kernel panic - not syncing";

static TAINT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"Tainted: (?:\[[^\]]*\]=[A-Z_]+,? ?)*([A-Z][A-Z ]*)"));
static ACCESS: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(Read|Write) (?:of size|at addr)"));

/// What differs between two runs of the same failure.
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?P<offset>\+0x[0-9a-f]+(?:/(?:0x)?[0-9a-f]+)?)|(?P<address>\b0x[0-9a-fA-F]+\b|\b[0-9a-f]{8,}\b|\(ptrval\)|\(____ptrval____\)|\(null\))|\b\d+(?:\.\d+)?\b",
    )
});

/// A complaint that is being told.
#[derive(Debug)]
struct Open {
    header: &'static Header,
    caller: Option<Caller>,
    severity: Severity,
    first_line: u64,
    /// Where the header is in `lines`.
    at: usize,
    lines: Vec<String>,
    /// Lines at the end that are no part of a trace.
    idle: usize,
    /// The other processors were asked for their traces.
    everywhere: bool,
    /// There was a frame of a stack.
    traced: bool,
}

/// The findings of one console.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    open: Vec<Open>,
    done: Vec<Finding>,
    before: VecDeque<(Option<Caller>, u64, String)>,
    panicked: bool,
    /// Complaints that were begun.
    begun: u32,
    /// The newest finding that began with such words, numbers left out.
    words: BTreeMap<String, usize>,
    /// The last complaint was only counted: what follows it is not looked at.
    counted: bool,
}

impl Findings {
    /// Reads a line of the kernel.
    pub(crate) fn line(&mut self, line: Line) {
        let text = line.text;
        if self.is_counted(text) || (self.counted && !headers::may_be(text)) {
            return;
        }
        let found = if self.panicked {
            None
        } else {
            headers::header(text)
        };
        if let Some((header, _)) = found {
            // A panic is the machine's end, whatever it follows.
            if self.counted && header.follows() && !text.contains(PANIC) {
                return;
            }
            self.counted = false;
            if !self.goes_on(header, &line) {
                self.begin(header, &line);
            }
            self.panicked |= text.contains(PANIC);
        } else if !self.open.is_empty() {
            self.go_on(&line);
        } else if text.contains("[ cut here ]") {
            self.before.clear();
        }
        if self.before.len() == MAX_BEFORE {
            self.before.pop_front();
        }
        self.before
            .push_back((line.caller, line.number, text.to_owned()));
    }

    /// Whether the kernel panicked.
    pub(crate) fn panicked(&self) -> bool {
        self.panicked
    }

    /// Whether there is any at least this bad.
    pub(crate) fn any(&self, severity: Severity) -> bool {
        self.open.iter().any(|open| open.severity >= severity)
            || self.done.iter().any(|done| done.severity >= severity)
    }

    /// Adds what no line of the kernel said.
    pub(crate) fn add(&mut self, finding: Finding) {
        self.keep(finding);
    }

    /// All of them, in the order of the log.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        for open in std::mem::take(&mut self.open) {
            self.close(open);
        }
        // What is only told stands behind what counts.
        self.done
            .sort_by_key(|finding| (finding.severity == Severity::Notice, finding.first_line));
        self.done
    }

    /// Adds the header to what is told already, if it is the rest or the end of that.
    fn goes_on(&mut self, header: &Header, line: &Line) -> bool {
        let ends = headers::is_end(line.text);
        let same = |open: &&mut Open| open.caller == line.caller;
        let is_panic = line.text.contains(PANIC);
        if header.follows() || ends {
            let open = match self.open.iter_mut().find(same) {
                Some(open) => Some(open),
                None if ends => self.open.last_mut(),
                None => None,
            };
            if let Some(open) = open.filter(|open| open.severity > Severity::Notice) {
                open.push(line.text);
                open.idle = 0;
                // A machine that was told to panic by a warning is lost all the same.
                open.severity = open.severity.max(header.severity);
                return true;
            }
        }
        if ends && is_panic {
            let told = self
                .done
                .iter_mut()
                .rev()
                .find(|done| done.severity > Severity::Notice);
            if let Some(done) = told {
                done.severity = Severity::Fatal;
                return true;
            }
        }
        false
    }

    /// Whether there was so much that `text` only counts for what began with the same words.
    fn is_counted(&mut self, text: &str) -> bool {
        if self.begun < MAX_READ || !headers::may_be(text) {
            return false;
        }
        let known = self
            .words
            .get(&letters(text))
            .and_then(|at| self.done.get_mut(*at));
        let Some(known) = known else {
            return false;
        };
        known.count = known.count.saturating_add(1);
        self.counted = true;
        true
    }

    fn begin(&mut self, header: &'static Header, line: &Line) {
        while let Some(at) = self.open.iter().position(|open| open.caller == line.caller) {
            let open = self.open.remove(at);
            if open.header.role == Role::Prelude && open.lines.len() < MAX_BEFORE {
                continue;
            }
            self.close(open);
        }
        if self.open.len() == MAX_OPEN {
            let open = self.open.remove(0);
            self.close(open);
        }
        // What was said since the cut belongs to it.
        let own = |(caller, _, _): &&(Option<Caller>, u64, String)| *caller == line.caller;
        let before: Vec<_> = self.before.iter().filter(own).collect();
        let cut = before
            .iter()
            .rposition(|(_, _, text)| text.contains("[ cut here ]"));
        let before = cut.map_or(&[][..], |cut| &before[cut..]);
        let mut lines: Vec<String> = before.iter().map(|(_, _, text)| text.clone()).collect();
        let first_line = before.first().map_or(line.number, |(_, number, _)| *number);
        let at = lines.len();
        lines.push(line.text.to_owned());
        self.before.clear();
        self.begun = self.begun.saturating_add(1);
        self.open.push(Open {
            header,
            caller: line.caller,
            severity: header.severity,
            first_line,
            at,
            lines,
            idle: 0,
            everywhere: false,
            traced: false,
        });
    }

    fn go_on(&mut self, line: &Line) {
        let is_cpu = matches!(line.caller, Some(Caller::Cpu(_)));
        let found = self
            .open
            .iter()
            .position(|open| open.caller == line.caller || (open.everywhere && is_cpu));
        let Some(at) = found else {
            return;
        };
        let open = &mut self.open[at];
        open.push(line.text);
        if open.is_over(line.text) {
            let open = self.open.remove(at);
            self.close(open);
        }
    }

    fn close(&mut self, open: Open) {
        let words = letters(&open.lines[open.at]);
        if let Some(at) = self.keep(open.close()) {
            self.words.insert(words, at);
        }
    }

    /// Counts a finding that is known; keeps another, and gives where.
    fn keep(&mut self, finding: Finding) -> Option<usize> {
        let known = self
            .done
            .iter_mut()
            .find(|known| known.signature == finding.signature && known.class == finding.class);
        if let Some(known) = known {
            known.count = known.count.saturating_add(finding.count);
            known.severity = known.severity.max(finding.severity);
            return None;
        }
        (self.done.len() < MAX_FINDINGS).then(|| {
            self.done.push(finding);
            self.done.len() - 1
        })
    }
}

impl Open {
    fn push(&mut self, text: &str) {
        self.everywhere |= text.contains("Sending NMI from CPU");
        if self.lines.len() < MAX_LINES {
            self.lines.push(text.to_owned());
        }
    }

    /// Whether the trace ended with `text`.
    fn is_over(&mut self, text: &str) -> bool {
        if text.starts_with("---[ end trace") {
            return self.header.severity < Severity::Fatal;
        }
        if is_trace(text) {
            self.idle = 0;
            // Registers stand at the begin of a line.
            self.traced |= text.starts_with([' ', '[', '(']) && text.contains("+0x");
        } else {
            self.idle += 1;
        }
        let bound = if self.traced { MAX_IDLE } else { MAX_LINES / 4 };
        self.idle > bound && self.lines.len() > self.at + MAX_IDLE || self.lines.len() >= MAX_LINES
    }

    fn close(mut self) -> Finding {
        // What came after the trace is not its.
        let end = self
            .lines
            .iter()
            .rposition(|line| is_trace(line))
            .unwrap_or(self.at)
            .max(self.at);
        let tail = self.lines[end + 1..].iter().position(|line| {
            !line.is_empty() && !line.starts_with("---[ end") && !line.starts_with(PANIC)
        });
        let keep = end + 1 + tail.unwrap_or(self.lines.len() - end - 1);
        let said = self.lines[self.at].clone();
        let said = self.header.pattern.captures(&said);
        let blamed = said
            .as_ref()
            .and_then(|said| blame(self.header, said, &self.lines[self.at..]));
        let title = title(
            self.header,
            said.as_ref(),
            &self.lines[self.at..],
            blamed.as_ref(),
        );
        self.lines.truncate(keep);
        let taint = self
            .lines
            .iter()
            .find_map(|line| Some(TAINT.captures(line)?[1].trim().to_owned()));
        let (function, module, place) = match blamed {
            Some(frame) => (frame.function, frame.module, frame.place),
            None => (String::new(), String::new(), None),
        };
        Finding {
            class: self.header.class,
            severity: self.severity,
            signature: title.clone(),
            title,
            place: place.or_else(|| frames::source(&self.lines[self.at])),
            function,
            module,
            taint: taint.unwrap_or_default(),
            expected: false,
            count: 1,
            first_line: self.first_line,
            lines: self.lines,
        }
    }
}

/// Whether `text` is of a trace: a frame, what begins a stack, registers, memory or code. Of a flood every line is asked.
fn is_trace(text: &str) -> bool {
    if text.contains("+0x") || text.ends_with("[inline]") {
        return true;
    }
    let begins = text.trim_end().ends_with(':') && frames::part(text) != Part::Other;
    begins || is_dump(text)
}

/// Whether `text` is of registers, memory or code, as traces have them.
fn is_dump(text: &str) -> bool {
    const BEGINS: [&str; 17] = [
        "CPU:",
        "Hardware name",
        "Modules linked in",
        "Code:",
        "RAX:",
        "RSP:",
        "RBP:",
        "RDX:",
        "R10:",
        "R13:",
        "CR2:",
        "Workqueue:",
        "Call Trace",
        "Exception stack",
        "Stack:",
        "Process ",
        "pstate:",
    ];
    let text = text.trim_start();
    // `5e40: 8163f8d8 801654b0 …`
    let is_memory = || {
        text.len() > 30
            && text.split_once(": ").is_some_and(|(at, words)| {
                let hex = |c: char| c.is_ascii_hexdigit() || c == ' ';
                at.len() <= 16 && at.chars().all(hex) && words.chars().all(hex)
            })
    };
    BEGINS.iter().any(|begin| text.starts_with(begin)) || is_memory()
}

fn title(
    header: &Header,
    said: Option<&Captures>,
    lines: &[String],
    blamed: Option<&Frame>,
) -> String {
    let caught = |group: usize| {
        let text = said.and_then(|said| said.get(group));
        normal(text.map_or("", |text| text.as_str()))
    };
    let mut title = header.title.to_owned();
    for group in 1..=3 {
        title = title.replace(&format!("${group}"), &caught(group));
    }
    if title.contains("${access}") {
        let access = lines.iter().take(12).find_map(|line| ACCESS.captures(line));
        title = title.replace("${access}", access.as_ref().map_or("", |access| &access[1]));
    }
    if let Some(error) = said.and_then(|said| said.name("error")) {
        title = title.replace("${error}", error.as_str());
    }
    let function = blamed.map_or("", |blamed| blamed.function.as_str());
    if title.contains("${function}") {
        title = title.replace("${function}", function);
    } else if header.class == Class::Rust {
        // The next line says why.
        title = normal(lines.get(1).map_or("rust panic", |line| line.trim()));
    }
    let mut title = title.trim().to_owned();
    if !function.is_empty() && !header.title.contains("${function}") {
        title = format!("{title} in {function}");
    }
    let end = title.floor_char_boundary(MAX_TITLE);
    title.truncate(end);
    title
}

/// What two complaints of a flood have in common: the letters that are no hexadecimal digits.
fn letters(text: &str) -> String {
    let letter = |c: &char| c.is_ascii_alphabetic() && !c.is_ascii_hexdigit();
    text.chars().filter(letter).collect()
}

/// `text` without what differs from run to run.
pub(crate) fn normal(text: &str) -> String {
    let made = VARIABLE.replace_all(text, |found: &Captures| {
        if found.name("offset").is_some() {
            ""
        } else if found.name("address").is_some() {
            "ADDR"
        } else {
            "NUM"
        }
    });
    made.split_whitespace().collect::<Vec<_>>().join(" ")
}
