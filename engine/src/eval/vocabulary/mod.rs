//! The functions definitions are written with: one table, one file per family of nouns.
//!
//! An entry of the table says a function's parameters by [`Shape`]; that one statement checks the
//! arguments and prints the reference.

mod arches;
mod boards;
mod explore;
mod function;
mod general;
mod labs;
mod predicates;
mod register;
mod results;
mod sources;
mod suites;
mod toolchains;
mod versions;

pub(super) use function::Chapter;
pub(super) use function::Function;
pub(super) use register::CHAPTERS;
pub(super) use register::EXPLORING;
pub(super) use register::Language;
pub(super) use register::register;
pub(super) use versions::check_versions;
