//! Evaluation: Rhai files in, a catalog out. Pure, bounded, and the only user of `rhai`.
