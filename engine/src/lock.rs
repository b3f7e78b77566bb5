//! The lock file: which bytes the names in a catalog stand for. Pure.
//!
//! A *request* is what a definition asks a distribution for (a suite, an architecture, package
//! names); a *pin* is the answer it got when `engine update` last asked: every file with its version
//! and SHA-256. Format: TOML, `version = 1`, one `[[pin]]` per request, one line per file so that a
//! moved pin is one changed line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

use crate::model::BaseOrigin;
use crate::model::Catalog;
use crate::model::FamilyName;
use crate::model::SourceOrigin;
use crate::spec::FetchFile;

/// The lock file's name beside `main.rhai`.
pub const LOCK_FILE: &str = "engine.lock";

const VERSION: u32 = 1;

/// What is asked of Debian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Suite, such as `bookworm`.
    pub suite: String,
    /// Debian architecture.
    pub arch: String,
    /// Package names, sorted.
    pub packages: Vec<String>,
    /// The packages of the base below: what they bring is left out. `None` where nothing is below.
    #[serde(default)]
    pub beyond: Option<Vec<String>>,
    /// Whether dependencies and the essential set come along.
    pub closure: bool,
}

/// A file of a pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PinnedFile {
    /// Package name.
    pub package: String,
    /// Package version.
    pub version: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256, 64 lower-case hex digits.
    pub sha256: String,
    /// Where it was when it was pinned.
    pub url: String,
}

/// A request with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// `source/NAME`, `base/NAME` or `image/NAME`.
    pub name: String,
    /// What was asked.
    pub request: Request,
    /// What was answered, sorted by package.
    pub files: Vec<PinnedFile>,
}

/// All pins, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By `source/NAME`, `base/NAME`, `image/NAME`.
    pub pins: BTreeMap<String, Pin>,
}

/// What is wrong with a lock file.
#[derive(Debug, Error)]
pub enum LockError {
    /// Not the format.
    #[error("lock file is damaged: {0}")]
    Format(#[from] toml::de::Error),
    /// Written by a newer engine.
    #[error("lock file has version {0}, this engine reads {VERSION}")]
    Newer(u32),
    /// A declared thing has no pin.
    #[error("`{0}` is not pinned in {LOCK_FILE}")]
    Unpinned(String),
    /// The definition asks for something else than was pinned.
    #[error("the pin of `{0}` in {LOCK_FILE} answers an older definition")]
    Outdated(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default)]
    pin: Vec<Pin>,
}

impl TryFrom<String> for PinnedFile {
    type Error = String;

    fn try_from(line: String) -> Result<Self, String> {
        let fields: Vec<&str> = line.split(' ').collect();
        let [package, version, size, sha256, url] = fields[..] else {
            return Err(format!("`{line}` is not `PACKAGE VERSION SIZE SHA256 URL`"));
        };
        let size = size
            .parse()
            .map_err(|_| format!("`{size}` is not a size in bytes"))?;
        if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("`{sha256}` is not a SHA-256 of 64 hex digits"));
        }
        let owned = str::to_owned;
        Ok(Self {
            package: owned(package),
            version: owned(version),
            size,
            sha256: owned(sha256),
            url: owned(url),
        })
    }
}

impl From<PinnedFile> for String {
    fn from(file: PinnedFile) -> Self {
        format!(
            "{} {} {} {} {}",
            file.package, file.version, file.size, file.sha256, file.url
        )
    }
}

impl PinnedFile {
    /// What is to be downloaded.
    pub fn to_fetch(&self) -> FetchFile {
        FetchFile {
            name: self.file_name().to_owned(),
            size: Some(self.size),
            sha256: self.sha256.clone(),
            urls: vec![self.url.clone()],
        }
    }

    /// The file's name without directories.
    pub fn file_name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }
}

impl Request {
    /// The family that answers.
    pub fn family(&self) -> FamilyName {
        FamilyName::Debian
    }
}

impl Lock {
    /// Reads a lock file's text.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let document: Document = toml::from_str(text)?;
        if document.version > VERSION {
            return Err(LockError::Newer(document.version));
        }
        Ok(Self {
            pins: document
                .pin
                .into_iter()
                .map(|pin| (pin.name.clone(), pin))
                .collect(),
        })
    }

    /// The text of the lock file, one line per pinned file.
    pub fn to_text(&self) -> String {
        let mut text = format!("# Written by `engine update`; commit it.\nversion = {VERSION}\n");
        for pin in self.pins.values() {
            let list = |items: &[String]| {
                items
                    .iter()
                    .map(|item| format!("{item:?}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let request = &pin.request;
            let beyond = request.beyond.as_ref();
            let beyond =
                beyond.map_or_else(String::new, |names| format!("beyond = [{}], ", list(names)));
            let _ = write!(
                text,
                "\n[[pin]]\nname = {:?}\nrequest = {{ suite = {:?}, arch = {:?}, packages = [{}], \
                 {beyond}closure = {} }}\nfiles = [\n",
                pin.name,
                request.suite,
                request.arch,
                list(&request.packages),
                request.closure
            );
            for file in &pin.files {
                let _ = writeln!(text, "  {:?},", String::from(file.clone()));
            }
            text.push_str("]\n");
        }
        text
    }

    /// The pin that answers a request.
    pub fn pin(&self, name: &str, request: &Request) -> Result<&Pin, LockError> {
        let pin = self
            .pins
            .get(name)
            .ok_or_else(|| LockError::Unpinned(name.to_owned()))?;
        if pin.request == *request {
            Ok(pin)
        } else {
            Err(LockError::Outdated(name.to_owned()))
        }
    }
}

/// Every request of a catalog, by pin name.
pub fn requests(catalog: &Catalog) -> BTreeMap<String, Request> {
    let mut requests = BTreeMap::new();
    for source in catalog.sources.values() {
        if let SourceOrigin::Debian { package, suite } = &source.origin {
            let request = Request {
                suite: suite.clone(),
                arch: "all".to_owned(),
                packages: vec![package.clone()],
                beyond: None,
                closure: false,
            };
            requests.insert(format!("source/{}", source.name), request);
        }
    }
    for base in catalog.bases.values() {
        let BaseOrigin::Debian {
            suite,
            arch,
            packages,
        } = &base.origin;
        let request = Request {
            suite: suite.clone(),
            arch: arch.clone(),
            packages: packages.clone(),
            beyond: None,
            closure: true,
        };
        requests.insert(format!("base/{}", base.name), request);
    }
    for image in catalog.images.values() {
        let Some(base) = catalog.bases.get(&image.base) else {
            continue;
        };
        let BaseOrigin::Debian {
            suite,
            arch,
            packages,
        } = &base.origin;
        let request = Request {
            suite: suite.clone(),
            arch: arch.clone(),
            packages: image.packages.clone(),
            beyond: Some(packages.clone()),
            closure: true,
        };
        requests.insert(format!("image/{}", image.name), request);
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Lock {
        let request = Request {
            suite: "bookworm".to_owned(),
            arch: "all".to_owned(),
            packages: vec!["linux-source-6.1".to_owned()],
            beyond: None,
            closure: false,
        };
        let file = PinnedFile {
            package: "linux-source-6.1".to_owned(),
            version: "6.1.192-2".to_owned(),
            size: 139_331_676,
            sha256: "a".repeat(64),
            url: "http://deb.debian.org/debian/pool/l/linux-source-6.1_6.1.192-2_all.deb"
                .to_owned(),
        };
        let pin = Pin {
            name: "source/linux-6.1".to_owned(),
            request,
            files: vec![file],
        };
        Lock {
            pins: BTreeMap::from([(pin.name.clone(), pin)]),
        }
    }

    #[test]
    fn text_round_trips() {
        for beyond in [None, Some(vec![]), Some(vec!["gcc".to_owned()])] {
            let mut lock = lock();
            let pin = lock.pins.get_mut("source/linux-6.1").unwrap();
            pin.request.beyond = beyond;
            assert_eq!(Lock::parse(&lock.to_text()).unwrap(), lock);
        }
    }

    #[test]
    fn a_changed_request_is_outdated() {
        let mut request = lock().pins["source/linux-6.1"].request.clone();
        request.suite = "trixie".to_owned();
        let error = lock().pin("source/linux-6.1", &request).unwrap_err();
        insta::assert_snapshot!(error, @"the pin of `source/linux-6.1` in engine.lock answers an older definition");
    }

    #[test]
    fn damage_and_newer_versions_are_told_apart() {
        assert!(matches!(
            Lock::parse("version = 2"),
            Err(LockError::Newer(2))
        ));
        assert!(matches!(
            Lock::parse("version = "),
            Err(LockError::Format(_))
        ));
        let bad = lock().to_text().replace(&"a".repeat(64), "abc");
        insta::assert_snapshot!(Lock::parse(&bad).unwrap_err(), @r"
        lock file is damaged: TOML parse error at line 7, column 9
          |
        7 | files = [
          |         ^
        `abc` is not a SHA-256 of 64 hex digits
        ");
    }
}
