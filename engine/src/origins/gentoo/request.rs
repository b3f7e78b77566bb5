//! What is asked of Gentoo's mirrors, and how it stands in the lock file.

use std::collections::BTreeMap;

use crate::lock::Asked;
use crate::lock::Provider;
use crate::lock::Request;
use crate::model::FamilyName;
use crate::model::Stage3;
use crate::model::Trust;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GentooRequest {
    /// Mirrors, tried in order.
    pub mirrors: Vec<String>,
    /// Who vouches for the answer.
    pub trust: Trust,
    /// What is wanted of them.
    pub wanted: Wanted,
}

/// What is wanted of the mirrors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A stage3, by its name.
    Stage3(String),
    /// A snapshot of the ebuild repository; and the index of a binhost, unless that is empty.
    Snapshot { binhost: String },
    /// Nothing: no package is added.
    Nothing,
}

impl GentooRequest {
    /// The request for a base, or for an image of it.
    pub(super) fn new(stage3: &Stage3, wanted: Wanted) -> Self {
        Self {
            mirrors: stage3.mirrors.clone(),
            trust: stage3.trust.clone(),
            wanted,
        }
    }

    /// Reads one; nothing where it is another family's.
    pub(super) fn read(request: &Request) -> Option<Self> {
        let trust = match request.word("unsigned") {
            Some(reason) => Trust::Unsigned { reason },
            None => Trust::Signed {
                keys: request.words("keys")?,
                urls: request.words("key_urls")?,
            },
        };
        let wanted = match request.word("stage3") {
            Some(name) => Wanted::Stage3(name),
            None if request.flag("snapshot") => Wanted::Snapshot {
                binhost: request.word("binhost").unwrap_or_default(),
            },
            None => Wanted::Nothing,
        };
        Some(Self {
            mirrors: request.words("mirrors")?,
            trust,
            wanted,
        })
    }
}

impl From<GentooRequest> for Request {
    fn from(request: GentooRequest) -> Self {
        let mut asked = BTreeMap::from([("mirrors".to_owned(), Asked::Words(request.mirrors))]);
        match request.trust {
            Trust::Unsigned { reason } => {
                asked.insert("unsigned".to_owned(), Asked::Word(reason));
            }
            Trust::Signed { keys, urls } => {
                asked.insert("keys".to_owned(), Asked::Words(keys));
                asked.insert("key_urls".to_owned(), Asked::Words(urls));
            }
        }
        match request.wanted {
            Wanted::Stage3(name) => {
                asked.insert("stage3".to_owned(), Asked::Word(name));
            }
            Wanted::Snapshot { binhost } => {
                asked.insert("snapshot".to_owned(), Asked::Flag(true));
                if !binhost.is_empty() {
                    asked.insert("binhost".to_owned(), Asked::Word(binhost));
                }
            }
            Wanted::Nothing => {
                asked.insert("snapshot".to_owned(), Asked::Flag(false));
            }
        }
        Self {
            family: Provider::Family(FamilyName::Gentoo),
            asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_were_written() {
        let signed = Trust::Signed {
            keys: vec!["AB".to_owned()],
            urls: vec!["https://m/k".to_owned()],
        };
        let unsigned = Trust::Unsigned {
            reason: "a mirror of our own".to_owned(),
        };
        let stage3 = Wanted::Stage3("amd64-openrc".to_owned());
        for trust in [signed, unsigned] {
            let snapshot = |binhost: &str| Wanted::Snapshot {
                binhost: binhost.to_owned(),
            };
            for wanted in [
                stage3.clone(),
                snapshot(""),
                snapshot("https://m/b"),
                Wanted::Nothing,
            ] {
                let request = GentooRequest {
                    mirrors: vec!["https://m".to_owned()],
                    trust: trust.clone(),
                    wanted,
                };
                let read = GentooRequest::read(&request.clone().into());
                assert_eq!(read, Some(request));
            }
        }
    }
}
