//! Joins evaluation, graph and realisation into the operations the commands call.
//!
//! A [`Session`] is one project on one store: the catalog, its pins, the graph and the records.
//! Loading it evaluates Rhai only when a file that was read last time has changed; a run that finds
//! everything fresh starts no thread, opens no sandbox and writes nothing.

mod boards;
mod cache;
mod costs;
mod error;
mod explain;
mod explore;
mod host;
mod inspect;
mod labs;
mod log;
mod matrix;
mod outlook;
mod run;
mod session;
mod show;
mod update;
mod upkeep;
mod worker;

pub use boards::BoardWhy;
pub use error::DriveError;
pub use explain::Explanation;
pub use explain::Reason;
pub use explore::ArchCoverage;
pub use explore::Budget;
pub use explore::Cluster;
pub use explore::Culprits;
pub use explore::Exploration;
pub use explore::ExploreOptions;
pub use explore::Explored;
pub use explore::Stage;
pub use host::Lack;
pub use host::lacks;
pub use inspect::ResultLine;
pub use labs::JobView;
pub use labs::LabOptions;
pub use labs::LabView;
pub use log::NodeLog;
pub use matrix::BuiltKernel;
pub use matrix::Matrix;
pub use matrix::MatrixBoot;
pub use matrix::MatrixBuild;
pub use outlook::Foreseen;
pub use outlook::LeftOut;
pub use outlook::Outlook;
pub use outlook::Standing;
pub use run::Realised;
pub use run::RunOptions;
pub use session::Checked;
pub use session::Session;
pub use session::check;
pub use show::InputView;
pub use show::NodeView;
pub use show::OutputView;
pub use update::PinChange;
pub use update::UpdateMode;
pub use update::update;
pub use upkeep::collect;
