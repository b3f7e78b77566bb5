//! Debian's apt, asked with its own isolated state: resolving pins and fetching packages.
