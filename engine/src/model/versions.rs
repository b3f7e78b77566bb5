//! Values that depend on the kernel's version.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Version;

/// A value by kernel version: a case holds until the next one. There is always a case `0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByVersion<T> {
    first: T,
    later: BTreeMap<Version, T>,
}

/// The same for every version.
impl<T> From<T> for ByVersion<T> {
    fn from(first: T) -> Self {
        Self {
            first,
            later: BTreeMap::new(),
        }
    }
}

impl<T> ByVersion<T> {
    /// The value of some cases; `None` unless there is a case `0`.
    pub fn new(mut cases: BTreeMap<Version, T>) -> Option<Self> {
        let first = cases.remove(&Version::default())?;
        Some(Self {
            first,
            later: cases,
        })
    }

    /// Whether it is the same for every version.
    pub fn is_plain(&self) -> bool {
        self.later.is_empty()
    }

    /// The versions at which it changes.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.later.keys()
    }

    /// The value for a kernel version; of an unknown one, the only value there is.
    pub fn at(&self, version: Option<&Version>) -> Option<&T> {
        match version {
            None => self.is_plain().then_some(&self.first),
            Some(version) => {
                let last = self.later.range(..=version).next_back();
                Some(last.map_or(&self.first, |(_, value)| value))
            }
        }
    }

    /// The same cases with other values.
    pub fn map<U>(&self, of: impl Fn(&T) -> U) -> ByVersion<U> {
        let later = self.later.iter();
        ByVersion {
            first: of(&self.first),
            later: later
                .map(|(version, value)| (version.clone(), of(value)))
                .collect(),
        }
    }

    /// Every value, the first one's case first.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(self.later.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_case_not_above_the_version_wins() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        let cases = ["0", "6.5", "6.10"].map(|case| (version(case), case));
        let value = ByVersion::new(cases.into()).unwrap();
        let at = |text: &str| *value.at(Some(&version(text))).unwrap();
        assert_eq!(at("5.15"), "0");
        assert_eq!(at("6.4.99"), "0");
        assert_eq!(at("6.5"), "6.5");
        assert_eq!(at("6.9.7"), "6.5");
        assert_eq!(at("6.12"), "6.10");
        assert_eq!(value.at(None), None);
        assert_eq!(ByVersion::from("x").at(None), Some(&"x"));
        assert_eq!(
            ByVersion::new(BTreeMap::from([(version("6.5"), "x")])),
            None
        );
    }
}
