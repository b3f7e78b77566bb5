//! Kconfig as pure data: values, .config files, predicates over them and the reasons they fail.

mod blame;
mod config;
mod deciders;
mod explain;
mod expression;
mod fixup;
mod mutate;
mod predicate;
mod satisfy;
mod symbols;
mod tree;
mod value;
mod version;

pub use config::Config;
pub use config::ConfigError;
pub use config::ConfigErrorKind;
pub use explain::Reason;
pub use explain::Wanted;
pub use fixup::FixupOutcome;
pub use fixup::check;
pub use fixup::fragment;
pub use mutate::WHOLE_SHARE;
pub use mutate::mutate;
pub use predicate::Predicate;
pub use satisfy::Assignments;
pub use satisfy::Unmet;
pub use satisfy::satisfy;
pub use tree::Tree;
pub use value::Value;
pub use version::Version;
pub use version::VersionError;
pub use version::Versions;
