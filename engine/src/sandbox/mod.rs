//! Namespaces, mounts and limits around one command; knows no kernel.
