//! The values definitions pass around: handles of declared things, and how messages describe any value.

use std::collections::BTreeMap;

use rhai::Dynamic;
use rhai::FnPtr;
use rhai::ImmutableString;

use super::exploration::Thing;
use crate::kconfig;
use crate::kconfig::Predicate;
use crate::kconfig::Version;
use crate::model::ConfigRecipe;
use crate::model::Fixup;
use crate::model::Patch;
use crate::model::ProjectFile;

/// Values by kernel version, as `by_version(…)` gives them; the field they are for checks them.
#[derive(Clone, Debug)]
pub(super) struct Cases(pub BTreeMap<Version, Dynamic>);

/// The kinds of things that can be declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A kernel source.
    Source,
    /// A base root filesystem.
    Base,
    /// An image.
    Image,
    /// A toolchain.
    Toolchain,
    /// An arch.
    Arch,
    /// A defconfig.
    Defconfig,
    /// A root filesystem for boots.
    Rootfs,
    /// A suite.
    Suite,
    /// A board.
    Board,
    /// A lab.
    Lab,
}

/// A reference to a declared thing; there is none without the declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: ImmutableString,
}

/// A thing that an exploration asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// What it is.
    pub thing: Thing,
    /// Its address.
    pub address: ImmutableString,
}

impl Kind {
    /// The function that declares it, which is also its name in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Base => "base",
            Self::Image => "image",
            Self::Toolchain => "toolchain",
            Self::Arch => "arch",
            Self::Defconfig => "defconfig",
            Self::Rootfs => "rootfs",
            Self::Suite => "suite",
            Self::Board => "board",
            Self::Lab => "lab",
        }
    }

    /// The word with its article.
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Source => "a source",
            Self::Base => "a base",
            Self::Image => "an image",
            Self::Toolchain => "a toolchain",
            Self::Arch => "an arch",
            Self::Defconfig => "a defconfig",
            Self::Rootfs => "a rootfs",
            Self::Suite => "a suite",
            Self::Board => "a board",
            Self::Lab => "a lab",
        }
    }
}

/// A few words on a value, for messages.
pub(super) fn describe(value: &Dynamic) -> String {
    let value = value.flatten_clone();
    if let Some(handle) = value.clone().try_cast::<Handle>() {
        return format!("the {} `{}`", handle.kind.word(), handle.name);
    }
    if let Some(asked) = value.clone().try_cast::<Asked>() {
        return format!("the {} `{}`", asked.thing.word(), asked.address);
    }
    if let Some(text) = value.clone().try_cast::<ImmutableString>() {
        let short: String = text.chars().take(40).collect();
        let dots = if short.len() < text.len() { "…" } else { "" };
        return format!("the string {short:?}{dots}");
    }
    if let Ok(number) = value.as_int() {
        return format!("the number {number}");
    }
    if let Ok(switch) = value.as_bool() {
        return format!("`{switch}`");
    }
    describe_type(value.type_name()).to_owned()
}

/// A few words on a type of the interpreter, for messages.
pub(super) fn describe_type(name: &str) -> &str {
    let known = [
        (std::any::type_name::<Predicate>(), "a predicate"),
        (std::any::type_name::<Fixup>(), "a fixup"),
        (std::any::type_name::<Cases>(), "a value by kernel version"),
        (std::any::type_name::<ConfigRecipe>(), "a config recipe"),
        (std::any::type_name::<Patch>(), "a patch"),
        (std::any::type_name::<ProjectFile>(), "a file"),
        (std::any::type_name::<kconfig::Value>(), "a Kconfig value"),
        (std::any::type_name::<Handle>(), "a declared thing"),
        (std::any::type_name::<rhai::Map>(), "a map"),
        (std::any::type_name::<rhai::Array>(), "a list"),
        (std::any::type_name::<FnPtr>(), "a function"),
        (std::any::type_name::<ImmutableString>(), "a string"),
        ("&str | ImmutableString | String", "a string"),
        ("&str", "a string"),
        ("string", "a string"),
        ("char", "a character"),
        ("i64", "a whole number"),
        ("bool", "`true` or `false`"),
        ("()", "nothing"),
        ("array", "a list"),
        ("map", "a map"),
        ("Fn", "a function"),
        ("range", "a range"),
        ("predicate", "a predicate"),
        ("fixup", "a fixup"),
        ("value by version", "a value by kernel version"),
        ("recipe", "a config recipe"),
        ("project file", "a file"),
        ("kconfig value", "a Kconfig value"),
        ("handle", "a declared thing"),
        (std::any::type_name::<Asked>(), "a thing of an exploration"),
        ("asked thing", "a thing of an exploration"),
    ];
    known
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(name, |(_, words)| words)
}
