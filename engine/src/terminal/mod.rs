//! The only module that prints: data on standard output, talk on standard error.
//!
//! A [`Terminal`] knows whether colours and a live display are wanted. Its
//! [`observer`](Terminal::observer) watches a run: with a display of what runs where somebody looks
//! at it, with one line per finished node elsewhere, or as JSON lines for programs.

mod bars;
mod events;
mod lines;
mod node;
mod progress;
mod screen;
mod table;

pub use screen::Colour;
pub use screen::Format;
pub use screen::Level;
pub use screen::OutputError;
pub use screen::Terminal;
pub use screen::Viewer;
pub use screen::last_words;
pub use table::table;
