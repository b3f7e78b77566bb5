//! What a caller asks of a sandbox, and how a command in it can end.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::binfmt::Emulator;
use super::layers::Layers;

/// Where programs are, in images and on the host.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Fixed time of everything that would otherwise carry the clock, seconds since 1970.
pub const EPOCH: u64 = 1_700_000_000;

/// One command and everything it can see.
///
/// There is no network but a loopback device that is down. `/proc`, `/dev` (null, zero, full,
/// random, urandom, tty, pts, shm) and an empty `/tmp` are always there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// What the command sees as `/`.
    pub root: Root,
    /// What runs programs of another architecture.
    pub emulator: Option<Emulator>,
    /// Host directories and files to show, in order.
    pub binds: Vec<Bind>,
    /// Directories to show as one, and where.
    #[serde(default)]
    pub layers: Option<(Layers, PathBuf)>,
    /// The command; a name without `/` is looked up in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment of the command.
    pub env: BTreeMap<String, String>,
    /// Where the command starts, seen from inside; must exist there.
    pub cwd: PathBuf,
    /// Who the command runs as.
    pub user: User,
    /// More device nodes of the host than the usual ones, by their names below `/dev`.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Bounds on the command.
    pub limits: Limits,
    /// The host name the command sees.
    pub hostname: String,
    /// Bytes that image changes may take in memory; the same again for `/tmp`.
    pub tmp_size: u64,
}

/// The root of what a command sees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Root {
    /// An unpacked image tree; what the command changes in it goes to memory and is lost.
    Image(PathBuf),
    /// Nothing: only the binds, which make their own directories, are there.
    Bare,
    /// The machine's own, read-only, with a `/proc` that shows the sandbox: for programs of the machine
    /// that make an image, and need its ids for that. Only binds can be written.
    Host,
}

/// A host directory or file shown in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Path on the host.
    pub source: PathBuf,
    /// Absolute path inside; made when missing, but not in [`Root::Host`].
    pub target: PathBuf,
    /// Refuses writes. Such a source must have no other file systems mounted below it: they would
    /// stay writable, so the kernel's refusal is passed on.
    pub read_only: bool,
}

/// Who a command runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// Root of the image, for making images; needs more ids than the worker's own. Files it writes
    /// into binds belong to an id the engine may not own: it should `chown` them to the worker.
    Root,
    /// The worker: [`Sandbox::worker_uid`](super::Sandbox::worker_uid) inside and outside.
    Worker,
}

/// Bounds on a command; `None` leaves the engine's own. Core dumps are always off.
///
/// A bound above the engine's hard limit is lowered to that limit, as only the host's root may
/// raise it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Time after which the whole tree is killed.
    pub wall: Option<Duration>,
    /// Open files of one process.
    pub nofile: Option<u64>,
    /// Bytes of one file.
    pub file_size: Option<u64>,
    /// Processes and threads of the sandbox. Not enforced by the kernel on [`User::Root`] when the
    /// engine itself is root.
    pub processes: Option<u64>,
}

/// Where a command reads and writes.
#[derive(Debug)]
pub enum Stdio {
    /// No input; both outputs go to this file, in order.
    Log(File),
    /// No input; the outputs go to these two, such as the ends of pipes.
    Outputs(OwnedFd, OwnedFd),
    /// The engine's outputs, and its controlling terminal (or nothing, without one) as input. The
    /// command is the terminal's foreground job until it ends.
    Terminal,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It returned this exit code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It was killed at its wall limit.
    TimedOut,
    /// It was killed because the caller cancelled.
    Cancelled,
}
