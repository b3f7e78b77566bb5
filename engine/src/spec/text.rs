//! Values as definitions write them, in the encoding that people read.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;
use serde::Serializer;

use crate::kconfig::Value;
use crate::model::Strength;

/// A predicate, for example, is the text that makes it.
pub(super) fn as_text<S: Serializer>(
    value: &(impl Display + Serialize),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(value)
    } else {
        value.serialize(serializer)
    }
}

/// Fixups: a symbol's strength, and the value as a .config has it.
pub(super) fn fixups<S: Serializer>(
    fixups: &BTreeMap<String, (Strength, Value)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        let texts = fixups
            .iter()
            .map(|(symbol, (strength, value))| (symbol, (strength, value.to_string())));
        serializer.collect_map(texts)
    } else {
        fixups.serialize(serializer)
    }
}
