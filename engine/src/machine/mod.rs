//! The worker's machine: how much memory it has, who else works on it. Decides where and when nodes run, never what they are.

mod load;
mod memory;

pub use load::Load;
pub use load::Other;
pub use memory::memory_mib;
