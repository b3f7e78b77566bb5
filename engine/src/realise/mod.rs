//! The scheduler: runs stale nodes in parallel, claims, cancellation, events.

mod events;
mod run;
mod worker;

pub use events::Event;
pub use events::NodeReport;
pub use events::Observer;
pub use events::RunReport;
pub use run::Options;
pub use run::RealiseError;
pub use run::realise;
pub use worker::now_ms;

#[cfg(test)]
mod tests;
