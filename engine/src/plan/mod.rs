//! What is wanted, what is stale, and why. Never builds.
