//! The worker's machine: how much memory it has, who else works on it, whose packages it takes. Decides where and when nodes run, never what they are.

mod distribution;
mod host;
mod load;
mod memory;

pub use distribution::Distribution;
pub use distribution::Packages;
pub use host::hostname;
pub use load::Load;
pub use load::Other;
pub use memory::memory_mib;
