//! LAVA servers: who we are there, what they have, and one job from its submission to its results.
//!
//! Source of the API: LAVA 2023.01 as it answers, and what the sources of 2026.07 say differs.

mod client;
mod devices;
mod entry;
mod error;
mod follow;
mod poller;
mod pool;
mod results;
mod server;
mod standing;
#[cfg(test)]
mod tests;
mod token;
mod xmlrpc;

pub use devices::Device;
pub use devices::Offer;
pub use entry::Entry;
pub use error::LavaError;
pub use follow::Followed;
pub use follow::Watch;
pub use follow::aside;
pub use follow::unless_cancelled;
pub use pool::LavaLabs;
pub use pool::Placed;
pub use results::Case;
pub use results::JobEnd;
pub use server::JobState;
pub use server::LavaServer;
pub use server::Outlook;
pub use token::Token;
pub use token::TokenError;
