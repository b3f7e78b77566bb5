//! Exploration: a script asks a running graph for configurations, builds and boots, and decides by what came of them.
//!
//! `driver` answers the script and keeps what was asked for; `asked` is the graph as the script has it, of which only what is asked for
//! goes into the one that runs. `minimise` is the search for the smallest sets that fail, `culprits` its tries as builds and boots.
//! `verdicts` has failures run again, `random` and `builds` make addresses of what is asked for. `survey` counts and `clusters` sorts failures, into the plain data of `tally`.

mod asked;
mod builds;
mod clusters;
mod coverage;
mod culprits;
mod driver;
mod minimise;
mod random;
mod run;
mod survey;
mod tally;
mod verdicts;

pub use coverage::ArchCoverage;
pub use driver::Budget;
pub use run::ExploreOptions;
pub use run::Explored;
pub use tally::Cluster;
pub use tally::Culprits;
pub use tally::Exploration;
pub use tally::Stage;
