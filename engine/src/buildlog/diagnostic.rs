//! One complaint of a tool of a build.
//!
//! Forms: GCC `gcc/diagnostic.cc`, clang `TextDiagnosticPrinter`, binutils `ld` and `as`, kernel `scripts/mod/modpost.c`, `tools/objtool`,
//! `scripts/kconfig`, rustc, GNU make.

use std::sync::LazyLock;

use regex::Captures;
use regex::Regex;
use serde::Deserialize;
use serde::Serialize;

use crate::text::regex;

/// How much a complaint says of why a build failed, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// A tool refuses its input.
    Error,
    /// A program that the build needs is not there.
    Missing,
    /// make tells that something failed.
    Make,
}

/// One complaint of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Path as printed, without leading `./` and `../`; empty where none is.
    pub file: String,
    /// From 1; 0 where none is printed.
    pub line: u32,
    /// What is wrong, in the tool's words.
    pub text: String,
    /// The same for one complaint in two builds: file and words without lines and numbers.
    pub signature: String,
}

/// `file:line[:column]: error: words`, of gcc, clang, as, dtc, Kconfig and flex.
static PLACED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?P<file>[^\s:()][^:()]*?|\{standard input\}):(?P<line>\d+)(?:[:.-][\d.-]+)*: *(?P<kind>fatal error|[Ff]atal [Ee]rror|error|Error|ERROR|warning|Warning|syntax error)\b:? ?(?P<text>.*)$",
    )
});

/// `cc1: error: words`, `gcc: fatal error: words`, `ld: error: words`, `objtool: error`.
static TOOL: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?P<tool>(?:\S*/)?[\w.+-]*(?:cc1|gcc|g\+\+|cc1plus|clang|lld|ld|ld\.\w+|as|objcopy|ar|nm|strip|objtool|dtc|pahole|bindgen|rustc|modpost|collect2)(?:-[\d.]+)?): (?:(?P<file>[^\s:]+):(?:\(\S+\): )?)?(?P<kind>fatal error|error|warning): (?P<text>.*)$",
    )
});

/// The linker: `ld: x.c:(.text+0x1): undefined reference to g`, with the names in quotes.
static LINK: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:(?:\S*ld(?:\.\w+)?: )?(?P<file>[^\s:]+):(?:(?P<line>\d+):|\([^)]*\):)? )?(?P<text>(?:undefined reference to|multiple definition of|undefined symbol:|duplicate symbol:|relocation truncated|cannot find -l).*)$",
    )
});

/// `ERROR: modpost: words`, `WARNING: modpost: words`; older ones say `ERROR: "symbol" [x.ko] undefined!`.
static MODPOST: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?P<kind>ERROR|WARNING|FATAL): (?:modpost: )?(?P<text>\S.*)$"));

/// `fs/x.o: warning: objtool: words`.
static OBJTOOL: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^(?P<file>[^\s:]+\.o): (?P<kind>warning|error): objtool: (?P<text>.*)$")
});

/// The compiler of device trees: `Error: x.dts:12.3-4 syntax error`.
static DTC: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?P<kind>Error|Warning)(?: \(\w+\))?: (?P<file>[^\s:]+\.dtsi?):(?P<line>\d+)\.[\d.-]+:? (?P<text>.*)$",
    )
});

/// `error[E0425]: words`, with the place in the next line: `  --> file:12:3`.
static RUSTC: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?P<kind>error|warning)(?:\[E\d+\])?: (?P<text>\S.*)$"));
static ARROW: LazyLock<Regex> = LazyLock::new(|| regex(r"^ *--> (?P<file>[^\s:]+):(?P<line>\d+)"));

/// Kconfig: `init/Kconfig:12: syntax error`, `*** words`, `.config:12:warning: words`.
static KCONFIG: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:\*\*\* )(?P<text>(?:Can't|The|Configuration|Error|Default|.*\b(?:not found|does not|cannot|missing)).*?)(?: \*\*\*)?$",
    )
});

/// A shell or make without a program.
static MISSING: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:/bin/sh: (?:\d+: |line \d+: )?(?P<program>\S+): (?:not found|command not found)|(?:make(?:\[\d+\])?: )?(?P<other>[\w./+-]+): (?:Command not found|No such file or directory))$",
    )
});

static MAKE: LazyLock<Regex> = LazyLock::new(|| regex(r"^make(?:\[\d+\])?: \*\*\* (?P<text>.*)$"));
/// `[scripts/Makefile.build:250: init/main.o] Error 1`: what make says of what another has told.
static MAKE_ECHO: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?:\[.*\] Error \d+|Waiting for unfinished jobs)"));

static NUMBERS: LazyLock<Regex> = LazyLock::new(|| regex(r"0x[0-9a-fA-F]+|\b\d+\b"));

/// What `line` complains about: an error with its weight, or a warning (`None`).
pub(super) fn read(line: &str) -> Option<(Option<Weight>, Diagnostic)> {
    tool(line).or_else(|| make(line))
}

/// A complaint of a compiler, a linker, or another that reads files.
fn tool(line: &str) -> Option<(Option<Weight>, Diagnostic)> {
    type Words = fn(&Captures) -> String;
    let tools: [(&Regex, Words); 8] = [
        (&PLACED, |found| match &found["kind"] {
            "syntax error" => format!("syntax error {}", &found["text"]),
            _ => found["text"].to_owned(),
        }),
        (&DTC, |found| found["text"].to_owned()),
        (&OBJTOOL, |found| format!("objtool: {}", &found["text"])),
        (&TOOL, |found| {
            let tool = found["tool"].rsplit('/').next().unwrap_or_default();
            format!("{tool}: {}", &found["text"])
        }),
        (&LINK, |found| found["text"].to_owned()),
        (&MODPOST, |found| found["text"].to_owned()),
        (&RUSTC, |found| found["text"].to_owned()),
        (&KCONFIG, |found| found["text"].to_owned()),
    ];
    tools.into_iter().find_map(|(tool, words)| {
        let found = tool.captures(line)?;
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        let weight = match part("kind") {
            "warning" | "Warning" | "WARNING" => None,
            _ => Some(Weight::Error),
        };
        let number = part("line").parse().unwrap_or(0);
        Some((
            weight,
            Diagnostic::new(part("file"), number, &words(&found)),
        ))
    })
}

/// What make and the shell say.
fn make(line: &str) -> Option<(Option<Weight>, Diagnostic)> {
    if let Some(found) = MISSING.captures(line) {
        let program = found.name("program").or_else(|| found.name("other"));
        let program = program.map_or("", |program| program.as_str());
        let text = format!("`{program}` is not in the image");
        return Some((Some(Weight::Missing), Diagnostic::new("", 0, &text)));
    }
    let found = MAKE.captures(line)?;
    let weight = if MAKE_ECHO.is_match(&found["text"]) {
        Weight::Make
    } else {
        Weight::Missing
    };
    Some((Some(weight), Diagnostic::new("", 0, line)))
}

/// The place that rustc prints below a complaint.
pub(super) fn arrow(line: &str) -> Option<(String, u32)> {
    let found = ARROW.captures(line)?;
    Some((found["file"].to_owned(), found["line"].parse().ok()?))
}

impl Diagnostic {
    pub(super) fn new(file: &str, line: u32, text: &str) -> Self {
        let text = text.trim().replace(['\u{2018}', '\u{2019}'], "'");
        let mut diagnostic = Self {
            file: below_source(file).to_owned(),
            line,
            text,
            signature: String::new(),
        };
        diagnostic.sign();
        diagnostic
    }

    pub(super) fn put(&mut self, file: &str, line: u32) {
        below_source(file).clone_into(&mut self.file);
        self.line = line;
        self.sign();
    }

    fn sign(&mut self) {
        let text = NUMBERS.replace_all(&self.text, "NUM");
        self.signature = match self.file.as_str() {
            "" => text.into_owned(),
            file => format!("{file}: {text}"),
        };
    }

    /// One line: `fs/x.c:12: words`.
    pub fn told(&self) -> String {
        match (self.file.as_str(), self.line) {
            ("", _) => self.text.clone(),
            (file, 0) => format!("{file}: {}", self.text),
            (file, line) => format!("{file}:{line}: {}", self.text),
        }
    }
}

/// A path without how the build got to the source.
fn below_source(file: &str) -> &str {
    let mut short = file;
    while let Some(rest) = short
        .strip_prefix("./")
        .or_else(|| short.strip_prefix("../"))
    {
        short = rest;
    }
    short.strip_prefix("/src/").unwrap_or(short)
}
