//! How each kind of node is realised: one file per kind, the same trait for all.
