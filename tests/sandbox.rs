//! Sandboxes on this machine, as root and as an ordinary user.
