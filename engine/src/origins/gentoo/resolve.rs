//! What the mirrors carry today, with the signatures that vouch for it checked.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use store::Algorithm;

use super::lists::digests;
use super::lists::latest;
use super::mirror::Mirror;
use super::mirror::Small;
use super::mirror::content;
use super::mirror::places;
use super::mirror::urls;
use super::names::known;
use super::request::GentooRequest;
use super::request::Wanted;
use crate::lock::PinnedFile;
use crate::origins::Answer;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::error::file as at;
use crate::origins::http::name_of;

/// What the pinned file with the detached signature ends with.
const SIGNATURE: &str = ".asc";
/// The snapshot that moves.
const SNAPSHOT: &str = "gentoo-latest.tar.xz";
/// What a binhost lists its packages in.
pub(super) const INDEX: &str = "Packages";
/// Where a snapshot begins with the directory that names its day: far less than that of compressed tar.
const HEAD: u64 = 1 << 16;

/// Asks the mirrors.
pub(super) fn resolve(request: &GentooRequest, means: &Means<'_>) -> Result<Answer, OriginError> {
    match &request.wanted {
        Wanted::Nothing => Ok(Answer::default()),
        Wanted::Stage3(name) => stage3(name, &Mirror::new(request, means)?, means),
        Wanted::Snapshot { binhost } => {
            let mirror = Mirror::new(request, means)?;
            let mut answer = snapshot(&mirror, means)?;
            if !binhost.is_empty() {
                answer.files.insert(0, index(binhost, &mirror, means)?);
                // Its packages are signed one by one.
                let keys = mirror
                    .keys()
                    .map(|keys| keys.armoured().map_err(content(binhost)));
                answer.keys = keys.transpose()?;
            }
            Ok(answer)
        }
    }
}

/// The newest stage3 of a name: the tarball, its detached signature, and the keys that are to check it. These come along as text: where
/// they are published changes.
fn stage3(name: &str, mirror: &Mirror<'_>, means: &Means<'_>) -> Result<Answer, OriginError> {
    let dir = known(name).map(|known| known.dir);
    let dir = dir.ok_or_else(|| OriginError::Content(format!("no stage3 is named `{name}`")))?;
    let builds = format!("releases/{dir}/autobuilds");
    let (list, text, signer) = mirror.signed(&format!("{builds}/latest-stage3-{name}.txt"))?;
    let wrong = |url: &str, why: String| OriginError::Content(format!("`{url}`: {why}"));
    let latest = latest(&text, name).map_err(|why| wrong(&list.url, why))?;
    let path = format!("{builds}/{}", latest.path);
    let (told, text, _) = mirror.signed(&format!("{path}.DIGESTS"))?;
    let checksums = digests(&text, name_of(&path)).map_err(|why| wrong(&told.url, why))?;
    let mut files = vec![PinnedFile {
        package: format!("stage3-{name}"),
        version: latest.stamp.clone(),
        size: latest.size,
        checksums,
        url: beside(mirror, &path),
    }];
    let mut keys = None;
    if let Some(trusted) = mirror.keys() {
        let signature = mirror.small(&format!("{path}{SIGNATURE}"))?;
        let package = format!("stage3-{name}{SIGNATURE}");
        files.push(kept(&package, &latest.stamp, &signature, means)?);
        keys = Some(trusted.armoured().map_err(content(name))?);
    }
    Ok(Answer {
        files,
        signer,
        keys,
        commit: None,
    })
}

/// Today's snapshot of the ebuild repository, pinned by its day: it is downloaded, as no signed list tells its digest.
fn snapshot(mirror: &Mirror<'_>, means: &Means<'_>) -> Result<Answer, OriginError> {
    let work = means.store.work_dir("snapshot")?;
    let path = work.path().join(SNAPSHOT);
    let places = mirror.urls(&format!("snapshots/{SNAPSHOT}"));
    let url = mirror.http.large(&places, &path)?;
    let signer = match mirror.keys() {
        None => None,
        Some(keys) => {
            let signature = mirror.small(&format!("snapshots/{SNAPSHOT}.gpgsig"))?;
            let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(File::open(&path)?)) };
            let signed = keys.detached(&signature.content, &open);
            Some(signed.map_err(content(&url))?.signer)
        }
    };
    let day = day(&path).map_err(|why| OriginError::Content(format!("`{url}`: {why}")))?;
    let dated = format!("snapshots/gentoo-{day}.tar.xz");
    let hashes = means.store.put_file_named(&path, &[Algorithm::Sha256])?;
    let files = vec![PinnedFile {
        package: "gentoo".to_owned(),
        version: day,
        size: hashes.size,
        checksums: hashes.checksums,
        url: beside(mirror, &dated),
    }];
    Ok(Answer {
        files,
        signer,
        keys: None,
        commit: None,
    })
}

/// Today's index of a binhost: it names the packages there are, each of which is signed.
fn index(binhost: &str, mirror: &Mirror<'_>, means: &Means<'_>) -> Result<PinnedFile, OriginError> {
    let work = means.store.work_dir("index")?;
    let path = work.path().join(INDEX);
    let url = format!("{binhost}/{INDEX}");
    mirror.http.large(&places(mirror.mirrors, &url), &path)?;
    let mut head = String::new();
    File::open(&path)
        .and_then(|file| file.take(HEAD).read_to_string(&mut head))
        .map_err(at("read", &path))?;
    // Its first paragraph is about the whole (portage, `pym/portage/getbinpkg.py`).
    let mut whole = head.lines().take_while(|line| !line.is_empty());
    let stamp = whole.find_map(|line| line.strip_prefix("TIMESTAMP: "));
    let stamp = stamp
        .map(str::trim)
        .filter(|stamp| !stamp.is_empty() && stamp.bytes().all(|byte| byte.is_ascii_digit()));
    let stamp = stamp.ok_or_else(|| {
        OriginError::Content(format!(
            "`{url}`: it is no index of a binhost: it has no TIMESTAMP"
        ))
    })?;
    let hashes = means.store.put_file_named(&path, &[Algorithm::Sha256])?;
    Ok(PinnedFile {
        package: "binhost".to_owned(),
        version: stamp.to_owned(),
        size: hashes.size,
        checksums: hashes.checksums,
        url,
    })
}

/// The day of a snapshot: its top directory is `gentoo-YYYYMMDD`.
fn day(path: &Path) -> Result<String, String> {
    let told = |error: io::Error| format!("it is no snapshot: {error}");
    let bytes = liblzma::read::XzDecoder::new(File::open(path).map_err(told)?);
    let mut archive = tar::Archive::new(bytes.take(HEAD));
    let mut entries = archive.entries().map_err(told)?;
    let first = entries.next().ok_or("it is no snapshot: it is empty")?;
    let top = first.map_err(told)?;
    let top = top.path().map_err(told)?;
    let top: PathBuf = top.components().take(1).collect();
    let day = top.to_str().and_then(|top| top.strip_prefix("gentoo-"));
    match day {
        Some(day) if day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(day.to_owned())
        }
        _ => Err(format!(
            "it is no snapshot: it begins with `{}`",
            top.display()
        )),
    }
}

/// Keeps a small file in the store, where a later download finds it.
fn kept(
    package: &str,
    version: &str,
    small: &Small,
    means: &Means<'_>,
) -> Result<PinnedFile, OriginError> {
    let work = means.store.work_dir("pinned")?;
    let path = work.path().join("file");
    fs::write(&path, &small.content).map_err(at("write", &path))?;
    let hashes = means.store.put_file_named(&path, &[Algorithm::Sha256])?;
    Ok(PinnedFile {
        package: package.to_owned(),
        version: version.to_owned(),
        size: hashes.size,
        checksums: hashes.checksums,
        url: small.url.clone(),
    })
}

/// A path on the first mirror; the others are tried when it is downloaded.
fn beside(mirror: &Mirror<'_>, path: &str) -> String {
    urls(mirror.mirrors, path)
        .into_iter()
        .next()
        .unwrap_or_default()
}
