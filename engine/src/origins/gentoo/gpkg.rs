//! Signed binary packages of Portage's: a tar of parts, and a Manifest of them that is signed in clear.
//!
//! Source: Gentoo Enhancement Proposal 78 (GLEP 78), and portage's `gpkg.py`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;

use store::Algorithm;
use store::Checksum;
use thiserror::Error;

use crate::origins::openpgp::SignatureError;
use crate::origins::openpgp::Trust;

/// What tells the format; the only part that no Manifest needs to name.
const MARK: &str = "gpkg-1";
const MANIFEST: &str = "Manifest";
/// No Manifest is larger.
const LARGEST: u64 = 1 << 20;

/// What is wrong with a package.
#[derive(Debug, Error)]
pub(super) enum GpkgError {
    /// It cannot be read as one.
    #[error("it is no binary package: {0}")]
    Format(String),
    /// Its Manifest is not signed as it must be.
    #[error("its Manifest: {0}")]
    Signature(#[from] SignatureError),
    /// A part is not what the Manifest says.
    #[error("`{0}` in it is not what its Manifest says")]
    Part(String),
}

impl From<io::Error> for GpkgError {
    fn from(error: io::Error) -> Self {
        Self::Format(error.to_string())
    }
}

/// Checks that one of the keys signed the Manifest, and that the parts are those that it names and no others.
pub(super) fn check(package: &Path, keys: &str) -> Result<(), GpkgError> {
    let trust = Trust::pinned(keys)?;
    let mut parts: BTreeMap<String, (u64, [Checksum; 2])> = BTreeMap::new();
    let mut manifest = None;
    let mut archive = tar::Archive::new(File::open(package)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        // All lie in one directory, whose name says nothing.
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() || parts.contains_key(&name) {
            return Err(GpkgError::Part(name));
        }
        if name == MANIFEST {
            let mut text = Vec::new();
            entry.by_ref().take(LARGEST).read_to_end(&mut text)?;
            if manifest.replace(text).is_some() {
                return Err(GpkgError::Part(name));
            }
        } else {
            let size = entry.size();
            let sums = Checksum::of_reader(&mut entry, [Algorithm::Blake2b, Algorithm::Sha512])?;
            parts.insert(name, (size, sums));
        }
    }
    let manifest = manifest.ok_or_else(|| GpkgError::Format("it has no Manifest".to_owned()))?;
    if parts.remove(MARK).is_none() {
        return Err(GpkgError::Format(format!("it has no `{MARK}`")));
    }
    let (text, _) = trust.cleartext(&manifest)?;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["DATA", name, size, sums @ ..] = &words[..] else {
            continue;
        };
        if *name == MARK {
            continue;
        }
        let wrong = || GpkgError::Part((*name).to_owned());
        let (found, [blake2b, sha512]) = parts.remove(*name).ok_or_else(wrong)?;
        let said = |algorithm: &str| {
            let mut pairs = sums.chunks_exact(2);
            pairs.find(|pair| pair[0] == algorithm).map(|pair| pair[1])
        };
        let same = size.parse() == Ok(found)
            && said("BLAKE2B") == Some(blake2b.hex())
            && said("SHA512") == Some(sha512.hex());
        if !same {
            return Err(wrong());
        }
    }
    match parts.into_keys().next() {
        None => Ok(()),
        Some(name) => Err(GpkgError::Part(name)),
    }
}
