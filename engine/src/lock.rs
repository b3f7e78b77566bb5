//! The lock file: which bytes the names in a catalog stand for. Pure.
