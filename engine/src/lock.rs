//! The lock file: which bytes the names in a catalog stand for. Pure.
//!
//! A *request* is what a definition asks a family of root filesystems for, in words of that family;
//! a *pin* is the answer it got when `engine update` last asked: every file with its version and
//! checksums, and whose signature vouched for it. Format: TOML, `version = 1`, one `[[pin]]` per request, one line per file so
//! that a moved pin is one changed line.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::Serialize;
use store::Algorithm;
use store::Checksum;
use store::ChecksumError;
use thiserror::Error;

use crate::model::FamilyName;
use crate::model::is_git_id;
use crate::spec::FetchFile;

/// The lock file's name beside `main.rhai`.
pub const LOCK_FILE: &str = "engine.lock";

const VERSION: u32 = 1;

/// Most bytes of a lock file: two hundred images' worth.
pub const MOST_BYTES: u64 = 8 << 20;

/// Most commas and line ends in a lock file. What stands for one in memory is a multiple of its text.
const MOST_VALUES: usize = 100_000;

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Provider {
    /// The mirrors of a family of root filesystems.
    Family(FamilyName),
    /// A git repository.
    #[serde(with = "git_word")]
    Git,
}

impl Provider {
    /// As lock files write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Family(family) => family.word(),
            Self::Git => GIT,
        }
    }
}

const GIT: &str = "git";

mod git_word {
    //! The one word of a variant that holds nothing.

    use serde::Deserialize as _;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error as _;

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(super::GIT)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
        let word = String::deserialize(from)?;
        (word == super::GIT)
            .then_some(())
            .ok_or_else(|| D::Error::custom("unknown family"))
    }
}

/// What is asked of a family or a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who answers.
    #[serde(default = "debian")]
    pub family: Provider,
    /// What is asked, by the family's names.
    #[serde(flatten)]
    pub asked: BTreeMap<String, Asked>,
}

impl Request {
    /// The word that is asked under a name.
    pub fn word(&self, name: &str) -> Option<String> {
        match self.asked.get(name)? {
            Asked::Word(word) => Some(word.clone()),
            _ => None,
        }
    }

    /// The words that are asked under a name.
    pub fn words(&self, name: &str) -> Option<Vec<String>> {
        match self.asked.get(name)? {
            Asked::Words(words) => Some(words.clone()),
            _ => None,
        }
    }

    /// Whether what has a name is wanted.
    pub fn flag(&self, name: &str) -> bool {
        self.asked.get(name) == Some(&Asked::Flag(true))
    }
}

/// A part of what is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Asked {
    /// Whether something is wanted.
    Flag(bool),
    /// A word.
    Word(String),
    /// Words, in the family's order.
    Words(Vec<String>),
}

/// Lock files of the first format name no family.
fn debian() -> Provider {
    Provider::Family(FamilyName::Debian)
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
    /// At least one. In the text a lone SHA-256 is its digits alone, others are joined by `,`.
    pub checksums: Vec<Checksum>,
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
    /// Fingerprint of the OpenPGP key whose signature the engine checked itself.
    #[serde(default)]
    pub signer: Option<String>,
    /// The trusted keys in armour, as they were when the signature was checked; signatures of files are checked by them later.
    #[serde(default)]
    pub keys: Option<String>,
    /// The commit that was answered, of a git repository.
    #[serde(default)]
    pub commit: Option<PinnedCommit>,
    /// The files that were answered, sorted by package.
    #[serde(default)]
    pub files: Vec<PinnedFile>,
}

/// A commit of a pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawCommit")]
pub struct PinnedCommit {
    /// Its id, 40 lower-case hex digits.
    pub id: String,
    /// The id of its tree.
    pub tree: String,
    /// When it was committed, by ISO 8601.
    pub date: String,
    /// The first line of its message.
    pub subject: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommit {
    id: String,
    tree: String,
    date: String,
    subject: String,
}

impl TryFrom<RawCommit> for PinnedCommit {
    type Error = String;

    fn try_from(raw: RawCommit) -> Result<Self, String> {
        Self::new(&raw.id, &raw.tree, &raw.date, &raw.subject)
    }
}

impl PinnedCommit {
    /// A commit as git tells it; control characters of its message become blanks.
    pub fn new(id: &str, tree: &str, date: &str, subject: &str) -> Result<Self, String> {
        for id in [id, tree] {
            if !is_git_id(id) {
                return Err(format!("`{id}` is no id of git: 40 lower-case hex digits"));
            }
        }
        if date.is_empty()
            || !date
                .bytes()
                .all(|b| b.is_ascii_digit() || b"-+:TZ".contains(&b))
        {
            return Err(format!("`{date}` is no date"));
        }
        Ok(Self {
            id: id.to_owned(),
            tree: tree.to_owned(),
            date: date.to_owned(),
            subject: subject.replace(char::is_control, " ").trim().to_owned(),
        })
    }
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
    /// Not text.
    #[error("lock file is damaged: {0}")]
    Encoding(std::str::Utf8Error),
    /// More than any project has.
    #[error("lock file is larger than {} MiB, or has more than {MOST_VALUES} values", MOST_BYTES >> 20)]
    TooLarge,
    /// Not a file.
    #[error("lock file is no regular file")]
    NoFile,
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
        let [package, version, size, checksums, url] = fields[..] else {
            return Err(format!(
                "`{line}` is not `PACKAGE VERSION SIZE CHECKSUMS URL`"
            ));
        };
        let word = |word: &str, marks: &str| {
            let letter = |c: char| c.is_ascii_alphanumeric();
            let rest = |c: char| letter(c) || marks.contains(c);
            word.starts_with(letter) && word.chars().all(rest)
        };
        if !word(package, "+.-_/") {
            return Err(format!("`{package}` is not a package"));
        }
        if !word(version, "+.-_~:") {
            return Err(format!("`{version}` is not a version"));
        }
        let name = url.rsplit('/').next().unwrap_or_default();
        let path = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        if !path.is_some_and(|path| word(path, "/:%+.-_~@")) || !word(name, "%+.-_~:") {
            return Err(format!("`{url}` is not the URL of a file"));
        }
        let size = size
            .parse()
            .map_err(|_| format!("`{size}` is not a size in bytes"))?;
        let checksum = |text: &str| match Checksum::new(Algorithm::Sha256, text) {
            Ok(checksum) => Ok(checksum),
            Err(_) => text
                .parse()
                .map_err(|error: ChecksumError| error.to_string()),
        };
        let checksums: Result<Vec<Checksum>, String> = checksums.split(',').map(checksum).collect();
        let owned = str::to_owned;
        Ok(Self {
            package: owned(package),
            version: owned(version),
            size,
            checksums: checksums?,
            url: owned(url),
        })
    }
}

impl From<PinnedFile> for String {
    fn from(file: PinnedFile) -> Self {
        format!(
            "{} {} {} {} {}",
            file.package,
            file.version,
            file.size,
            file.checksums_text(),
            file.url
        )
    }
}

impl PinnedFile {
    /// What is to be downloaded.
    pub fn to_fetch(&self) -> FetchFile {
        FetchFile {
            name: self.file_name().to_owned(),
            size: Some(self.size),
            checksums: self.checksums.clone(),
            urls: vec![self.url.clone()],
        }
    }

    fn checksums_text(&self) -> String {
        if let [checksum] = &self.checksums[..]
            && checksum.algorithm() == Algorithm::Sha256
        {
            return checksum.hex().to_owned();
        }
        let texts: Vec<String> = self.checksums.iter().map(Checksum::to_string).collect();
        texts.join(",")
    }

    /// The file's name without directories.
    pub fn file_name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }
}

/// As TOML has it.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Word(word) => write!(f, "{word:?}"),
            Self::Words(words) => write!(f, "{words:?}"),
        }
    }
}

impl Lock {
    /// Reads a lock file's text.
    pub fn parse(text: &[u8]) -> Result<Self, LockError> {
        let text = str::from_utf8(text).map_err(LockError::Encoding)?;
        let values = text.bytes().filter(|b| matches!(b, b',' | b'\n')).count();
        if text.len() as u64 > MOST_BYTES || values > MOST_VALUES {
            return Err(LockError::TooLarge);
        }
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
            let asked = pin.request.asked.iter();
            let asked: Vec<String> = asked
                .map(|(name, asked)| format!("{name} = {asked}"))
                .collect();
            let _ = write!(
                text,
                "\n[[pin]]\nname = {:?}\nrequest = {{ family = \"{}\", {} }}\n",
                pin.name,
                pin.request.family.word(),
                asked.join(", "),
            );
            if let Some(signer) = &pin.signer {
                let _ = writeln!(text, "signer = {signer:?}");
            }
            if let Some(keys) = &pin.keys {
                let _ = write!(text, "keys = '''\n{keys}'''\n");
            }
            if let Some(PinnedCommit {
                id,
                tree,
                date,
                subject,
            }) = &pin.commit
            {
                let subject = toml::Value::String(subject.clone());
                let _ = writeln!(
                    text,
                    "commit = {{ id = {id:?}, tree = {tree:?}, date = {date:?}, subject = {subject} }}"
                );
                continue;
            }
            text.push_str("files = [\n");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Lock {
        let request = Request {
            family: Provider::Family(FamilyName::Debian),
            asked: BTreeMap::from([
                ("suite".to_owned(), Asked::Word("bookworm".to_owned())),
                ("closure".to_owned(), Asked::Flag(false)),
                (
                    "packages".to_owned(),
                    Asked::Words(vec!["linux-source-6.1".to_owned()]),
                ),
            ]),
        };
        let file = PinnedFile {
            package: "linux-source-6.1".to_owned(),
            version: "6.1.192-2".to_owned(),
            size: 139_331_676,
            checksums: vec![Checksum::new(Algorithm::Sha256, &"a".repeat(64)).unwrap()],
            url: "http://deb.debian.org/debian/pool/l/linux-source-6.1_6.1.192-2_all.deb"
                .to_owned(),
        };
        let pin = Pin {
            name: "source/linux-6.1".to_owned(),
            request,
            signer: None,
            keys: None,
            commit: None,
            files: vec![file],
        };
        Lock {
            pins: BTreeMap::from([(pin.name.clone(), pin)]),
        }
    }

    #[test]
    fn text_round_trips() {
        let lock = lock();
        assert_eq!(Lock::parse(lock.to_text().as_bytes()).unwrap(), lock);
        insta::assert_snapshot!(lock.to_text(), @r#"
        # Written by `engine update`; commit it.
        version = 1

        [[pin]]
        name = "source/linux-6.1"
        request = { family = "debian", closure = false, packages = ["linux-source-6.1"], suite = "bookworm" }
        files = [
          "linux-source-6.1 6.1.192-2 139331676 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa http://deb.debian.org/debian/pool/l/linux-source-6.1_6.1.192-2_all.deb",
        ]
        "#);
    }

    #[test]
    fn a_commit_round_trips() {
        let subject = "Merge \"x86\"\u{1b}[31m for 6.12 \\ \u{e9}";
        let commit = PinnedCommit::new(
            &"1".repeat(40),
            &"a".repeat(40),
            "2026-11-20T08:00:00+01:00",
            subject,
        );
        let pin = Pin {
            name: "source/mainline".to_owned(),
            request: Request {
                family: Provider::Git,
                asked: BTreeMap::from([("branch".to_owned(), Asked::Word("master".to_owned()))]),
            },
            signer: None,
            keys: None,
            commit: Some(commit.unwrap()),
            files: Vec::new(),
        };
        let lock = Lock {
            pins: BTreeMap::from([(pin.name.clone(), pin)]),
        };
        assert_eq!(Lock::parse(lock.to_text().as_bytes()).unwrap(), lock);
        insta::assert_snapshot!(lock.to_text(), @r#"
        # Written by `engine update`; commit it.
        version = 1

        [[pin]]
        name = "source/mainline"
        request = { family = "git", branch = "master" }
        commit = { id = "1111111111111111111111111111111111111111", tree = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", date = "2026-11-20T08:00:00+01:00", subject = 'Merge "x86" [31m for 6.12 \ é' }
        "#);
        let bad = lock.to_text().replace(&"a".repeat(40), "-x");
        insta::assert_snapshot!(Lock::parse(bad.as_bytes()).unwrap_err(), @r#"
        lock file is damaged: TOML parse error at line 7, column 10
          |
        7 | commit = { id = "1111111111111111111111111111111111111111", tree = "-x", date = "2026-11-20T08:00:00+01:00", subject = 'Merge "x86" [31m for 6.12 \ é' }
          |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `-x` is no id of git: 40 lower-case hex digits
        "#);
    }

    #[test]
    fn a_changed_request_is_outdated() {
        let mut request = lock().pins["source/linux-6.1"].request.clone();
        let trixie = Asked::Word("trixie".to_owned());
        request.asked.insert("suite".to_owned(), trixie);
        let error = lock().pin("source/linux-6.1", &request).unwrap_err();
        insta::assert_snapshot!(error, @"the pin of `source/linux-6.1` in engine.lock answers an older definition");
    }

    #[test]
    fn a_lock_file_without_families_is_debians() {
        let text = lock().to_text().replace("family = \"debian\", ", "");
        assert_eq!(Lock::parse(text.as_bytes()).unwrap(), lock());
    }

    #[test]
    fn a_files_line_is_checked() {
        let parse = |text: &str| PinnedFile::try_from(text.to_owned()).unwrap_err();
        let sha = "a".repeat(64);
        let mut told = String::new();
        for line in [
            "a 1 2".to_owned(),
            format!("-o=x 1 2 {sha} http://m/x.deb"),
            format!("a ../1 2 {sha} http://m/x.deb"),
            format!("a 1 x {sha} http://m/x.deb"),
            format!("a 1 2 {} http://m/x.deb", "A".repeat(64)),
            format!("a 1 2 {sha} file:///etc/passwd"),
            format!("a 1 2 {sha} http://m/.."),
            format!("a 1 2 {sha} http://m/"),
            format!("a 1 2 {sha} http://m/$(id).deb"),
        ] {
            let _ = writeln!(told, "{}", parse(&line));
        }
        insta::assert_snapshot!(told, @r"
        `a 1 2` is not `PACKAGE VERSION SIZE CHECKSUMS URL`
        `-o=x` is not a package
        `../1` is not a version
        `x` is not a size in bytes
        `AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA` is no checksum: `sha256:` and 64 lower-case hexadecimal digits, or `sha512:` or `blake2b:` and 128
        `file:///etc/passwd` is not the URL of a file
        `http://m/..` is not the URL of a file
        `http://m/` is not the URL of a file
        `http://m/$(id).deb` is not the URL of a file
        ");
    }

    #[test]
    fn what_no_project_has_is_refused_before_it_is_read() {
        let junk = format!("version = 1\nx = [{}]", "\"\",".repeat(MOST_VALUES + 1));
        assert!(matches!(
            Lock::parse(junk.as_bytes()),
            Err(LockError::TooLarge)
        ));
        insta::assert_snapshot!(LockError::TooLarge, @"lock file is larger than 8 MiB, or has more than 100000 values");
        insta::assert_snapshot!(Lock::parse(b"\xff").unwrap_err(), @"lock file is damaged: invalid utf-8 sequence of 1 bytes from index 0");
    }

    #[test]
    fn damage_and_newer_versions_are_told_apart() {
        assert!(matches!(
            Lock::parse(b"version = 2"),
            Err(LockError::Newer(2))
        ));
        assert!(matches!(
            Lock::parse(b"version = "),
            Err(LockError::Format(_))
        ));
        let bad = lock().to_text().replace(&"a".repeat(64), "abc");
        insta::assert_snapshot!(Lock::parse(bad.as_bytes()).unwrap_err(), @r"
        lock file is damaged: TOML parse error at line 7, column 9
          |
        7 | files = [
          |         ^
        `abc` is no checksum: `sha256:` and 64 lower-case hexadecimal digits, or `sha512:` or `blake2b:` and 128
        ");
    }
}
