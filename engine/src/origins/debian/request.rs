//! What is asked of Debian, and how it stands in the lock file.

use std::collections::BTreeMap;

use crate::lock::Asked;
use crate::lock::Provider;
use crate::lock::Request;
use crate::model::FamilyName;

/// The architecture of packages that have none.
pub(super) const ALL: &str = "all";

/// What is asked of Debian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DebianRequest {
    /// Suite, such as `bookworm`.
    pub suite: String,
    /// Debian architecture.
    pub arch: String,
    /// Package names, sorted.
    pub packages: Vec<String>,
    /// The packages of the base below: what they bring is left out. `None` where nothing is below.
    pub beyond: Option<Vec<String>>,
    /// Whether dependencies and the essential set come along.
    pub closure: bool,
}

impl From<DebianRequest> for Request {
    fn from(request: DebianRequest) -> Self {
        let mut asked = BTreeMap::from([
            ("suite".to_owned(), Asked::Word(request.suite)),
            ("arch".to_owned(), Asked::Word(request.arch)),
            ("packages".to_owned(), Asked::Words(request.packages)),
            ("closure".to_owned(), Asked::Flag(request.closure)),
        ]);
        if let Some(beyond) = request.beyond {
            asked.insert("beyond".to_owned(), Asked::Words(beyond));
        }
        Self {
            family: Provider::Family(FamilyName::Debian),
            asked,
        }
    }
}

impl DebianRequest {
    /// Reads one; nothing where it is another family's.
    pub(super) fn read(request: &Request) -> Option<Self> {
        Some(Self {
            suite: request.word("suite")?,
            arch: request.word("arch")?,
            packages: request.words("packages")?,
            beyond: request.words("beyond"),
            closure: request.flag("closure"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_were_written() {
        for (beyond, closure) in [(None, false), (Some(vec![]), true)] {
            let request = DebianRequest {
                suite: "sid".to_owned(),
                arch: "m68k".to_owned(),
                packages: vec!["gcc".to_owned()],
                beyond,
                closure,
            };
            let read = DebianRequest::read(&request.clone().into());
            assert_eq!(read, Some(request));
        }
    }
}
