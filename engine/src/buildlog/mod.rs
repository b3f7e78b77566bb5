//! Logs of builds: the first real error, the warnings, and whether it was the machine's fault. Pure.
//!
//! ```text
//! lines -> diagnostic (compiler, assembler, linker, modpost, rustc, objtool, Kconfig, make: kind, file, line, words)
//!       -> evidence   (how processes ended: killed, no memory, no space)
//!       -> BuildLog   (first error, warnings, objects)
//! ```

mod diagnostic;
mod evidence;
mod reader;

pub use diagnostic::Diagnostic;
pub use evidence::Evidence;
pub use reader::BuildLog;
