//! Evaluation: from Rhai definition files to a [`Catalog`](crate::model::Catalog).
//!
//! Pure and bounded: the result is a function of the files that were read ([`Evaluated::files`]),
//! and no text makes it hang, abort or read outside the project.
//!
//! **Vocabulary.** Scripts declare things by host functions. `vocabulary` is one table of them; a
//! parameter's `schema::Shape` checks the argument, describes it in messages and prints it in the
//! [`reference`]. Declared things are passed around as typed handles, which exist only where the
//! declaration succeeded, so a reference cannot dangle.
//!
//! **Places.** Values carry no position. `spans` walks each script's syntax tree once (unoptimised,
//! since the optimiser folds literals) and notes for every call where the keys and elements of its
//! literals stand, also below `.extend(#{…})`. A host function's mistake names the *path* of the
//! wrong value; `explain` looks for it in the call itself, then outwards along the calls that led
//! there, then for the only key of that name in any script, and shows that place. Frames inside
//! `std/` are never shown: the standard library's caller is to blame.
//!
//! **Files.** `main.rhai` first; `import "a/b"` is `a/b.rhai` below the project root, `import
//! "std/…"` and `file("std/…")` are built into the program. Paths have plain segments only, a
//! symbolic link may not lead out of the root, and imports may not form a circle. A module is
//! evaluated once, with a scope of its own.
//!
//! **Limits.** `limits` bounds operations, call and expression depth, sizes, variables and modules;
//! none of these can be caught by `try`. They do not cover everything: so evaluation runs on a
//! thread with a large stack (deep values are dropped recursively), a look every few hundred
//! operations bounds memory and wall time, and the parser, which has no budget, is given no more
//! variables and lines than it takes quickly. Clock and memory never change a result, they only end
//! an evaluation.

mod evaluate;
mod explain;
mod exploration;
#[cfg(test)]
mod exploration_tests;
mod files;
mod handle;
mod limits;
mod loader;
mod mail;
mod mistake;
mod names;
mod patches;
mod places;
mod reference;
mod schema;
mod spans;
mod state;
mod texts;
mod vocabulary;
mod words;

pub use evaluate::Evaluated;
pub use evaluate::evaluate;
pub use evaluate::evaluate_files;
pub use exploration::Coverage;
pub use exploration::Culprit;
pub use exploration::Explored;
pub use exploration::Explorer;
pub use exploration::Fits;
pub use exploration::Outcome;
pub use exploration::Random;
pub use exploration::Refusal;
pub use exploration::Thing;
pub use exploration::explore;
pub use files::FileError;
pub use files::Files;
pub use files::demo;
pub use files::embedded;
pub use places::Places;
pub use reference::exploration_reference;
pub use reference::reference;
