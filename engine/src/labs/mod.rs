//! Places that boot: one trait, one file per kind of lab.
