//! Files in Debian's packages (deb(5)).

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use crate::origins::OriginError;
use crate::origins::error::file;
use crate::sandbox::Cancel;

/// Copies one member of a package's data archive to `out`.
pub(in crate::origins) fn deb_member(
    deb: &Path,
    member: &str,
    out: &Path,
    cancel: &Cancel,
) -> Result<(), OriginError> {
    let name = deb.file_name().unwrap_or_default().to_string_lossy();
    let package = File::open(deb).map_err(file("open", deb))?;
    let mut archive = ar::Archive::new(cancel.watching(package));
    // What is in a package is the mirror's doing; the file that cannot be read is told by its name there.
    let damaged = |error: io::Error| {
        if cancel.is_cancelled() {
            return OriginError::Cancelled;
        }
        OriginError::Content(format!("the package `{name}` is damaged: {error}"))
    };
    while let Some(entry) = archive.next_entry() {
        let entry = entry.map_err(damaged)?;
        let part = String::from_utf8_lossy(entry.header().identifier()).into_owned();
        if !part.starts_with("data.tar") {
            continue;
        }
        let reader: Box<dyn Read> = match part.trim_end_matches('/') {
            "data.tar.xz" => Box::new(liblzma::read::XzDecoder::new(entry)),
            "data.tar.zst" => Box::new(zstd::stream::read::Decoder::new(entry).map_err(damaged)?),
            "data.tar" => Box::new(entry),
            other => {
                let message = format!("`{other}` in the package `{name}` is not known");
                return Err(OriginError::Content(message));
            }
        };
        let mut data = tar::Archive::new(reader);
        for entry in data.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let path = entry.path().map_err(damaged)?;
            if path.strip_prefix(".").unwrap_or(&path) == Path::new(member) {
                let mut target = File::create(out).map_err(file("write", out))?;
                io::copy(&mut entry, &mut target).map_err(damaged)?;
                return Ok(());
            }
        }
        let message = format!("the package `{name}` holds no `{member}`");
        return Err(OriginError::Content(message));
    }
    let message = format!("the package `{name}` has no data archive");
    Err(OriginError::Content(message))
}
