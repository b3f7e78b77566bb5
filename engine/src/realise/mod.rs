//! The scheduler: runs stale nodes in parallel, claims, cancellation, events.

mod demand;
mod events;
mod forecast;
mod queue;
mod report;
mod run;
mod signals;
mod tokens;
mod worker;

pub use demand::Demand;
pub use demand::DemandError;
pub use demand::Demands;
pub use demand::Draft;
pub use demand::Settled;
pub use events::Event;
pub use events::NodeReport;
pub use events::Observer;
pub use events::RunReport;
pub use forecast::Estimate;
pub use forecast::RunProgress;
pub use run::Options;
pub use run::RealiseError;
pub use run::realise;
pub use worker::now_ms;

#[cfg(test)]
mod placement_tests;
#[cfg(test)]
mod tests;
