//! What host functions say about a definition that is wrong, before its place is looked up.

use rhai::Dynamic;
use rhai::EvalAltResult;
use rhai::Position;

use crate::text::did_you_mean;

use super::files::FileError;
use super::files::embedded;
use super::limits::Ended;

/// A place as the interpreter knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Path of the file.
    pub source: String,
    /// Line and column.
    pub position: Position,
}

/// The way from a call to the value that is wrong: the argument's index, then keys and indices.
pub(super) type ValuePath = Vec<String>;

/// A mistake in a call of a host function.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    /// Lower-case fragment.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
    /// The call.
    pub site: Site,
    /// What of the call is wrong; empty for the call as a whole.
    pub path: ValuePath,
    /// An earlier place that has to do with it.
    pub earlier: Option<Box<(Site, ValuePath, String)>>,
    /// It is nobody's mistake: the exploration is over, and no `catch` keeps it.
    pub over: bool,
}

impl Site {
    /// No place at all.
    pub fn none() -> Self {
        Self {
            source: String::new(),
            position: Position::NONE,
        }
    }
}

impl Mistake {
    /// A mistake at a value; the place of the call is filled in by the caller.
    pub fn at(path: &[String], message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            site: Site::none(),
            path: path.to_vec(),
            earlier: None,
            over: false,
        }
    }

    /// A file at `path` that cannot be had.
    pub fn of_file(path: &[String], error: &FileError) -> Self {
        let mistake = Self::at(path, error.to_string());
        match error {
            FileError::Escape(_) => mistake.help(
                "definitions see the files of their project only, by paths such as `patches/fix.patch`",
            ),
            FileError::Missing(_) => {
                mistake.help("paths begin at the project root, also in files of a folder")
            }
            FileError::MissingStandard(wanted) => {
                let known = embedded().iter().map(|(path, _)| *path);
                mistake.suggest(did_you_mean(wanted, known.clone()), || {
                    format!("it has {}", known.collect::<Vec<_>>().join(", "))
                })
            }
            FileError::Unreadable { .. } => mistake,
        }
    }

    /// Adds the next step.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds "did you mean", if there is something to suggest.
    pub fn suggest(self, nearest: Option<&str>, otherwise: impl FnOnce() -> String) -> Self {
        let help = nearest.map_or_else(otherwise, |name| format!("did you mean `{name}`?"));
        self.help(help)
    }

    /// The mistake as the interpreter carries it outwards.
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "the interpreter's errors are boxed"
    )]
    pub fn thrown(self, site: Site) -> Box<EvalAltResult> {
        let position = site.position;
        if self.over {
            return Box::new(EvalAltResult::ErrorTerminated(
                Dynamic::from(Ended::Over),
                position,
            ));
        }
        Box::new(EvalAltResult::ErrorRuntime(
            Dynamic::from(Self { site, ..self }),
            position,
        ))
    }
}
