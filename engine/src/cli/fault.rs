//! The one place that decides whose fault an error is, what to do next, and the exit code.

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use store::StoreError;

use crate::drive::DriveError;
use crate::graph::GraphError;
use crate::graph::GrowError;
use crate::labs::LabError;
use crate::lock::LockError;
use crate::model::BuildError;
use crate::model::DerivedError;
use crate::origins::OriginError;
use crate::realise::RealiseError;
use crate::recipe::Broken;
use crate::report::JunitError;
use crate::report::SvgError;
use crate::terminal::OutputError;
use crate::text::Diagnostic;
use crate::text::did_you_mean;
use crate::text::with_causes;

/// How a command ended that could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All good.
    Good,
    /// Something that was wanted failed.
    Failed,
    /// Nothing failed, but the machine or the user kept something from being done.
    Undone,
}

/// Whose fault it is that a command could not be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    /// Nobody's mistake: what was asked for is not so.
    Outcome,
    /// The definitions, the lock file or the command line are wrong.
    User,
    /// The machine, the network or the store's disk.
    Environment,
    /// The engine itself.
    Engine,
    /// Nobody's: the reader of the output has seen enough.
    Nobody,
}

/// Why a command could not be carried out.
#[derive(Debug)]
pub(super) struct Fault {
    blame: Blame,
    /// What is shown.
    pub diagnostics: Vec<Diagnostic>,
}

const REPORT: &str =
    "this is a fault of the engine: please report it with this message and the definitions";

impl Ending {
    /// The exit code of the process.
    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::Undone => 3,
        })
    }
}

impl Fault {
    /// The exit code of the process.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self.blame {
            Blame::Nobody => 0,
            Blame::Outcome => 1,
            Blame::User => 2,
            Blame::Environment => 3,
            Blame::Engine => 4,
        })
    }

    /// A mistake on the command line or in the definitions.
    pub(super) fn user(message: impl Into<String>) -> Self {
        Self::new(Blame::User, message.into())
    }

    /// Something of the machine is not as it must be.
    pub(super) fn environment(message: impl Into<String>) -> Self {
        Self::new(Blame::Environment, message.into())
    }

    /// A file that a command was to read or write.
    pub(super) fn file(action: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("cannot {action} `{}`", path.display());
        move |error| Self::environment(format!("{what}: {error}"))
    }

    /// The engine's own fault.
    pub(super) fn engine(message: impl Into<String>) -> Self {
        Self::new(Blame::Engine, message.into()).help(REPORT)
    }

    /// The same with nothing to be said any more.
    #[must_use]
    pub(super) fn quiet(mut self) -> Self {
        self.diagnostics.clear();
        self
    }

    /// Adds a next step.
    #[must_use]
    pub(super) fn help(mut self, help: impl AsRef<str>) -> Self {
        if let Some(last) = self.diagnostics.last_mut() {
            let before = last
                .help
                .take()
                .map(|before| before + "\n")
                .unwrap_or_default();
            last.help = Some(before + help.as_ref());
        }
        self
    }

    fn new(blame: Blame, message: String) -> Self {
        let diagnostic = Diagnostic {
            message,
            labels: Vec::new(),
            help: None,
            trace: Vec::new(),
        };
        Self {
            blame,
            diagnostics: vec![diagnostic],
        }
    }

    fn of(blame: Blame, error: &dyn Error) -> Self {
        let fault = Self::new(blame, with_causes(error));
        if blame == Blame::Engine {
            fault.help(REPORT)
        } else {
            fault
        }
    }
}

impl From<DriveError> for Fault {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Definitions(diagnostics) => Self {
                blame: Blame::User,
                diagnostics,
            },
            DriveError::NoProject(_) => Self::of(Blame::User, &error)
                .help("`-C DIR` names a project; `engine init DIR` makes one"),
            DriveError::Lock(error) => error.into(),
            DriveError::Graph(error) => error.into(),
            DriveError::Pattern(_) | DriveError::NoLog { .. } | DriveError::NoConfig { .. } => {
                Self::of(Blame::User, &error)
            }
            DriveError::NothingNamed { ref similar, .. } => {
                let help = similar.as_ref().map_or_else(
                    || "`engine plan --verbose` lists the nodes".to_owned(),
                    |similar| format!("did you mean `{similar}`?"),
                );
                Self::of(Blame::User, &error).help(help)
            }
            DriveError::NothingPinned {
                ref name,
                ref known,
            } => {
                let help = match did_you_mean(name, known.iter().map(String::as_str)) {
                    Some(similar) => format!("did you mean `{similar}`?"),
                    None if known.is_empty() => {
                        "what is declared says its checksums itself".to_owned()
                    }
                    None => format!("pinned are `{}`", known.join("`, `")),
                };
                Self::of(Blame::User, &error).help(help)
            }
            DriveError::NoLab {
                ref similar,
                ref known,
                ..
            } => {
                let help = match similar {
                    Some(similar) => format!("did you mean `{similar}`?"),
                    None if known.is_empty() => {
                        "none is declared: boards boot in QEMU on this machine".to_owned()
                    }
                    None => format!("declared are {known}"),
                };
                Self::of(Blame::User, &error).help(help)
            }
            DriveError::NotMatched(_) => Self::of(Blame::Outcome, &error),
            DriveError::NotYet { ref node, .. } => {
                let help = format!("`engine realize {node}` makes one");
                Self::of(Blame::User, &error).help(help)
            }
            DriveError::Grow(error) => error.into(),
            DriveError::Realise(error) => error.into(),
            DriveError::Origin(error) => error.into(),
            DriveError::Sandbox(error) => Self::of(Blame::Environment, &error),
            DriveError::Step(error) => error.into(),
            DriveError::Store(error) => error.into(),
            DriveError::File { .. } => Self::of(Blame::Environment, &error),
        }
    }
}

impl From<LockError> for Fault {
    fn from(error: LockError) -> Self {
        let help = match &error {
            LockError::Format(_)
            | LockError::Encoding(_)
            | LockError::TooLarge
            | LockError::NoFile => {
                "restore it from version control, or remove it and run `engine update`".to_owned()
            }
            LockError::Newer(_) => "use the engine that wrote it, or a newer one".to_owned(),
            LockError::Unpinned(_) => "`engine update` asks the mirror and pins".to_owned(),
            LockError::Outdated(name) => format!("`engine update {name}` pins it anew"),
        };
        Self::of(Blame::User, &error).help(help)
    }
}

impl From<GraphError> for Fault {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Lock(error) => error.into(),
            GraphError::NoBuild { ref source, .. } => {
                let fault = Self::of(Blame::User, &error);
                match source {
                    BuildError::Unknown {
                        similar: Some(similar),
                        ..
                    } => fault.help(format!("did you mean `{similar}`?")),
                    BuildError::Derived(DerivedError::NoKey { known, .. }) => {
                        let known = known.join("`, `");
                        fault.help(format!("keys are `{known}`, and symbols of Kconfig"))
                    }
                    _ => fault,
                }
            }
            GraphError::Dangling { .. } => Self::of(Blame::Engine, &error),
        }
    }
}

impl From<GrowError> for Fault {
    fn from(error: GrowError) -> Self {
        Self::of(Blame::Engine, &error)
    }
}

impl From<RealiseError> for Fault {
    fn from(error: RealiseError) -> Self {
        match error {
            RealiseError::Store(error) => error.into(),
            RealiseError::Grow(error) => error.into(),
            RealiseError::Runtime(_) => Self::of(Blame::Environment, &error),
        }
    }
}

impl From<OriginError> for Fault {
    fn from(error: OriginError) -> Self {
        let fault = Self::of(Blame::Environment, &error);
        match error {
            OriginError::Failed { .. } => {
                fault.help("see that the mirror can be reached and the packages' names are right")
            }
            OriginError::Store(error) => error.into(),
            OriginError::Gone { .. } => {
                fault.help("`engine update --if-gone` moves only such pins")
            }
            OriginError::Content(_)
            | OriginError::NoPackage { .. }
            | OriginError::NoReference { .. }
            | OriginError::Submodule { .. } => Self::of(Blame::User, &error),
            OriginError::Missing { .. }
            | OriginError::Incomplete { .. }
            | OriginError::File { .. }
            | OriginError::Fetch { .. }
            | OriginError::Offline { .. }
            | OriginError::Sandbox(_)
            | OriginError::Cancelled => fault,
        }
    }
}

impl From<Broken> for Fault {
    fn from(error: Broken) -> Self {
        match error {
            Broken::Store(error) => error.into(),
            Broken::Origin(error) => error.into(),
            Broken::Lab(
                LabError::NoProgram { .. }
                | LabError::Sandbox(_)
                | LabError::NoMachine { .. }
                | LabError::Run { .. }
                | LabError::Log(_)
                | LabError::Cancelled,
            )
            | Broken::Sandbox(_)
            | Broken::File { .. }
            | Broken::Missing { .. }
            | Broken::Infrastructure(_)
            | Broken::Doubtful(_)
            | Broken::Lava(_)
            | Broken::Submitted { .. }
            | Broken::Cancelled => Self::of(Blame::Environment, &error),
            Broken::Full { .. } => Self::of(Blame::Environment, &error)
                .help("`engine gc` removes what no recent run used"),
            Broken::Lab(LabError::NotQemu(_)) => Self::of(Blame::User, &error),
            Broken::Unresolved(_) => Self::of(Blame::Engine, &error),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let (full, damaged) = (error.is_disk_full(), error.is_corruption());
        let blame = match error {
            StoreError::Io { .. }
            | StoreError::Database(_)
            | StoreError::Corrupt { .. }
            | StoreError::MissingBlob(_)
            | StoreError::NewerFormat { .. } => Blame::Environment,
            StoreError::Encoding(_)
            | StoreError::Unsupported { .. }
            | StoreError::Name(_)
            | StoreError::FactsTooLarge { .. } => Blame::Engine,
        };
        let fault = Self::of(blame, &error);
        if full {
            return fault.help("`engine gc` removes what no recent run used");
        }
        if damaged {
            return fault
                .help("`engine verify --repair` sets bad files aside; a run makes them again");
        }
        match error {
            StoreError::NewerFormat { .. } => {
                fault.help("use the engine that wrote it, or name another store with `--store`")
            }
            _ => fault,
        }
    }
}

impl From<JunitError> for Fault {
    fn from(error: JunitError) -> Self {
        Self::of(Blame::Engine, &error)
    }
}

impl From<SvgError> for Fault {
    fn from(error: SvgError) -> Self {
        Self::of(Blame::Engine, &error)
    }
}

impl From<OutputError> for Fault {
    fn from(error: OutputError) -> Self {
        if error.is_closed() {
            return Self {
                blame: Blame::Nobody,
                diagnostics: Vec::new(),
            };
        }
        Self::of(Blame::Environment, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(fault: &Fault) -> String {
        fault.diagnostics.iter().map(Diagnostic::to_plain).collect()
    }

    #[test]
    fn a_full_disk_names_gc_and_is_the_environments_fault() {
        let error = StoreError::Io {
            path: "/store/blobs/ab".into(),
            op: "write",
            source: io::Error::from(io::ErrorKind::StorageFull),
        };
        let fault = Fault::from(DriveError::Realise(RealiseError::Store(error)));
        assert_eq!(fault.blame, Blame::Environment);
        insta::assert_snapshot!(shown(&fault), @"
        error: cannot write `/store/blobs/ab`: no storage space
          = help: `engine gc` removes what no recent run used
        ");
    }

    #[test]
    fn a_fault_of_the_engine_asks_for_a_report() {
        let fault = Fault::from(Broken::Unresolved("source"));
        assert_eq!(fault.blame, Blame::Engine);
        insta::assert_snapshot!(shown(&fault), @"
        error: the node was given no source
          = help: this is a fault of the engine: please report it with this message and the definitions
        ");
    }

    #[test]
    fn a_reader_that_went_away_is_no_fault() {
        let fault = Fault::from(OutputError::from(io::Error::from(
            io::ErrorKind::BrokenPipe,
        )));
        assert_eq!((fault.blame, fault.diagnostics.len()), (Blame::Nobody, 0));
    }
}
