//! A resolved .config against every board: verdicts with reasons. Pure.
