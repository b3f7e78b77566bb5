//! Namespaces, mounts and limits around one command; knows no kernel.
//!
//! ```text
//! engine            Sandbox::run: spawns its own binary again, writes the id maps, waits, cancels
//!  └ helper         `sandbox-init`: single-threaded, so it may unshare; waits for pid 1
//!     └ pid 1       `sandbox-init pid1`: mounts, pivots, limits, reaps, tells how the command ended
//!        └ command  the spec's argv as `buildbot` (the worker's own uid) or as root of the image
//! ```
//!
//! Nothing is forked by hand: each stage is the engine's binary executed again, so no `unsafe` is
//! needed, and `unshare(CLONE_NEWUSER)` meets a process with one thread. One socket joins the
//! engine, the helper and pid 1. Its end-of-file means "stop" to pid 1, so the tree dies with the
//! engine however the engine dies; the parent-death signal says the same a second time.

mod archive;
mod binfmt;
mod cancel;
mod channel;
mod error;
mod helper;
mod installation;
mod layers;
mod mapping;
mod mounts;
mod pid1;
mod run;
mod space;
mod spec;
mod tree;
mod tty;

pub use archive::decompressed;
pub use binfmt::Emulator;
pub use binfmt::abi_of;
pub use binfmt::emulator_program;
pub use binfmt::is_native;
pub use cancel::Cancel;
pub use cancel::OnCancel;
pub use cancel::Watching;
pub use error::SandboxError;
pub use error::StepError;
pub use helper::init_main;
pub use installation::Extras;
pub use installation::Installation;
pub use installation::TEMPORARY;
pub use installation::host_program;
pub use layers::Layers;
pub use mapping::IdRange;
pub use mapping::Mapping;
pub use run::Sandbox;
pub use space::used_up;
pub use spec::Bind;
pub use spec::EPOCH;
pub use spec::Exit;
pub use spec::Limits;
pub use spec::PATH;
pub use spec::Root;
pub use spec::Spec;
pub use spec::Stdio;
pub use spec::User;
