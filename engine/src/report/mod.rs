//! Renderings of a run: JSON lines, JUnit, a summary as text. Reports never decide.

mod json;
mod junit;
mod node;
#[cfg(test)]
mod sample;
mod summary;

pub use json::json_line;
pub use junit::JunitError;
pub use junit::junit;
pub use summary::summary;
