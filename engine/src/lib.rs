//! A declarative evaluation engine for Linux kernel CI.
//!
//! ```text
//! declare      definitions/*.rhai on top of stdlib/
//! evaluate     eval      -> model::Catalog            pure, bounded
//! graph        graph     -> nodes with keys           + lock: names -> pinned bytes
//! plan         plan      -> fresh | stale(why) | unknown
//! realise      realise   -> recipe::* in sandbox::*   into the store, early cutoff
//! match        matching  -> boards per resolved .config, expands the graph
//! boot         labs      -> console -> verdict
//! report       report, results, terminal
//! ```
//!
//! A module imports only modules of a lower layer; `tests/layers.rs` holds the list.

pub mod buildlog;
pub mod cli;
pub mod console;
pub mod drive;
pub mod elf;
pub mod eval;
pub mod graph;
pub mod jobs;
pub mod kconfig;
pub mod labs;
pub mod lock;
pub mod machine;
pub mod matching;
pub mod model;
pub mod origins;
pub mod plan;
pub mod realise;
pub mod recipe;
pub mod report;
pub mod results;
pub mod sandbox;
pub mod serve;
pub mod spec;
pub mod terminal;
pub mod text;
