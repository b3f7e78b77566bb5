//! Messages between the engine, its helper and pid 1: a length (four bytes, little endian), then JSON.

use std::io;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::binfmt::Emulator;
use super::error::StepError;
use super::spec::Exit;
use super::spec::Spec;

/// What the helper is to do once its ids are mapped.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Try the namespaces of a run, with an emulator if given, and stop.
    Probe { emulator: Option<Emulator> },
    /// Start pid 1, for which a [`Job`] follows.
    Run,
    /// Extract an archive.
    Unpack {
        archive: PathBuf,
        dest: PathBuf,
        strip_top: bool,
        /// Gives files the ids in the archive, not the worker's.
        owners: bool,
    },
    /// Remove a tree.
    Remove { dir: PathBuf },
}

/// What pid 1 is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub spec: Spec,
    /// Input comes from the controlling terminal, and the command becomes its foreground job.
    pub terminal: bool,
    /// Uid and gid of the worker inside.
    pub worker: (u32, u32),
    /// Only one id is mapped (as root), so the worker needs a user namespace of its own.
    pub nested: bool,
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The helper has its user namespace and waits for its maps.
    Unshared,
    /// The order is done.
    Done,
    /// The command ended.
    Ended(Exit),
    /// A step failed; nothing more will come.
    Failed(StepError),
}

/// Writes one message.
pub(super) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(body);
    to.write_all(&bytes)
}

/// Reads one message; end-of-file is an error of kind `UnexpectedEof`.
pub(super) fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut body = Vec::new();
    from.take(u32::from_le_bytes(length).into())
        .read_to_end(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}
