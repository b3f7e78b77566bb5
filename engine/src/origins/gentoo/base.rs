//! A stage3 as a base: it is one already, once its signature holds.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use super::mirror::content;
use crate::model::Stage3;
use crate::model::Trust;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::error::file as at;
use crate::origins::openpgp;

/// What a stage3's name ends with.
const TARBALL: &str = ".tar.xz";

/// Checks the stage3 in `work`/`files` and moves it to `work`/`tar`.
///
/// The keys must have held when the signature was made: what was pinned stays good after they have expired.
pub(super) fn base(
    stage3: &Stage3,
    pinned: Option<&str>,
    work: &Path,
    means: &Means<'_>,
) -> Result<(), OriginError> {
    let dir = work.join("files");
    let mut files = Files::default();
    for entry in fs::read_dir(&dir).map_err(at("list", &dir))? {
        let path = entry.map_err(at("list", &dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let place = if name.ends_with(TARBALL) {
            &mut files.tarball
        } else {
            &mut files.signature
        };
        *place = Some(path);
    }
    let lacks = |what: &str| {
        OriginError::Content(format!("the pin of stage3 `{}` has no {what}", stage3.name))
    };
    let tarball = files.tarball.ok_or_else(|| lacks("tarball"))?;
    if let Trust::Signed { keys, .. } = &stage3.trust {
        let signature = files.signature.ok_or_else(|| lacks("signature"))?;
        let pinned = pinned.ok_or_else(|| lacks("keys"))?;
        let name = tarball
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let read = |path: &PathBuf| fs::read(path).map_err(at("read", path));
        let trust = openpgp::Trust::new(pinned.as_bytes(), keys, None).map_err(content(&name))?;
        let open = || -> io::Result<Box<dyn Read>> {
            let tarball = File::open(&tarball)?;
            Ok(Box::new(means.cancel.watching(tarball)))
        };
        let signed = trust.detached(&read(&signature)?, &open);
        if means.cancel.is_cancelled() {
            return Err(OriginError::Cancelled);
        }
        let signed = signed.map_err(content(&name))?;
        (means.note)(&format!("`{name}` is signed by {}", signed.signer));
    }
    let tar = work.join("tar");
    fs::rename(&tarball, &tar).map_err(at("move", &tarball))
}

/// What a pin of a stage3 holds.
#[derive(Default)]
struct Files {
    tarball: Option<PathBuf>,
    signature: Option<PathBuf>,
}
