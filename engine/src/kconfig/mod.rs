//! Kconfig as pure data: values, .config files, predicates over them and the reasons they fail.

mod predicate;
mod value;

pub use predicate::Predicate;
pub use value::Value;
