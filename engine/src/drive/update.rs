//! Moving pins: on purpose, or because the mirror no longer carries what was pinned.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use store::Store;

use super::DriveError;
use super::error::file;
use super::session::read_lock;
use crate::eval;
use crate::eval::Places;
use crate::lock::LOCK_FILE;
use crate::lock::Lock;
use crate::lock::Pin;
use crate::lock::PinnedCommit;
use crate::lock::PinnedFile;
use crate::lock::Request;
use crate::origins;
use crate::origins::Answer;
use crate::origins::Means;
use crate::origins::Moved;
use crate::origins::Network;
use crate::origins::OriginError;
use crate::origins::fetch_pin;
use crate::origins::moved;
use crate::origins::requests;
use crate::origins::resolve;
use crate::sandbox::Cancel;
use crate::text::counted;

/// Which pins move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    /// All that are named, or all.
    Newest,
    /// Those that are missing, that answer an older definition, or whose files are neither in the
    /// store nor on the mirror any more.
    OnlyGone,
}

/// What became of one pin.
#[derive(Clone, Debug)]
pub struct PinChange {
    /// Name of the pin.
    pub name: String,
    /// Why it was asked for anew.
    pub why: String,
    /// `package old -> new`, `+ package version`, `- package version`; empty when nothing moved.
    pub lines: Vec<String>,
}

/// Brings the lock file up to date; gives what was looked at anew. Network.
pub fn update(
    project: &Path,
    store: &Store,
    names: &[String],
    mode: UpdateMode,
    patience: Duration,
    note: &dyn Fn(&str),
) -> Result<Vec<PinChange>, DriveError> {
    let evaluated = eval::evaluate(project).map_err(DriveError::Definitions)?;
    let requests = requests(&evaluated.catalog);
    if let Some(name) = names.iter().find(|name| !requests.contains_key(*name)) {
        return Err(DriveError::NothingPinned {
            name: name.clone(),
            known: requests.into_keys().collect(),
        });
    }
    let (mut lock, before) = read_lock(project)?;
    let nowhere = Path::new("/dev/null");
    let log = fs::File::options().write(true).open(nowhere);
    let means = Means {
        store,
        log: &log.map_err(file("open", nowhere))?,
        // A signal ends an update itself: what it made is replaced in one step at its end.
        cancel: &Cancel::new(),
        network: Network {
            patience,
            offline: false,
        },
        note,
        progress: &|_, _| {},
    };
    let mut changes = Vec::new();
    lock.pins.retain(|name, _| requests.contains_key(name));
    for (name, request) in &requests {
        if !names.is_empty() && !names.contains(name) {
            continue;
        }
        let Some(why) = reason(&lock, name, request, mode, &means)? else {
            continue;
        };
        note(&format!("asks for `{name}`: {why}"));
        let Answer {
            files,
            signer,
            keys,
            commit,
        } = resolve(request, &means).map_err(|error| blamed(error, name, &evaluated.places))?;
        if let Some(signer) = &signer {
            note(&format!("`{name}` is signed by {signer}"));
        }
        let pin = Pin {
            name: name.clone(),
            request: request.clone(),
            signer,
            keys,
            commit,
            files,
        };
        let old = lock.pins.get(name);
        let mut lines = difference(old, &pin);
        if let Some(new) = &pin.commit {
            lines.extend(commits(old, new, &means));
        }
        lock.pins.insert(name.clone(), pin);
        changes.push(PinChange {
            name: name.clone(),
            why,
            lines,
        });
    }
    let text = lock.to_text();
    if text.as_bytes() != before {
        write(&project.join(LOCK_FILE), &text)?;
    }
    Ok(changes)
}

/// What a mirror says of a name that a definition gives, told at that place.
fn blamed(error: OriginError, name: &str, places: &Places) -> DriveError {
    let (word, similar, otherwise) = match &error {
        OriginError::NoPackage {
            package, similar, ..
        } => (
            package,
            similar,
            "`apt-cache search` and https://packages.debian.org find names".to_owned(),
        ),
        OriginError::NoReference {
            name, similar, url, ..
        } => (name, similar, format!("`git ls-remote {url}` lists them")),
        OriginError::Submodule { path, .. } => (
            path,
            &None,
            "kernels have none, and what it lacks would not be told: is it a kernel's repository?"
                .to_owned(),
        ),
        _ => return error.into(),
    };
    let help = similar
        .as_ref()
        .map_or(otherwise, |similar| format!("did you mean `{similar}`?"));
    let message = format!("`{name}`: {error}");
    DriveError::Definitions(vec![places.diagnostic(name, word, message, help)])
}

/// Why a pin is to be asked for, if it is.
fn reason(
    lock: &Lock,
    name: &str,
    request: &Request,
    mode: UpdateMode,
    means: &Means<'_>,
) -> Result<Option<String>, DriveError> {
    let pin = match lock.pin(name, request) {
        Ok(pin) => pin,
        Err(error) => return Ok(Some(error.to_string())),
    };
    if mode == UpdateMode::Newest {
        return Ok(Some("asked to".to_owned()));
    }
    match obtain(pin, means) {
        Ok(()) => Ok(None),
        Err(DriveError::Origin(OriginError::Gone { file })) => {
            Ok(Some(format!("the mirror no longer carries `{file}`")))
        }
        Err(error) => Err(error),
    }
}

/// Downloads what the store lacks of a pin, which is what a run would do next.
fn obtain(pin: &Pin, means: &Means<'_>) -> Result<(), DriveError> {
    let note = |text: &str| (means.note)(&format!("`{}`: {text}", pin.name));
    let means = Means {
        note: &note,
        ..*means
    };
    let fetch = fetch_pin(pin, 1);
    Ok(origins::obtain(&fetch.by, &fetch.files, &means)?)
}

fn difference(old: Option<&Pin>, new: &Pin) -> Vec<String> {
    let versions = |files: &[PinnedFile]| -> BTreeMap<String, String> {
        files
            .iter()
            .map(|file| (file.package.clone(), file.version.clone()))
            .collect()
    };
    let old = old.map(|pin| versions(&pin.files)).unwrap_or_default();
    let new = versions(&new.files);
    let mut lines = Vec::new();
    for (package, version) in &new {
        match old.get(package) {
            None => lines.push(format!("+ {package} {version}")),
            Some(before) if before != version => {
                lines.push(format!("  {package} {before} -> {version}"));
            }
            Some(_) => {}
        }
    }
    let gone = old
        .iter()
        .filter(|(package, _)| !new.contains_key(*package));
    lines.extend(gone.map(|(package, version)| format!("- {package} {version}")));
    lines
}

/// How the commit of a pin moved: `  old -> new: 12 commits: subject`, or `+ new: subject`.
fn commits(old: Option<&Pin>, new: &PinnedCommit, means: &Means<'_>) -> Option<String> {
    let short = |commit: &PinnedCommit| commit.id.get(..12).unwrap_or_default().to_owned();
    let (to, subject) = (short(new), &new.subject);
    let before = old.and_then(|pin| Some((pin, pin.commit.as_ref()?)));
    let Some((pin, before)) = before else {
        return Some(format!("+ {to} {}: {subject}", new.date));
    };
    if before == new {
        return None;
    }
    let how = match moved(&pin.request, before, new, means) {
        Some(Moved::Forward(count)) => counted(count, "commit", "commits"),
        Some(Moved::AtLeast(count)) => format!("{} or more", counted(count, "commit", "commits")),
        Some(Moved::Elsewhere) => "no descendant of the old one".to_owned(),
        None => "their history is not known".to_owned(),
    };
    Some(format!("  {} -> {to}: {how}: {subject}", short(before)))
}

/// Replaces the lock file by rename, so that an interrupted update loses nothing.
fn write(path: &Path, text: &str) -> Result<(), DriveError> {
    let new = path.with_extension("lock.new");
    fs::write(&new, text).map_err(file("write", &new))?;
    fs::rename(&new, path).map_err(file("replace", path))
}
