//! Evaluation: from Rhai definition files to a [`Catalog`](crate::model::Catalog).
mod evaluate;
mod explain;
mod files;
mod handle;
mod limits;
mod loader;
mod mistake;
mod names;
mod reference;
mod schema;
mod spans;
mod state;
mod vocabulary;

pub use evaluate::Evaluated;
pub use evaluate::evaluate;
pub use evaluate::evaluate_files;
pub use files::FileError;
pub use files::Files;
pub use files::demo;
pub use files::embedded;
pub use reference::reference;
