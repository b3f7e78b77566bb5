//! Joins evaluation, graph and realisation into the operations the commands call.
