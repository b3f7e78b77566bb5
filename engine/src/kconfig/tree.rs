//! The Kconfig files of a source, as far as it takes to say what a symbol depends on.
//!
//! A line that is not understood is passed over: kconfig itself has the last word on the values, this only explains them.
//! Source: kernel, Documentation/kbuild/kconfig-language.rst.

use std::collections::BTreeMap;

use super::expression::Expression;
use super::symbols::is_symbol;

/// How deeply files may include each other.
const DEEPEST: usize = 32;
/// How many files are read; 6.1 has 1,700.
const MOST_FILES: usize = 20_000;

/// One `config X` or `menuconfig X`.
#[derive(Clone, Debug, Default)]
pub(super) struct Definition {
    /// File and line, `drivers/ata/Kconfig:12`.
    pub place: String,
    /// What must all hold: of the symbol, its menus, its `if`s and its choice.
    pub depends: Vec<Expression>,
    /// What must hold for a person to be asked; `None` where nobody is.
    pub prompt: Option<Vec<Expression>>,
    /// The choice it is one of.
    pub choice: Option<usize>,
    /// Whether it can be a module.
    pub tristate: bool,
    /// What its lines `default` say, one after the other.
    pub defaults: String,
}

/// One `select X`.
#[derive(Clone, Debug)]
pub(super) struct Select {
    /// The symbol that selects.
    pub by: String,
    /// Under which condition.
    pub when: Option<Expression>,
}

/// All definitions that one arch reads.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub(super) definitions: BTreeMap<String, Vec<Definition>>,
    pub(super) selects: BTreeMap<String, Vec<Select>>,
    /// The symbols of each choice.
    pub(super) choices: Vec<Vec<String>>,
    files: usize,
}

impl Tree {
    /// Reads the tree from its top, `Kconfig`. `read` gives a file by its path below the source; `srcarch` is the
    /// directory below `arch`, such as `x86`.
    pub fn read(srcarch: &str, read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut tree = Self::default();
        let reader = Reader {
            srcarch,
            read,
            depth: 0,
        };
        tree.file("Kconfig", &reader, &mut Vec::new());
        tree
    }

    /// Whether a person is ever asked for a symbol: all others follow from these.
    pub fn is_asked(&self, symbol: &str) -> bool {
        let definitions = self.definitions.get(symbol);
        definitions.is_some_and(|all| all.iter().any(|one| one.prompt.is_some()))
    }

    fn file(&mut self, path: &str, reader: &Reader<'_>, frames: &mut Vec<Frame>) {
        self.files += 1;
        if reader.depth > DEEPEST || self.files > MOST_FILES {
            return;
        }
        let Some(text) = (reader.read)(path) else {
            return;
        };
        let mut lines = text.lines().enumerate();
        let mut at = At::Nothing;
        let mut pending = None;
        while let Some((index, first)) = pending.take().or_else(|| lines.next()) {
            let mut line = first.to_owned();
            while line.ends_with('\\') {
                line.pop();
                match lines.next() {
                    Some((_, more)) => line.push_str(more),
                    None => break,
                }
            }
            let (word, rest) = split(&line);
            match word {
                "help" | "---help---" => pending = skip_help(&mut lines),
                "source" => {
                    at = At::Nothing;
                    if let Some(path) = included(rest, reader.srcarch) {
                        let deeper = Reader {
                            depth: reader.depth + 1,
                            ..*reader
                        };
                        self.file(&path, &deeper, frames);
                    }
                }
                _ => self.line(&mut at, word, rest, frames, &|| {
                    format!("{path}:{}", index + 1)
                }),
            }
        }
    }

    fn line(
        &mut self,
        at: &mut At,
        word: &str,
        rest: &str,
        frames: &mut Vec<Frame>,
        place: &dyn Fn() -> String,
    ) {
        match word {
            "config" | "menuconfig" => {
                let name = split(rest).0;
                *at = At::Nothing;
                if is_symbol(name) {
                    self.define(name, frames, place());
                    *at = At::Symbol(name.to_owned());
                }
            }
            "menu" | "choice" | "if" => {
                let mut frame = Frame::default();
                if word == "if" {
                    frame.depends.extend(Expression::parse(rest));
                } else if word == "choice" {
                    frame.choice = Some(self.choices.len());
                    self.choices.push(Vec::new());
                }
                frames.push(frame);
                *at = if word == "if" { At::Nothing } else { At::Frame };
            }
            "endmenu" | "endchoice" | "endif" => {
                frames.pop();
                *at = At::Nothing;
            }
            "comment" | "mainmenu" => *at = At::Nothing,
            _ => self.attribute(at, word, rest, frames),
        }
    }

    fn define(&mut self, name: &str, frames: &[Frame], place: String) {
        let choice = frames.iter().rev().find_map(|frame| frame.choice);
        if let Some(members) = choice.and_then(|choice| self.choices.get_mut(choice)) {
            members.push(name.to_owned());
        }
        let depends = frames
            .iter()
            .flat_map(|frame| frame.depends.iter().cloned());
        let definition = Definition {
            place,
            depends: depends.collect(),
            prompt: None,
            choice,
            tristate: false,
            defaults: String::new(),
        };
        self.definitions
            .entry(name.to_owned())
            .or_default()
            .push(definition);
    }

    fn attribute(&mut self, at: &At, word: &str, rest: &str, frames: &mut [Frame]) {
        let condition = || after_if(rest).and_then(Expression::parse);
        let depends = || {
            let expression = rest.strip_prefix("on")?;
            Expression::parse(expression)
        };
        match at {
            At::Nothing => {}
            At::Frame => {
                let Some(frame) = frames.last_mut() else {
                    return;
                };
                match word {
                    "depends" => frame.depends.extend(depends()),
                    "visible" => frame.visible.extend(condition()),
                    _ => {}
                }
            }
            At::Symbol(name) => {
                let last = self
                    .definitions
                    .get_mut(name)
                    .and_then(|all| all.last_mut());
                let Some(definition) = last else {
                    return;
                };
                definition.tristate |= matches!(word, "tristate" | "def_tristate");
                if matches!(word, "default" | "def_bool" | "def_tristate") {
                    definition.defaults.push_str(rest);
                    definition.defaults.push('\n');
                }
                match word {
                    "depends" => definition.depends.extend(depends()),
                    "prompt" | "bool" | "tristate" | "int" | "hex" | "string"
                        if !rest.is_empty() =>
                    {
                        let visible = frames.iter().flat_map(|frame| frame.visible.iter());
                        definition.prompt = Some(visible.cloned().chain(condition()).collect());
                    }
                    "select" => {
                        let select = Select {
                            by: name.clone(),
                            when: condition(),
                        };
                        let target = split(rest).0.to_owned();
                        self.selects.entry(target).or_default().push(select);
                    }
                    _ => {}
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'r> {
    srcarch: &'r str,
    read: &'r dyn Fn(&str) -> Option<String>,
    depth: usize,
}

/// A menu, a choice or an `if` that is open.
#[derive(Clone, Debug, Default)]
struct Frame {
    depends: Vec<Expression>,
    visible: Vec<Expression>,
    choice: Option<usize>,
}

/// What attributes belong to.
enum At {
    Nothing,
    Symbol(String),
    /// The innermost menu or choice.
    Frame,
}

/// The first word of a line and what follows it, without its comment.
fn split(line: &str) -> (&str, &str) {
    let line = uncommented(line).trim();
    let end = line.find(char::is_whitespace).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim())
}

/// A line up to a `#` outside of quotes.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    for (index, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') => return &line[..index],
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    line
}

/// What stands behind the `if` of an attribute, which is no part of a prompt's text.
fn after_if(rest: &str) -> Option<&str> {
    let unquoted = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].split_once(quote)?.1,
        _ => rest,
    };
    let mut from = 0;
    while let Some(index) = unquoted[from..].find("if") {
        let (start, end) = (from + index, from + index + 2);
        let before = unquoted[..start].chars().next_back();
        let after = unquoted[end..].chars().next();
        let alone =
            |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '!'));
        if alone(before) && alone(after) {
            return Some(&unquoted[end..]);
        }
        from = end;
    }
    None
}

/// The file that a `source` line names; `None` where its name turns on more than the arch.
fn included(rest: &str, srcarch: &str) -> Option<String> {
    let path = rest.trim_matches(['"', '\'']);
    let path = path
        .replace("$(SRCARCH)", srcarch)
        .replace("$SRCARCH", srcarch);
    (!path.contains('$')).then_some(path)
}

/// Passes over a help text, which ends before the first line that is indented less than its own first one; gives that line.
fn skip_help<'t>(lines: &mut impl Iterator<Item = (usize, &'t str)>) -> Option<(usize, &'t str)> {
    let mut own = None;
    for (index, line) in lines {
        if line.trim().is_empty() {
            continue;
        }
        let indent = indent(line);
        let own = *own.get_or_insert(indent);
        if indent < own || own == 0 {
            return Some((index, line));
        }
    }
    None
}

/// Columns before the first letter; a tab goes to the next multiple of eight.
fn indent(line: &str) -> usize {
    let mut columns = 0;
    for character in line.chars() {
        match character {
            '\t' => columns = columns / 8 * 8 + 8,
            ' ' => columns += 1,
            _ => break,
        }
    }
    columns
}

#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A small source: its `Kconfig` and one file per arch.
    pub(in crate::kconfig) const TOP: &str = r#"mainmenu "Linux/$(ARCH)"
source "scripts/Kconfig.include"
source "arch/$(SRCARCH)/Kconfig"
config EXPERT
	bool "Configure standard kernel features (expert users)"
	select DEBUG_KERNEL
	help
	  This option allows the base kernel's options
	  to be changed.
	  config NOT_ONE

	    depends on deeper
config DEBUG_KERNEL
	bool
menu "ATA"
	depends on HAS_IOMEM && BLOCK # both
menuconfig ATA
	tristate "Serial ATA" if EXPERT
	depends on \
		PCI
if ATA
config ATA_PIIX
	tristate 'Intel PIIX "if" any'
	depends on X86 || COMPILE_TEST
	select SCSI if BLOCK
endif # ATA
endmenu
choice
	prompt "Timer frequency"
	default HZ_250
config HZ_100
	bool "100 HZ"
config HZ_250
	bool "250 HZ"
endchoice
config HZ
	int
	default 100 if HZ_100
menu "Hidden"
	visible if !EXPERT
config HIDDEN
	bool "x"
endmenu
"#;

    const X86: &str = "config X86\n\tdef_bool y\nconfig PCI\n\tbool \"PCI\"\nconfig BLOCK\n\tbool \"B\"\nsource \"Kconfig\"\n";

    pub(in crate::kconfig) fn tree() -> Tree {
        Tree::read("x86", &|path| match path {
            "Kconfig" => Some(TOP.to_owned()),
            "arch/x86/Kconfig" => Some(X86.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn menus_ifs_choices_and_continued_lines_count() {
        // The arch's file includes the top again, which ends.
        let tree = tree();
        let mut text = String::new();
        for (name, all) in &tree.definitions {
            let Some(last) = all.last() else { continue };
            let join = |parts: &[Expression]| {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                parts.join(", ")
            };
            let _ = write!(
                text,
                "{name} {} depends [{}]",
                last.place,
                join(&last.depends)
            );
            if let Some(prompt) = &last.prompt {
                let _ = write!(text, " prompt [{}]", join(prompt));
            }
            if let Some(choice) = last.choice {
                let _ = write!(text, " of {}", tree.choices[choice].join(" "));
            }
            for select in tree.selects.get(name).into_iter().flatten().take(1) {
                let when = select.when.as_ref().map(|when| format!(" if {when}"));
                let _ = write!(
                    text,
                    " selected by {}{}",
                    select.by,
                    when.unwrap_or_default()
                );
            }
            text.push('\n');
        }
        insta::assert_snapshot!(text, @r"
        ATA Kconfig:17 depends [HAS_IOMEM && BLOCK, PCI] prompt [EXPERT]
        ATA_PIIX Kconfig:22 depends [HAS_IOMEM && BLOCK, ATA, X86 || COMPILE_TEST] prompt []
        BLOCK arch/x86/Kconfig:5 depends [] prompt []
        DEBUG_KERNEL Kconfig:13 depends [] selected by EXPERT
        EXPERT Kconfig:4 depends [] prompt []
        HIDDEN Kconfig:41 depends [] prompt [!EXPERT]
        HZ Kconfig:36 depends []
        HZ_100 Kconfig:31 depends [] prompt [] of HZ_100 HZ_250
        HZ_250 Kconfig:33 depends [] prompt [] of HZ_100 HZ_250
        PCI arch/x86/Kconfig:3 depends [] prompt []
        X86 arch/x86/Kconfig:1 depends []
        ");
    }
}
