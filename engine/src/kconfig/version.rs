//! Kernel versions: ordered by number, and the ranges of them that definitions speak of.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

/// A kernel version such as `6.1` or `6.1.192`. Zeros at the end count for nothing: `6.1.0` is `6.1`.
/// The default is `0`, before all others.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(Vec<u32>);

/// A text that is no kernel version.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a kernel version: one to four numbers with dots between them, such as `6.1`")]
pub struct VersionError(pub String);

const MOST_NUMBERS: usize = 4;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = |part: &str| {
            let plain = part == "0" || !part.starts_with('0');
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| plain && digits)
        };
        let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
        let mut numbers = numbers
            .filter(|numbers| numbers.len() <= MOST_NUMBERS)
            .ok_or_else(|| VersionError(text.to_owned()))?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Ok(Self(numbers))
    }
}

impl Version {
    /// The numbers a text begins with: `6.12.0-rc1` is read as `6.12`.
    pub fn leading(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        text[..end.unwrap_or(text.len())].parse().ok()
    }

    /// Whether a version that begins like this one may be before or after `other`: `6.1` does not say
    /// whether it is since `6.1.100`.
    pub fn leaves_open(&self, other: &Self) -> bool {
        self != other && self.covers(other)
    }

    /// Whether `other` is this version or one of its series: `6.1.192` is of `6.1`, `6.10` is not.
    pub fn covers(&self, other: &Self) -> bool {
        // `6.0` is kept as `6` and is no promise about 6.1.
        let written = self.0.len().max(2);
        let number = |version: &Self, index: usize| version.0.get(index).copied().unwrap_or(0);
        (0..written).all(|index| number(self, index) == number(other, index))
    }
}

/// Writes at least two numbers, but `0` for the version before all others.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [] => f.write_str("0"),
            [only] => write!(f, "{only}.0"),
            [first, rest @ ..] => {
                write!(f, "{first}")?;
                rest.iter().try_for_each(|number| write!(f, ".{number}"))
            }
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A range of kernel versions; by default all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The first version in it.
    pub since: Option<Version>,
    /// The first version after it.
    pub before: Option<Version>,
}

impl Versions {
    /// Whether every version is in it.
    pub fn is_all(&self) -> bool {
        self.since.is_none() && self.before.is_none()
    }

    /// Whether a version is in it; of an unknown one that can be said only if all are.
    pub fn contains(&self, version: Option<&Version>) -> bool {
        let Some(version) = version else {
            return self.is_all();
        };
        self.since.as_ref().is_none_or(|since| since <= version)
            && self.before.as_ref().is_none_or(|before| version < before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let sorted = [
            "0",
            "2.6.32.71",
            "6.0",
            "6.1",
            "6.1.9",
            "6.1.192",
            "6.9",
            "6.10",
            "10",
        ];
        for pair in sorted.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert_eq!(version("6.1.0"), version("6.1"));
        assert_eq!(version("6"), version("6.0"));
    }

    #[test]
    fn a_series_covers_its_versions() {
        assert!(version("6.1").covers(&version("6.1.192")));
        assert!(version("6.0").covers(&version("6.0.3")));
        assert!(!version("6.1").covers(&version("6.10")));
        assert!(!version("6.0").covers(&version("6.1")));
        assert!(!version("6.1.5").covers(&version("6.1.50")));
        assert!(version("6.1").leaves_open(&version("6.1.100")));
        assert!(!version("6.1").leaves_open(&version("6.1")));
        assert!(!version("6.1.148").leaves_open(&version("6.1.100")));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "6.",
            ".1",
            "6.01",
            "v6.1",
            "6.1-rc1",
            "1.2.3.4.5",
            "6.99999999999",
            "+6",
        ] {
            assert_eq!(text.parse::<Version>(), Err(VersionError(text.to_owned())));
        }
        assert_eq!(
            VersionError("six".to_owned()).to_string(),
            "`six` is not a kernel version: one to four numbers with dots between them, such as `6.1`"
        );
        assert_eq!(Version::leading("6.12.0-rc1"), Some(version("6.12")));
        assert_eq!(Version::leading("next"), None);
    }

    #[test]
    fn a_range_has_its_first_and_not_its_last() {
        let range = Versions {
            since: Some(version("6.4")),
            before: Some(version("6.8")),
        };
        let inside = |text: &str| range.contains(Some(&version(text)));
        assert!(inside("6.4") && inside("6.7.12") && !inside("6.3.9") && !inside("6.8"));
        assert!(!range.contains(None) && Versions::default().contains(None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(numbers in proptest::collection::vec(0..50_u32, 1..=4)) {
            let text = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            let version: Version = text.parse().unwrap();
            prop_assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
        }
    }
}
