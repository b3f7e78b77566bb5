//! What the headers of a program say; pure.

mod program;

pub use program::Elf;
pub use program::Program;
pub use program::loader;
