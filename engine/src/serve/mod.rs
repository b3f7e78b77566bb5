//! Results over HTTP, for labs that download what they boot: read-only, and nothing but blobs of the store.
//!
//! `/blobs/DIGEST` and `/blobs/DIGEST/NAME` give a blob, `/results/ADDRESS/…` what the tree of links leads to. HEAD, one range, and `ETag`,
//! which is the digest, are as RFC 9110 says.

mod body;
mod place;
mod range;
mod server;
#[cfg(test)]
mod tests;

pub use server::Roots;
pub use server::Server;
