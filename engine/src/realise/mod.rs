//! The scheduler: runs stale nodes in parallel, claims, cancellation, events.
