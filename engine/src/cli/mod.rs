//! The command line: one file per command, thin; [`main`] is all the binary calls.

mod boards;
mod boot;
mod check;
mod command;
mod complete;
mod completions;
mod context;
mod coverage;
mod doc;
mod explore;
mod fault;
mod gc;
mod graph;
mod init;
mod jobs;
mod judge;
mod labs;
mod log;
mod man;
mod matrix;
mod plan;
mod realize;
mod results;
mod serve;
mod shell;
mod show;
mod start;
mod update;
mod verify;
mod why;

pub use start::main;
