//! What a kernel said of itself: class, severity, title, and the function at fault.

use serde::Deserialize;
use serde::Serialize;

use crate::model::Severity;

/// The kind of a complaint, by the part of the kernel that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// `Kernel panic - not syncing`, where nothing before it says why.
    Panic,
    /// A fault of the processor in the kernel: `die()` of every arch.
    Oops,
    /// `BUG()`, and the `BUG:` lines that have no class of their own.
    Bug,
    /// The address sanitizer.
    Kasan,
    /// The memory sanitizer: use of uninitialised memory.
    Kmsan,
    /// The concurrency sanitizer: data races.
    Kcsan,
    /// The sampling memory checker.
    Kfence,
    /// The sanitizer of undefined behaviour.
    Ubsan,
    /// The lock checker, and locks that are misused.
    Lockdep,
    /// Misuse of RCU.
    Rcu,
    /// Sleeping or scheduling where it is not allowed.
    Atomic,
    /// `WARN()`.
    Warning,
    /// A reference counter that wraps, or counts from zero.
    Refcount,
    /// An object of the kernel used against its life: `CONFIG_DEBUG_OBJECTS`, kobjects, usercopy.
    Object,
    /// A task that is blocked for too long.
    Hang,
    /// A processor that does not come back: soft and hard lockups, RCU stalls, stuck workqueues.
    Stall,
    /// Memory that nothing points to.
    MemoryLeak,
    /// A kernel stack that overflowed or was written over.
    Stack,
    /// A page or page table in a state that cannot be.
    Page,
    /// A slab object that was written over, or freed twice.
    Slab,
    /// A linked list that does not link.
    List,
    /// A device or file system that is not let go.
    Reference,
    /// A panic of Rust code in the kernel.
    Rust,
    /// Linux began again without being told to.
    Reboot,
    /// The machine printed nothing.
    NoOutput,
    /// A program of user space that died of a fault.
    Segfault,
    /// The kernel killed for want of memory.
    OutOfMemory,
}

/// A place in the source, as printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Path below the top of the source.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// One complaint of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its kind.
    pub class: Class,
    /// How bad it is.
    pub severity: Severity,
    /// As a kernel developer would name it, without addresses and numbers: `KASAN: use-after-free Read in ila_nf_input`.
    pub title: String,
    /// The function at fault, without suffixes of the compiler; empty where none is printed.
    pub function: String,
    /// The module it is in; empty for the kernel's own.
    pub module: String,
    /// Where in the source, if printed.
    pub place: Option<Place>,
    /// Letters of the kernel's taint as printed: `G B`; empty for none.
    pub taint: String,
    /// What is equal for two findings of one failure: follows from class, title and function only.
    pub signature: String,
    /// Whether the suite said that it is to come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expected: bool,
    /// How often it came.
    pub count: u32,
    /// The number of its first line in the log, from 1.
    pub first_line: u64,
    /// What the kernel printed of it, without stamps: from the cut to the end of the trace.
    pub lines: Vec<String>,
}
