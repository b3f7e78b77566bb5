//! The graph: typed nodes, their keys, and its expansion from a catalog. The only user of `petgraph`.
