//! How each kind of node is realised: one file per kind, the same trait for all.

mod base;
mod boot;
mod broken;
mod config;
mod execute;
mod fetch;
mod image;
mod judge;
mod kconfig;
mod kernel;
mod lava;
mod matches;
mod native;
mod objects;
mod probe;
mod recipes;
mod rootfs;
mod shell;
mod source;
mod step;
mod takes;
mod ticket;

pub use broken::Broken;
pub use execute::Execute;
pub use execute::Finished;
pub use execute::Job;
pub use execute::Step;
pub use execute::Tell;
pub use execute::Waiting;
pub use lava::LavaTools;
pub use lava::Serve;
pub use lava::lava_job;
pub use recipes::Tools;
pub use takes::Takes;
pub use ticket::Ticket;
pub use ticket::tickets;
