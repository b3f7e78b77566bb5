//! Everything an operation can fail with; `cli/fault.rs` decides whose fault it is.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::graph::GraphError;
use crate::graph::GrowError;
use crate::lock::LockError;
use crate::model::PatternError;
use crate::origins::OriginError;
use crate::realise::RealiseError;
use crate::recipe::Broken;
use crate::sandbox::SandboxError;
use crate::text::Diagnostic;

/// Why an operation could not be carried out.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The definitions are wrong.
    #[error("the definitions have {} error(s)", .0.len())]
    Definitions(Vec<Diagnostic>),
    /// No project where one was looked for.
    #[error("`{0}` holds no `main.rhai`")]
    NoProject(String),
    /// The lock file and the definitions do not fit.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The graph could not be made.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An address pattern is malformed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A pattern names nothing.
    #[error("`{pattern}` names no node")]
    NothingNamed {
        /// The pattern.
        pattern: String,
        /// The most similar name there is.
        similar: Option<String>,
    },
    /// A name of `engine update` is nothing that the lock file has pins of.
    #[error("`{name}` is nothing that `engine.lock` pins")]
    NothingPinned {
        /// The name.
        name: String,
        /// All that is pinned.
        known: Vec<String>,
    },
    /// A file that was named is no .config.
    #[error("`{}` is no .config: {why}", .path.display())]
    NoConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No .config meets what the boards need that an address names: a line for each, with the reasons below.
    #[error("{}", .0.join("\n"))]
    NotMatched(Vec<String>),
    /// A lab that is not declared.
    #[error("`{name}` is no lab")]
    NoLab {
        /// What was asked for.
        name: String,
        /// The most similar name there is.
        similar: Option<String>,
        /// All there are.
        known: String,
    },
    /// A run left no log of a node.
    #[error("there is no log of `{node}`: {why}")]
    NoLog {
        /// The node.
        node: String,
        /// Why not.
        why: String,
    },
    /// What was asked for has not been made yet.
    #[error("`{node}` has no result yet: {state}")]
    NotYet {
        /// The node.
        node: String,
        /// Where it stands.
        state: String,
    },
    /// The graph could not grow.
    #[error(transparent)]
    Grow(#[from] GrowError),
    /// The run could not be carried through.
    #[error(transparent)]
    Realise(#[from] RealiseError),
    /// A family gave no answer.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// No sandbox can be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A step outside a run failed.
    #[error("{}", .0.message())]
    Step(#[from] Broken),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A file of the project or of the results tree.
    #[error("cannot {action} `{path}`: {source}")]
    File {
        /// What was tried, a verb.
        action: &'static str,
        /// The path.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

pub(super) fn file(
    action: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> DriveError {
    let path = path.display().to_string();
    move |source| DriveError::File {
        action,
        path,
        source,
    }
}
