//! The shapes of arguments: one table entry gives both the check and the reference text.

use std::collections::BTreeMap;
use std::fmt;

use crate::kconfig;
use crate::kconfig::Predicate;
use crate::kconfig::Version;
use crate::kconfig::VersionError;
use crate::model::ByVersion;
use crate::model::ConfigRecipe;
use crate::model::Fixup;
use crate::model::Patch;
use crate::model::ProjectFile;
use crate::origins::check_repository;
use crate::text::Spelling;
use crate::text::did_you_mean;
use rhai::Array;
use rhai::Dynamic;
use rhai::ImmutableString;
use rhai::Map;

use super::exploration::Fits;
use super::exploration::Thing;
use super::handle::Asked;
use super::handle::Cases;
use super::handle::Handle;
use super::handle::Kind;
use super::handle::describe;
use super::mistake::Mistake;
use super::mistake::ValuePath;
use super::patches;
use super::texts::check_key;
use super::texts::check_make_value;
use super::texts::check_setting;
use super::texts::check_setting_value;
use super::texts::check_url;
use super::texts::check_variable;

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// The name of a declaration: letters, digits and `_ . + -`.
    Name,
    /// A string of one line.
    Text,
    /// A string of one line that is not empty.
    Word,
    /// A word that goes on to another program.
    Spelt(&'static Spelling),
    /// `true` or `false`.
    Bool,
    /// A whole number in a range, both ends included.
    Whole(i64, i64),
    /// One of some strings.
    OneOf(&'static [&'static str]),
    /// 64 lower-case hex digits.
    Sha256,
    /// A URL that starts with `https://` or `http://`.
    Url,
    /// The place of a git repository.
    Repository,
    /// A declared thing.
    Handle(Kind),
    /// What `file(…)` gives.
    File,
    /// What `cfg(…)` and its operators give.
    Predicate,
    /// What `must(…)`, `want(…)` and `if_present(…)` give.
    Fixup,
    /// A list of fixups; lists within it are joined.
    Fixups,
    /// A list of files and of what `patches(…)` gives; lists within it are joined.
    Patches,
    /// What `target(…)`, `tiny()` and the like give.
    Recipe,
    /// A value of a Kconfig symbol.
    Value,
    /// A Kconfig symbol's name.
    Symbol,
    /// A map from Kconfig symbols to values.
    Symbols,
    /// A map from names to strings.
    Variables,
    /// A map from names of make.conf(5) to strings.
    Settings,
    /// A map from names to strings of one line.
    Strings,
    /// A kernel version.
    Version,
    /// A value, or what `by_version(…)` gives of such values.
    ByVersion(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// Such a word, nothing, or a list of such words.
    Texts(&'static Spelling),
    /// A map with known fields.
    Record(&'static Record),
    /// Any map.
    Map,
    /// A value that is handed on as it is.
    Any,
    /// What `randconfig(…)`, `config(…)` and `mutate(…)` of an exploration give.
    Config,
    /// What `build(…)` of an exploration gives.
    Build,
    /// A build or a boot of an exploration.
    Outcome,
    /// The name of a board, or a predicate.
    Fits,
}

/// A map with known fields.
#[derive(Debug)]
pub(super) struct Record {
    /// What it describes, with its article, such as `a board`.
    pub noun: &'static str,
    /// The fields.
    pub fields: &'static [Field],
    /// Groups of fields of which exactly one must be given.
    pub one_of: &'static [&'static [&'static str]],
    /// Groups of fields of which at least one must be given.
    pub any_of: &'static [&'static [&'static str]],
    /// Keys people try, with what to do instead.
    pub refused: &'static [(&'static str, &'static str)],
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
    /// Whether it must be there.
    pub need: Need,
    /// What it means, for the reference.
    pub doc: &'static str,
}

/// Whether a field must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It must.
    Required,
    /// It may be left out; what then holds, for the reference.
    Otherwise(&'static str),
}

/// A value that was checked.
#[derive(Clone, Debug)]
pub(super) enum Checked {
    /// Of the string shapes, and the name of a handle.
    Text(String),
    /// `Bool`
    Bool(bool),
    /// `Whole`
    Whole(i64),
    /// `File`
    File(ProjectFile),
    /// `Predicate`
    Predicate(Predicate),
    /// `Fixup`
    Fixup(Fixup),
    /// `Recipe`
    Recipe(ConfigRecipe),
    /// `Value`
    Value(kconfig::Value),
    /// `Symbols`
    Symbols(BTreeMap<String, kconfig::Value>),
    /// `Variables`
    Variables(BTreeMap<String, String>),
    /// `Version`
    Version(Version),
    /// `ByVersion`
    ByVersion(BTreeMap<Version, Checked>),
    /// An element of `Patches`
    Patch(Patch),
    /// `List`, `Fixups` and `Patches`
    List(Vec<Checked>),
    /// `Record`
    Record(Fields),
    /// `Map` and `Any`
    Raw(Dynamic),
    /// `Config`, `Build` and `Outcome`
    Asked(Asked),
    /// `Fits`
    Fits(Fits),
}

/// The fields of a checked record that were given.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(BTreeMap<&'static str, Checked>);

/// A field taken out of [`Fields`] as a Rust value.
pub(super) trait FromChecked: Sized {
    /// The value, if it was of the shape that gives one.
    fn from_checked(checked: Checked) -> Option<Self>;
}

macro_rules! from_checked {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl FromChecked for $type {
            fn from_checked(checked: Checked) -> Option<Self> {
                if let Checked::$variant(value) = checked { Some(value) } else { None }
            }
        }
    )*};
}

from_checked! {
    String => Text,
    bool => Bool,
    i64 => Whole,
    ProjectFile => File,
    Predicate => Predicate,
    Fixup => Fixup,
    Patch => Patch,
    ConfigRecipe => Recipe,
    kconfig::Value => Value,
    Version => Version,
    BTreeMap<String, kconfig::Value> => Symbols,
    BTreeMap<String, String> => Variables,
    Fields => Record,
    Dynamic => Raw,
    Asked => Asked,
    Fits => Fits,
}

impl<T: FromChecked> FromChecked for Vec<T> {
    fn from_checked(checked: Checked) -> Option<Self> {
        let Checked::List(items) = checked else {
            return None;
        };
        items.into_iter().map(T::from_checked).collect()
    }
}

impl<T: FromChecked> FromChecked for ByVersion<T> {
    fn from_checked(checked: Checked) -> Option<Self> {
        let Checked::ByVersion(cases) = checked else {
            return T::from_checked(checked).map(Self::from);
        };
        let case = |(version, value)| T::from_checked(value).map(|value| (version, value));
        Self::new(cases.into_iter().map(case).collect::<Option<_>>()?)
    }
}

impl Fields {
    /// The field's value, if it was given.
    pub fn take<T: FromChecked>(&mut self, name: &str) -> Option<T> {
        self.0.remove(name).and_then(T::from_checked)
    }

    /// A whole number that its shape keeps within bounds, or another where it was not given.
    pub fn take_number(&mut self, name: &str, otherwise: u32) -> u32 {
        let given = self.take::<i64>(name);
        let given = given.and_then(|number| u32::try_from(number).ok());
        given.unwrap_or(otherwise)
    }

    /// The field's value, or the type's empty value.
    pub fn take_or_empty<T: FromChecked + Default>(&mut self, name: &str) -> T {
        self.take(name).unwrap_or_default()
    }
}

impl Record {
    /// Whether a call may leave the whole map out.
    pub fn is_optional(&self) -> bool {
        self.one_of.is_empty()
            && self.any_of.is_empty()
            && self.fields.iter().all(|field| field.need != Need::Required)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }

    fn check(&self, map: &Map, path: &mut ValuePath) -> Result<Fields, Mistake> {
        let noun = self.noun;
        let listing = || format!("{noun} has the fields {}", list_names(self.names(), "and"));
        let mut fields = Fields::default();
        for (key, value) in map {
            path.push(key.to_string());
            let Some(field) = self.fields.iter().find(|field| field.name == key.as_str()) else {
                let mistake = Mistake::at(path, format!("{noun} has no field `{key}`"));
                let refused = self.refused.iter().find(|(name, _)| *name == key.as_str());
                return Err(match refused {
                    Some((_, help)) => mistake.help(*help),
                    None => mistake.suggest(did_you_mean(key, self.names()), listing),
                });
            };
            fields.0.insert(field.name, field.shape.check(value, path)?);
            path.pop();
        }
        for field in self.fields {
            if field.need == Need::Required && !fields.0.contains_key(field.name) {
                let message = format!("{noun} needs the field `{}`", field.name);
                return Err(Mistake::at(path, message).help(format!(
                    "`{}` is {}: {}",
                    field.name, field.shape, field.doc
                )));
            }
        }
        for group in self.one_of {
            let mut given = group.iter().filter(|name| fields.0.contains_key(**name));
            let (first, second) = (given.next(), given.next());
            let wanted = list_names(group.iter().copied(), "and");
            if let Some(second) = second {
                path.push((*second).to_owned());
                return Err(Mistake::at(
                    path,
                    format!("{noun} has only one of {wanted}"),
                ));
            }
            if first.is_none() {
                return Err(Mistake::at(path, format!("{noun} needs one of {wanted}")));
            }
        }
        for group in self.any_of {
            if !group.iter().any(|name| fields.0.contains_key(*name)) {
                let wanted = list_names(group.iter().copied(), "or");
                return Err(Mistake::at(path, format!("{noun} needs {wanted}, or both")));
            }
        }
        Ok(fields)
    }
}

/// `a`, `b` and `c`
fn list_names(names: impl Iterator<Item = &'static str>, last: &str) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => String::new(),
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a name",
            Self::Text | Self::Word => "a string",
            Self::Bool => "`true` or `false`",
            Self::Whole(least, most) => {
                return write!(f, "a whole number from {least} to {most}");
            }
            Self::OneOf(words) => {
                return f.write_str(&list_strings(words));
            }
            Self::Sha256 => "a SHA-256 in 64 lower-case hex digits",
            Self::Url => "an `https://` or `http://` URL",
            Self::Repository => "the URL of a git repository",
            Self::Handle(kind) => return f.write_str(kind.with_article()),
            Self::File => "a file, as `file(…)` gives it",
            Self::Predicate => "a predicate, as `cfg(…)` gives it",
            Self::Fixup => "a fixup, as `must(…)`, `want(…)` and `if_present(…)` give it",
            Self::Fixups => "a list of fixups; lists within it, as `satisfy(…)` gives them, are joined",
            Self::Patches => "a list, each element a file or what `patches(…)` gives",
            Self::Version => "a kernel version, such as `\"6.1\"`",
            Self::ByVersion(inner) => return write!(f, "{inner}, or `by_version(…)` of such"),
            Self::Recipe => {
                "a config recipe, as `target(…)`, `tiny()`, `randconfig(…)` and `config_file(…)` give it"
            }
            Self::Value => {
                "a Kconfig value: `\"y\"`, `\"m\"`, `\"n\"`, another string, a whole number, `hex(…)` or `text(…)`"
            }
            Self::Symbol => "a Kconfig symbol without `CONFIG_`",
            Self::Symbols => "a map from Kconfig symbols to values",
            Self::Variables => "a map from variable names to strings",
            Self::Strings => "a map from names to strings",
            Self::Settings => "a map from settings to strings",
            Self::List(inner) => return write!(f, "a list, each element {inner}"),
            Self::Spelt(spelling) => spelling.noun,
            Self::Texts(spelling) => return write!(f, "{}, or a list of such", spelling.noun),
            Self::Record(record) => {
                return write!(f, "a map with the fields {}", list_names(record.names(), "and"));
            }
            Self::Map => "a map",
            Self::Any => "a value",
            Self::Config => "a config, as `randconfig(…)`, `config(…)` and `mutate(…)` give it",
            Self::Build => "a build, as `build(…)` gives it",
            Self::Outcome => "a config, a build or a boot",
            Self::Fits => "the name of a board, or a predicate, as `cfg(…)` gives it",
        })
    }
}

fn list_strings(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
    words.join(" or ")
}

impl Shape {
    /// Checks a value that stands at `path`.
    pub fn check(&self, value: &Dynamic, path: &mut ValuePath) -> Result<Checked, Mistake> {
        let checked = match self {
            Self::Name
            | Self::Text
            | Self::Word
            | Self::Spelt(_)
            | Self::OneOf(_)
            | Self::Sha256
            | Self::Url
            | Self::Repository => match cast::<ImmutableString>(value) {
                Some(text) => return self.check_text(&text, path),
                None => None,
            },
            Self::Symbol => match cast::<ImmutableString>(value) {
                Some(text) => {
                    check_symbol(&text, path)?;
                    Some(Checked::Text(text.to_string()))
                }
                None => None,
            },
            Self::Bool => cast(value).map(Checked::Bool),
            Self::Whole(least, most) => cast(value)
                .filter(|number| (*least..=*most).contains(number))
                .map(Checked::Whole),
            Self::Handle(kind) => cast::<Handle>(value)
                .filter(|handle| handle.kind == *kind)
                .map(|handle| Checked::Text(handle.name.to_string())),
            Self::File => cast(value).map(Checked::File),
            Self::Predicate => cast(value).map(Checked::Predicate),
            Self::Fixup => cast(value).map(Checked::Fixup),
            Self::Fixups | Self::Patches => match cast::<Array>(value) {
                Some(items) => Some(Checked::List(self.joined(&items, path)?)),
                None => None,
            },
            Self::Version => match cast::<ImmutableString>(value) {
                Some(text) => Some(Checked::Version(check_version(&text, path)?)),
                None => None,
            },
            Self::ByVersion(inner) => match cast::<Cases>(value) {
                Some(Cases(cases)) => {
                    let case = |(version, value): (Version, Dynamic)| {
                        path.push(version.to_string());
                        let checked = inner.check(&value, path)?;
                        path.pop();
                        Ok((version, checked))
                    };
                    Some(Checked::ByVersion(
                        cases.into_iter().map(case).collect::<Result<_, _>>()?,
                    ))
                }
                None => return inner.check(value, path),
            },
            Self::Recipe => cast(value).map(Checked::Recipe),
            Self::Value => Some(Checked::Value(check_value(value, path)?)),
            Self::Texts(spelling) => {
                let each = Self::Spelt(spelling);
                match (cast::<ImmutableString>(value), cast::<Array>(value)) {
                    (Some(text), _) if text.is_empty() => Some(Checked::List(Vec::new())),
                    (Some(_), _) => Some(Checked::List(vec![each.check(value, path)?])),
                    (None, Some(items)) => Some(Checked::List(each_of(&each, &items, path)?)),
                    (None, None) => None,
                }
            }
            Self::Symbols
            | Self::Variables
            | Self::Settings
            | Self::Strings
            | Self::Record(_)
            | Self::Map => match cast::<Map>(value) {
                Some(map) => return self.check_map(map, path),
                None => None,
            },
            Self::List(inner) => match cast::<Array>(value) {
                Some(items) => Some(Checked::List(each_of(inner, &items, path)?)),
                None => None,
            },
            Self::Any | Self::Config | Self::Build | Self::Outcome | Self::Fits => {
                self.check_asked(value)
            }
        };
        checked.ok_or_else(|| self.mismatch(value, path))
    }

    /// Checks a value of a script that explores.
    fn check_asked(&self, value: &Dynamic) -> Option<Checked> {
        let asked = |such: fn(Thing) -> bool| {
            let asked = cast::<Asked>(value).filter(|asked| such(asked.thing));
            asked.map(Checked::Asked)
        };
        match self {
            Self::Config => asked(|thing| matches!(thing, Thing::Config(_))),
            Self::Build => asked(|thing| matches!(thing, Thing::Build(_))),
            Self::Outcome => asked(|_| true),
            Self::Fits => match cast::<ImmutableString>(value) {
                Some(board) => Some(Checked::Fits(Fits::Board(board.to_string()))),
                None => cast(value).map(|needs| Checked::Fits(Fits::Needs(needs))),
            },
            _ => Some(Checked::Raw(value.flatten_clone())),
        }
    }

    /// The mistake of a value that is something else, with a hint where it is a common one.
    fn mismatch(&self, value: &Dynamic, path: &[String]) -> Mistake {
        let secret = path.last().is_some_and(|field| field == "token");
        let message = if secret {
            format!(
                "{} must be {self}; what was given is not shown",
                place(path)
            )
        } else {
            format!("{} must be {self}, not {}", place(path), describe(value))
        };
        let mistake = Mistake::at(path, message);
        match self {
            Self::Handle(kind) if value.is_string() => {
                let word = kind.word();
                mistake.help(format!(
                    "give the value that `{word}(…)` returned, not its name"
                ))
            }
            Self::Record(record) if secret => {
                let said = record.refused.iter().find(|(key, _)| *key == "value");
                said.map_or(mistake.clone(), |(_, hint)| mistake.help(*hint))
            }
            Self::File if value.is_string() => mistake.help("write `file(\"path\")`"),
            Self::Predicate if value.is_string() => mistake.help("write `cfg(\"SYMBOL\")`"),
            Self::Version if value.is_int() => mistake.help("write it as a string: `\"6.1\"`"),
            Self::Fixup if value.is_map() => {
                mistake.help("say how hard it is meant: `must(#{ … })`")
            }
            _ => mistake,
        }
    }

    fn check_map(&self, map: Map, path: &mut ValuePath) -> Result<Checked, Mistake> {
        match self {
            Self::Symbols => {
                let symbols = each(map.iter(), path, |value, path| {
                    let symbol = path.last().cloned().unwrap_or_default();
                    check_symbol(&symbol, path)?;
                    Ok((symbol, check_value(value, path)?))
                })?;
                Ok(Checked::Symbols(symbols.into_iter().collect()))
            }
            Self::Variables => check_texts(&map, path, check_variable, check_make_value),
            Self::Settings => check_texts(&map, path, check_setting, check_setting_value),
            Self::Strings => check_texts(&map, path, check_key, |_, _| Ok(())),
            Self::Record(record) => record.check(&map, path).map(Checked::Record),
            _ => Ok(Checked::Raw(Dynamic::from_map(map))),
        }
    }

    /// The elements of a list and of the lists in it.
    fn joined(&self, items: &Array, path: &mut ValuePath) -> Result<Vec<Checked>, Mistake> {
        let one = |item: &Dynamic, path: &mut ValuePath| match self {
            Self::Patches => check_patches(item, path),
            _ => Self::Fixup.check(item, path).map(|fixup| vec![fixup]),
        };
        let checked = each(items.iter().enumerate(), path, |item, path| {
            match cast::<Array>(item) {
                Some(inner) => {
                    let inner = each(inner.iter().enumerate(), path, one)?;
                    Ok(inner.into_iter().flatten().collect())
                }
                None => one(item, path),
            }
        })?;
        Ok(checked.into_iter().flatten().collect())
    }

    fn check_text(&self, text: &str, path: &[String]) -> Result<Checked, Mistake> {
        let wrong = || self.mismatch(&Dynamic::from(text.to_owned()), path);
        if text.chars().any(char::is_control) {
            return Err(
                Mistake::at(path, format!("{} must be one line", place(path)))
                    .help("control characters are not allowed here"),
            );
        }
        match self {
            Self::Name if !is_name(text) => {
                return Err(Mistake::at(path, format!("`{text}` cannot be a name"))
                    .help("a name has letters, digits and `_ . + -`, and begins with a letter or digit"));
            }
            Self::Word | Self::Spelt(_) if text.trim().is_empty() => {
                return Err(Mistake::at(
                    path,
                    format!("{} must not be empty", place(path)),
                ));
            }
            Self::Spelt(spelling) => check_spelling(text, spelling, path)?,
            Self::OneOf(words) if !words.contains(&text) => {
                return Err(
                    wrong().suggest(did_you_mean(text, words.iter().copied()), || {
                        format!("choose {}", list_strings(words))
                    }),
                );
            }
            Self::Sha256
                if text.len() != 64
                    || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) =>
            {
                return Err(wrong().help("`sha256sum FILE` prints it"));
            }
            Self::Url => check_url(text).map_err(|help| wrong().help(help))?,
            Self::Repository => check_repository(text).map_err(|help| wrong().help(help))?,
            _ => {}
        }
        Ok(Checked::Text(text.to_owned()))
    }
}

/// Checks a part of a map of texts that stands at a path.
type CheckPart = fn(&str, &[String]) -> Result<(), Mistake>;

/// Checks the names and the texts of a map.
fn check_texts(
    map: &Map,
    path: &mut ValuePath,
    check_name: CheckPart,
    check_text: CheckPart,
) -> Result<Checked, Mistake> {
    let texts = each(map.iter(), path, |value, path| {
        let name = path.last().cloned().unwrap_or_default();
        check_name(&name, path)?;
        let text = Shape::Text.check(value, path)?;
        let text = String::from_checked(text).unwrap_or_default();
        check_text(&text, path)?;
        Ok((name, text))
    })?;
    Ok(Checked::Variables(texts.into_iter().collect()))
}

/// Checks the elements of a list.
fn each_of(shape: &Shape, items: &Array, path: &mut ValuePath) -> Result<Vec<Checked>, Mistake> {
    each(items.iter().enumerate(), path, |item, path| {
        shape.check(item, path)
    })
}

/// The patches that one element is: what is taken in as a file may hold several.
fn check_patches(item: &Dynamic, path: &mut ValuePath) -> Result<Vec<Checked>, Mistake> {
    if let Some(patch) = cast::<Patch>(item) {
        return Ok(vec![Checked::Patch(patch)]);
    }
    let Checked::File(file) = Shape::File.check(item, path)? else {
        return Ok(Vec::new());
    };
    let patches = patches::patches(&file.path, &file.bytes(), patches::STRIP);
    let patches = patches.map_err(|why| Mistake::at(path, why))?;
    Ok(patches.into_iter().map(Checked::Patch).collect())
}

/// Reads a kernel version that stands at `path`.
pub(super) fn check_version(text: &str, path: &[String]) -> Result<Version, Mistake> {
    text.parse()
        .map_err(|error: VersionError| Mistake::at(path, error.to_string()))
}

/// Checks each value of a list or map with its index or key on the path.
fn each<'a, K: ToString, T>(
    values: impl Iterator<Item = (K, &'a Dynamic)>,
    path: &mut ValuePath,
    mut check: impl FnMut(&Dynamic, &mut ValuePath) -> Result<T, Mistake>,
) -> Result<Vec<T>, Mistake> {
    let mut checked = Vec::new();
    for (step, value) in values {
        path.push(step.to_string());
        checked.push(check(value, path)?);
        path.pop();
    }
    Ok(checked)
}

/// A typed copy of a value, also out of a variable that a closure shares.
fn cast<T: Clone + Send + Sync + 'static>(value: &Dynamic) -> Option<T> {
    value.flatten_clone().try_cast::<T>()
}

/// How a message names the value at `path`.
pub(super) fn place(path: &[String]) -> String {
    let mut name = String::new();
    for step in path.iter().skip(1) {
        if step.bytes().all(|b| b.is_ascii_digit()) {
            name = format!("{name}[{step}]");
        } else {
            name = if name.is_empty() {
                step.clone()
            } else {
                format!("{name}.{step}")
            };
        }
    }
    match (name.is_empty(), path.first().map(String::as_str)) {
        (false, _) => format!("`{name}`"),
        (true, Some("0")) => "the first argument".to_owned(),
        (true, Some("1")) => "the second argument".to_owned(),
        (true, Some("2")) => "the third argument".to_owned(),
        (true, _) => "the value".to_owned(),
    }
}

/// Whether a declaration may have this name; it becomes a path component of results.
fn is_name(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.+-".contains(c))
}

/// Refuses a word that is not spelt as its kind is.
pub(super) fn check_spelling(
    word: &str,
    spelling: &Spelling,
    path: &[String],
) -> Result<(), Mistake> {
    if spelling.fits(word) {
        return Ok(());
    }
    Err(Mistake::at(path, format!("`{word}` is not {}", spelling.noun)).help(spelling.to_string()))
}

fn check_symbol(name: &str, path: &[String]) -> Result<(), Mistake> {
    let mistake = |help: String| {
        Err(Mistake::at(path, format!("`{name}` is not a Kconfig symbol")).help(help))
    };
    if let Some(rest) = name.strip_prefix("CONFIG_") {
        return mistake(format!("write it without `CONFIG_`: `{rest}`"));
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return mistake("a symbol has letters, digits and `_`".to_owned());
    }
    Ok(())
}

fn check_value(value: &Dynamic, path: &[String]) -> Result<kconfig::Value, Mistake> {
    if let Some(value) = cast::<kconfig::Value>(value) {
        return Ok(value);
    }
    if let Some(number) = cast::<i64>(value) {
        return Ok(kconfig::Value::Number(number.to_string()));
    }
    let wrong = || {
        let message = format!(
            "{} must be {}, not {}",
            place(path),
            Shape::Value,
            describe(value)
        );
        Mistake::at(path, message)
    };
    if let Some(switch) = cast::<bool>(value) {
        return Err(wrong().help(format!("write `\"{}\"`", if switch { "y" } else { "n" })));
    }
    let text = cast::<ImmutableString>(value).ok_or_else(wrong)?;
    let help = match text.as_str() {
        "y" => return Ok(kconfig::Value::Yes),
        "m" => return Ok(kconfig::Value::Module),
        "n" => return Ok(kconfig::Value::No),
        "Y" | "yes" | "M" | "N" | "no" => {
            let letter = text[..1].to_lowercase();
            format!("write `\"{letter}\"`, or `text(\"{text}\")` for a symbol of type string")
        }
        number if number.parse::<i64>().is_ok() => {
            format!("write `{number}`, or `text(\"{number}\")` for a symbol of type string")
        }
        number if is_hex(number) => {
            format!(
                "write `hex(\"{number}\")`, or `text(\"{number}\")` for a symbol of type string"
            )
        }
        _ => return kconfig_text(&text, path),
    };
    Err(Mistake::at(
        path,
        format!("it is not clear what kind of value `\"{text}\"` is"),
    )
    .help(help))
}

/// `0x` and 1 to 16 hex digits.
pub(super) fn is_hex(text: &str) -> bool {
    text.strip_prefix("0x").is_some_and(|digits| {
        (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// A string value; Kconfig strings are one line, and make reads them from `include/config/auto.conf`.
pub(super) fn kconfig_text(text: &str, path: &[String]) -> Result<kconfig::Value, Mistake> {
    if text.chars().any(char::is_control) {
        return Err(Mistake::at(
            path,
            format!("{} must be one line", place(path)),
        ));
    }
    if let Some(wrong) = text.chars().find(|c| matches!(c, '$' | '`')) {
        let message = format!("{} has {wrong:?}, which make would expand", place(path));
        return Err(Mistake::at(path, message));
    }
    Ok(kconfig::Value::Text(text.to_owned()))
}
