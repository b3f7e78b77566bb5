//! Laws of specs.
