//! Whole logs, judged.
