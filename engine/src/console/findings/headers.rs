//! The lines by which a kernel begins to complain, and what each means.
//!
//! Sources: kernel `arch/*/kernel/traps.c`, `arch/*/mm/fault.c`, `kernel/panic.c`, `kernel/hung_task.c`, `kernel/watchdog*.c`, `kernel/rcu/tree_stall.h`,
//! `kernel/locking/lockdep.c`, `mm/kasan/report*.c`, `mm/kmsan/report.c`, `mm/kfence/report.c`, `kernel/kcsan/report.c`, `lib/ubsan.c`, `mm/slub.c`, `mm/page_alloc.c`,
//! `lib/bug.c`, `lib/debugobjects.c`.

use std::sync::LazyLock;

use regex::Captures;
use regex::Regex;

use super::finding::Class;
use crate::model::Severity;
use crate::text::regex;

/// Where the function at fault is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nowhere: the title says it all.
    Nobody,
    /// The instruction pointer, else the stack.
    Pc,
    /// The instruction pointer, whatever it is in.
    Exactly,
    /// The first stack.
    Stack,
    /// The function that the header itself names, else the stack.
    Named,
    /// The lock at `at:` behind these words, else the stack.
    Lock(&'static str),
    /// The function behind these words.
    After(&'static str),
    /// What the processor was in, cut off at a place that is the same each time.
    Stall,
    /// What the task waits in.
    Hang,
}

/// What a header is of a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Its begin, whatever was said before.
    Begin,
    /// The rest or the end of what was begun before it, where that is so.
    Rest,
    /// As `Rest`; where it is the begin, another may follow that says more and takes its place.
    Prelude,
}

/// One kind of header.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) pattern: Regex,
    pub(super) class: Class,
    pub(super) severity: Severity,
    /// With `$1` for what the pattern caught; ` in FUNCTION` is put behind it.
    pub(super) title: &'static str,
    pub(super) blame: Blame,
    /// More functions that are not at fault here, as an expression.
    pub(super) skip: Option<Regex>,
    pub(super) role: Role,
}

impl Header {
    /// Whether it goes on with what was begun before it, where that is so.
    pub(super) fn follows(&self) -> bool {
        self.role != Role::Begin
    }
}

type Row = (
    &'static str,
    Class,
    Severity,
    &'static str,
    Blame,
    &'static str,
    Role,
);

const FREE: &str = "kmem_|slab_|k?v?k?free|vunmap|vfree|kasan|poison|__free_";
const ALLOC: &str = "kmemleak|k[mczr]alloc|vmalloc|mmap|kmem|slab|.*alloc|create_object|idr_get|list_lru_init|pcpu_create|strn?dup|memdup|getname|memalloc|kmalloc|get_page|folio";
const DEBUG: &str = "debug_|rcu|hrtimer_|timer_|work_|percpu_|kmem_|slab_|k?v?free|vunmap|vfree|__free_|kobject_|free_(?:pages|percpu|large|unref|frozen)|init_|destroy_|do_init|delayed_|free_(?:slab|page)|unpoison|cpu_timer|put_cpu|discard_slab";

/// Tried in this order. A row is a line: it is read as a table.
#[rustfmt::skip]
const ROWS: &[Row] = {
    use Blame::{After, Exactly, Hang, Lock, Named, Nobody, Pc, Stack, Stall};
    use Class as C;
    use Role::{Begin, Prelude, Rest};
    use Severity::{Error, Fatal, Notice, Warning};
    &[
        // Sanitizers.
        (r"BUG: KASAN: (?:double-free or )?invalid-free in (?P<at>\S+)", C::Kasan, Error, "KASAN: invalid-free", Named, FREE, Begin),
        (r"BUG: KASAN: double-free in (?P<at>\S+)", C::Kasan, Error, "KASAN: double-free", Named, FREE, Begin),
        (r"BUG: KASAN: ([a-z-]+)(?: \([^)]*\))? (?:in (?P<at>\S+)|on )", C::Kasan, Error, "KASAN: $1 ${access}", Named, "", Begin),
        (r"BUG: KASAN: (?:maybe )?([a-z -]+)", C::Kasan, Error, "KASAN: $1", Stack, "", Begin),
        (r"BUG: KMSAN: ([a-z-]+) in (?P<at>\S+)", C::Kmsan, Error, "KMSAN: $1", Named, "usb_|urb|kmsan|copy_|kernel_init_pages", Begin),
        (r"BUG: KCSAN: ([a-z-]+) in (\S+) / (\S+)", C::Kcsan, Error, "KCSAN: $1 in $2 / $3", Nobody, "", Begin),
        (r"BUG: KCSAN: ([a-z-]+) in (?P<at>\S+)", C::Kcsan, Error, "KCSAN: $1", Named, "", Begin),
        (r"BUG: KCSAN: (.*)", C::Kcsan, Error, "KCSAN: $1", Nobody, "", Begin),
        (r"BUG: KFENCE: ([a-z -]+?) in (?P<at>\S+)", C::Kfence, Error, "KFENCE: $1", Named, FREE, Begin),
        (r"BUG: KFENCE: ([a-z -]+)", C::Kfence, Error, "KFENCE: $1", Stack, FREE, Begin),
        (r"UBSAN: [Uu]ndefined behaviour in (\S+)", C::Ubsan, Error, "UBSAN: undefined-behaviour", Stack, "ubsan|overflow", Begin),
        (r"UBSAN: ([a-z-]+) in (\S+)", C::Ubsan, Error, "UBSAN: $1", Stack, "ubsan|overflow", Begin),
        // Locks: what it was called up to 4.14 and since.
        (r"(?:INFO|WARNING|BUG): possible circular locking dependency detected", C::Lockdep, Error, "possible deadlock", Lock("is trying to acquire lock"), "", Begin),
        (r"(?:INFO|WARNING|BUG): possible irq lock inversion dependency detected", C::Lockdep, Error, "possible deadlock", Lock("just changed the state of lock"), "", Begin),
        (r"(?:INFO|WARNING|BUG): (?:SOFT|HARD)IRQ-(?:READ-)?safe -> (?:SOFT|HARD)IRQ-(?:READ-)?unsafe lock order", C::Lockdep, Error, "possible deadlock", After("irq-safe at:"), "", Begin),
        (r"(?:INFO|WARNING|BUG): possible recursive locking detected", C::Lockdep, Error, "possible deadlock", Lock("is trying to acquire lock"), "", Begin),
        (r"(?:INFO|WARNING|BUG): inconsistent lock state", C::Lockdep, Error, "inconsistent lock state", Lock("takes"), "kmem_|slab_", Begin),
        (r"(?:INFO|WARNING|BUG): [Ii]nvalid wait context", C::Lockdep, Error, "WARNING: locking bug", Stack, "lock_sock|release_sock", Begin),
        (r"(?:INFO|WARNING|BUG): Nested lock was not taken", C::Lockdep, Error, "WARNING: nested lock was not taken", Lock("is trying to lock"), "", Begin),
        (r"(?:INFO|BUG|WARNING): bad unlock balance detected", C::Lockdep, Error, "WARNING: bad unlock balance", Lock("is trying to release lock"), "", Begin),
        (r"(?:BUG|WARNING): held lock freed", C::Lockdep, Error, "BUG: held lock freed", Lock("is freeing memory"), "", Begin),
        (r"(?:BUG|WARNING): lock held when returning to user space", C::Lockdep, Error, "WARNING: lock held when returning to user space", Lock("with locks still held"), "", Begin),
        (r"(?:BUG|WARNING): .* still has locks held", C::Lockdep, Error, "WARNING: still has locks held", Lock("lock held by|locks held by"), "", Begin),
        (r"(?:INFO|WARNING): suspicious RCU usage", C::Rcu, Error, "WARNING: suspicious RCU usage", Stack, "rcu|kmem|slab|k[mcz]alloc|vmalloc", Begin),
        (r"INFO: trying to register non-static key", C::Lockdep, Error, "INFO: trying to register non-static key", Stack, "stack|lock|IRQ", Begin),
        (r"BUG: (spinlock|rwlock|rt-mutex|mutex) (lockup suspected|already unlocked|recursion|bad magic|wrong owner|wrong CPU|trylock failure|uninitialized|cpu recursion|lockup)", C::Lockdep, Error, "BUG: $1 $2", Stack, "spin_|rwlock|rw_", Begin),
        (r"BUG: MAX_(\w+) too low", C::Lockdep, Error, "BUG: MAX_$1 too low!", Nobody, "", Begin),
        // Where sleeping is not allowed.
        (r"BUG: sleeping function called from invalid context", C::Atomic, Error, "BUG: sleeping function called from invalid context", Stack, "", Begin),
        (r"BUG: scheduling while atomic", C::Atomic, Error, "BUG: scheduling while atomic", Stack, "schedule|cond_resched|_cond|preempt_|do_nanosleep|hrtimer_nanosleep|wait_for|timeout|rcu_|retint|ret_", Begin),
        (r"BUG: using (\w+)\(\) in preemptible", C::Atomic, Error, "BUG: using $1() in preemptible code", Stack, "preempt", Begin),
        (r"BUG: workqueue leaked (?:lock or atomic|atomic, lock or RCU)", C::Atomic, Error, "BUG: workqueue leaked lock or atomic", After("last function:"), "", Begin),
        // Stalls.
        (r"BUG: soft lockup", C::Stall, Error, "BUG: soft lockup", Stall, "", Begin),
        (r"(?i)watchdog detected hard lockup|detected hard LOCKUP", C::Stall, Error, "hard lockup", Stall, "", Begin),
        (r"BUG: workqueue lockup", C::Stall, Error, "BUG: workqueue lockup", Nobody, "", Begin),
        (r"INFO: rcu\w* (?:self-)?detected (?:expedited )?stall", C::Stall, Error, "INFO: rcu detected stall", Stall, "rcu", Begin),
        (r"rcu\w* kthread (?:starved|timer wakeup didn't happen) for", C::Stall, Error, "INFO: rcu kthread starved", Nobody, "", Rest),
        (r"INFO: task .*blocked (?:in I/O wait )?for more than|^.*:\d+ blocked (?:in I/O wait )?for more than \d+ seconds", C::Hang, Error, "INFO: task hung", Hang, "", Begin),
        (r"INFO: task .* can't die for more than", C::Hang, Error, "INFO: task can't die", Hang, "", Begin),
        (r"unregister_netdevice: waiting for \S+ to become free", C::Reference, Error, "unregister_netdevice: waiting for DEV to become free", Nobody, "", Begin),
        (r"VFS: Busy inodes after unmount", C::Reference, Error, "VFS: Busy inodes after unmount", Nobody, "", Begin),
        (r"VFS: Close: file count is (?:0|zero)", C::Reference, Error, "VFS: Close: file count is zero (use-after-free)", Nobody, "", Begin),
        (r"BUG: Dentry .* still in use .*\[(?P<at>unmount) of", C::Reference, Error, "BUG: Dentry still in use", Named, "", Begin),
        // Memory.
        (r"BUG: (?:\S+ )?stack guard page was hit", C::Stack, Fatal, "BUG: stack guard page was hit", Stall, "", Begin),
        (r"Insufficient stack space to handle exception|kernel stack overflow", C::Stack, Fatal, "kernel stack overflow", Stall, "panic_bad_stack|handle_bad_stack|bad_stack", Rest),
        (r"Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: (?P<at>\S+)", C::Stack, Fatal, "kernel panic: stack is corrupted", Named, "stack_chk", Begin),
        (r"Kernel panic - not syncing: corrupted stack end", C::Stack, Fatal, "kernel panic: corrupted stack end", Stall, "schedule|retint_kernel|preempt", Begin),
        (r"BUG: Bad page (state|map|cache)", C::Page, Error, "BUG: Bad page $1", Stack, "sk_skb_reason|bad_page|check_(?:new|free)_pages?|.*free_(?:pages|unref|one|page|frozen|folio)|get_page_from|prep_new_page|alloc_(?:pages|page|frozen|slab|folio)|rmqueue|page_frag|bad_pte|print_bad|vm_normal|zap_pte|free_pcp|folio_alloc|filemap_alloc|put_page|folio_batch|folios_put|pagevec|skb_|napi_|page_pool", Begin),
        (r"BUG: Bad rss-counter state", C::Page, Error, "BUG: Bad rss-counter state", Nobody, "", Begin),
        (r"BUG: non-zero (\w+) on freeing mm", C::Page, Error, "BUG: non-zero $1 on freeing mm", Nobody, "", Begin),
        (r"^(?:BUG|=* ?BUG) [\w:-]+ \((?:Tainted|Not tainted)[^)]*\): (.*)|^BUG [\w-]+: (.*)", C::Slab, Error, "slab corruption: $1$2", Stack, "slab|object_err|free_|k?free|kmem|check_object|on_freelist|alloc|consistency", Begin),
        (r"INFO: (Allocated|Freed) in ", C::Slab, Error, "slab corruption", Nobody, "", Rest),
        (r"BUG: memory leak", C::MemoryLeak, Error, "memory leak", Stack, ALLOC, Begin),
        (r"kmemleak: \d+ new suspected memory leaks", C::MemoryLeak, Error, "memory leak", Nobody, "", Begin),
        // Faults of the processor in the kernel.
        (r"BUG: unable to handle (?:kernel paging request|page fault)", C::Oops, Fatal, "BUG: unable to handle kernel paging request", Pc, "", Begin),
        (r"(?i)BUG: (?:unable to handle )?kernel NULL pointer dereference", C::Oops, Fatal, "BUG: unable to handle kernel NULL pointer dereference", Pc, "", Begin),
        (r"(?i)unable to handle kernel NULL pointer dereference", C::Oops, Fatal, "BUG: unable to handle kernel NULL pointer dereference", Pc, "", Begin),
        (r"(?i)unable to handle kernel access to user memory", C::Oops, Fatal, "BUG: unable to handle kernel access to user memory", Pc, "", Begin),
        (r"(?i)unable to handle kernel (?:paging request|data access|instruction fetch|read|write|execute|access|pointer dereference|unaligned|bad area)", C::Oops, Fatal, "BUG: unable to handle kernel paging request", Pc, "", Begin),
        (r"(?:Kernel|kernel) attempted to (?:read|write|execute) user (?:page|access)|Bad kernel stack pointer|Bad page fault", C::Oops, Fatal, "BUG: unable to handle kernel access to user memory", Pc, "", Begin),
        (r"BUG: unable to handle kernel *$", C::Oops, Fatal, "BUG: unable to handle kernel", Pc, "", Begin),
        (r"kernel tried to execute NX-protected page", C::Oops, Fatal, "BUG: unable to handle kernel paging request", Pc, "", Prelude),
        (r"^(?:Oops: )?general protection fault.*\[#\d+\]|^general protection fault: [0-9a-f]{4}|^general protection fault[ ,:]*$", C::Oops, Fatal, "general protection fault", Pc, "", Begin),
        (r"PANIC: double fault|traps: PANIC: double fault", C::Oops, Fatal, "PANIC: double fault", Exactly, "", Rest),
        (r"Unhandled fault: ", C::Oops, Fatal, "Unhandled fault", Pc, "", Begin),
        // `BUG()`.
        (r"rust_kernel: panicked at (\S+?):(\d+)", C::Rust, Fatal, "rust panic", Stack, "", Begin),
        (r"kernel BUG at \S*rust/helpers/", C::Rust, Fatal, "rust panic", Stack, "", Rest),
        (r"[Kk]ernel BUG at \S*mm/usercopy\.c:\d+", C::Object, Fatal, "BUG: bad usercopy", Stack, "usercopy|__check", Begin),
        (r"[Kk]ernel BUG at \S*lib/list_debug\.c:\d+", C::List, Fatal, "BUG: corrupted list", Stack, "", Begin),
        (r"[Kk]ernel (?:BUG|bug) at (\S+:\d+)", C::Bug, Fatal, "kernel BUG", Pc, "skb_(?:panic|over|under)|k?v?free$|vfree|slab_|kmem_|phys_addr|object_err", Begin),
        (r"[Kk]ernel BUG at |Kernel bug at ", C::Bug, Fatal, "kernel BUG", Pc, "", Begin),
        // `WARN()`, by the part of the kernel that it is about.
        (r"WARNING: .*\blib/debugobjects\.c", C::Object, Error, "WARNING: ODEBUG bug", Stack, DEBUG, Begin),
        (r"WARNING: .*\bmm/usercopy\.c", C::Object, Error, "WARNING: bad usercopy", Stack, "usercopy|__check", Begin),
        (r"WARNING: .*\blib/kobject(?:_uevent)?\.c", C::Object, Error, "WARNING: kobject bug", Stack, "kobject_", Begin),
        (r"WARNING: .*\bfs/proc/generic\.c.* proc_register", C::Object, Error, "WARNING: proc registration bug", Stack, "proc_", Begin),
        (r"WARNING: .*\blib/refcount\.c", C::Refcount, Error, "WARNING: refcount bug", Stack, "refcount|kobject_", Begin),
        (r"WARNING: .*\bkernel/locking/lockdep\.c", C::Lockdep, Error, "WARNING: locking bug", Stack, "lock_sock|release_sock", Begin),
        (r"WARNING: .*\bmm/vmalloc\.c.*__vmalloc_node_range", C::Warning, Warning, "WARNING: zero-size vmalloc", Stack, "vmalloc|kvmalloc", Begin),
        (r"WARNING: .*\bmm/[\w/]+\.c\S* .*\bk?\w{0,2}?malloc", C::Warning, Warning, "WARNING: kmalloc bug", Stack, "kv?[mczr]alloc|krealloc|kvrealloc|vmalloc|slab|kmem|.*alloc_(?:page|node)|alloc_|do_kmalloc", Begin),
        (r"WARNING: .*\busb_submit_urb", C::Warning, Warning, "WARNING in ${function}/usb_submit_urb", Stack, "usb_", Begin),
        (r"WARNING: (?:\[.*\] )?(?:CPU: \S+ PID: \S+ )?(?:at )?\S+:\d+ (?:at )?(?P<at>[\w.]+)", C::Warning, Warning, "WARNING", Named, "alloc_|get_free_page|k?v?[mczr]alloc|free_pages", Begin),
        (r"WARNING: CPU: ", C::Warning, Warning, "WARNING", Pc, "", Begin),
        (r"WARNING: kernel stack (?:regs|frame pointer) .* has bad ", C::Stack, Warning, "WARNING: kernel stack regs has bad value", Nobody, "", Begin),
        (r"^(?:[\w-]+ [\w.:-]+: )?WARNING: (\S.*)", C::Warning, Warning, "WARNING: $1", Nobody, "", Begin),
        // `die()` of the arches: most follow one of the above.
        (r"^(?:Oops: )?divide error: ", C::Oops, Fatal, "divide error", Exactly, "", Rest),
        (r"^(?:Oops: )?stack segment: ", C::Oops, Fatal, "stack segment fault", Pc, "", Begin),
        (r"^(?:Oops: )?invalid opcode: ", C::Oops, Fatal, "invalid opcode", Pc, "", Rest),
        (r"^(?:Oops: )?(int3|alignment check|bounds|overflow|debug|coprocessor error|invalid TSS|segment not present|control protection|fixup|unexpected kernel exception)[ :].*\[#\d+\]", C::Oops, Fatal, "$1", Pc, "", Rest),
        (r"Internal error: ", C::Oops, Fatal, "Internal error", Pc, "", Rest),
        (r"(?i)^(kernel bug) detected|^(kernel bug) \[#\d+\]|: (kernel bug) (?:\d+|\(code \d+\))", C::Bug, Fatal, "kernel BUG", Pc, "", Rest),
        (r"^Oops - BUG", C::Bug, Fatal, "kernel BUG", Pc, "", Rest),
        (r"BAD KERNEL TRAP: ", C::Oops, Fatal, "bad kernel trap", Pc, "", Begin),
        (r"^(?:\S+\(\d+\): )?(?:Oops(?: - |: )?)?(.{0,60}?)(?::? [0-9a-f]{1,16})?(?: ilc:\d+)?,?(?: sig: \d+)? ?\[#\d+\]", C::Oops, Fatal, "Oops: $1", Pc, "", Rest),
        (r"\bOops[: ]|^Kernel Fault: |\(pid \d+\): .* \(code \d+\)", C::Oops, Fatal, "Oops", Pc, "", Rest),
        (r"Failed to execute /\S+ \(error (?P<error>-\d+)\)", C::Panic, Fatal, "Failed to execute init (error ${error})", Nobody, "", Begin),
        // Panics that say why; the others follow what they are the end of.
        (r"Kernel panic - not syncing: VFS: Unable to mount root fs", C::Panic, Fatal, "kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)", Nobody, "", Begin),
        (r"Kernel panic - not syncing: (Attempted to kill (?:init|the idle task)!)", C::Panic, Fatal, "kernel panic: $1", Nobody, "", Begin),
        (r"Kernel panic - not syncing: (sysrq triggered crash)", C::Panic, Fatal, "kernel panic: $1", Nobody, "", Begin),
        (r"Kernel panic(?: - not syncing)?: ?(.*)", C::Panic, Fatal, "kernel panic: $1", Nobody, "", Rest),
        // Lists, devices, interrupts.
        (r"^irq (?:event )?\d+: nobody cared", C::Bug, Error, "irq: nobody cared", Nobody, "", Begin),
        (r"refcount_t: (\S.*)\.$", C::Refcount, Error, "refcount_t: $1", Stack, "refcount|kobject_", Prelude),
        // User space.
        (r"^(\S+)\[\d+\]: segfault (?:at|\(11\) at)|^(\S+)\[\d+\]: (?:unhandled|potentially unexpected fatal) signal|potentially unexpected fatal signal \d+|^(\S+)/\d+: potentially unexpected fatal signal", C::Segfault, Notice, "segfault of $1$2$3", Nobody, "", Begin),
        (r"^Out of memory(?: \([^)]*\))?: Kill", C::OutOfMemory, Notice, "out of memory", Nobody, "", Begin),
        (r"^(?:\[ )?BUG: (\S.*?)(?: \])?$", C::Bug, Error, "BUG: $1", Stack, "", Begin),
        (r"^(?:BUG|INFO):\s*$", C::Bug, Error, "BUG", Nobody, "", Begin),
    ]
};

/// Panics that end what another line has begun.
static END: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"not syncing: (?:panic_on_warn set|kernel: panic_on_\w+ set|Fatal exception|Fatal error|Oops|hung_task: blocked tasks|softlockup: hung tasks|Hard LOCKUP|RCU Stall|Fatal|",
        r"Machine halted|kernel stack overflow$|Unrecoverable|Aiee, killing interrupt handler|Asynchronous SError|UBSAN: panic_on_warn|KASAN: panic_on_warn|scheduling while atomic)",
    ))
});

/// What no line without has to be looked at for.
static CANDIDATE: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"BUG|WARNING: |INFO:|UBSAN: |[Ll]ockup|LOCKUP|blocked (?:in|for)|kthread starved|wakeup didn't happen|unregister_netdevice: |VFS: (?:Busy|Close)|stack space|stack overflow|Kernel panic|suspected memory leaks",
        r"|nable to handle kernel|attempted to|Bad kernel|Bad page fault|NX-protected|general protection|double fault|Unhandled fault|panicked at|ernel (?:bug|Bug)|\[#\d|Internal error|KERNEL TRAP|Oops",
        r"|Kernel Fault|\(code \d|nobody cared|Failed to execute /|refcount_t: |segfault |fatal signal|unhandled signal|Out of memory|divide error: |stack segment: |invalid opcode: ",
    ))
});

/// What looks like a header and is none.
static INNOCENT: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"DEBUG:|INFO: lockdep is turned off|Stall ended before|INFO: NMI handler|INFO: recovery required|took too long|_INFO::|[Cc]ommand line: |end Kernel panic|---\[ end |WARNING: workqueue cpumask|BUG: none",
        r"|^WARNING: /|panic_on_oops|oops=panic|Linux version|INFO: Slab|INFO: Object|INFO: Freed by|Rebooting in|BUG: no syscalls|traps: \S+\[|WARNING: Unknown symbol|with crashkernel",
    ))
});

static HEADERS: LazyLock<Vec<Header>> = LazyLock::new(|| {
    ROWS.iter()
        .map(
            |(pattern, class, severity, title, blame, skip, role)| Header {
                pattern: regex(pattern),
                class: *class,
                severity: *severity,
                title,
                blame: *blame,
                skip: (!skip.is_empty()).then(|| regex(&format!("^_*(?:{skip})"))),
                role: *role,
            },
        )
        .collect()
});

/// Whether `line` is worth a closer look.
pub(super) fn may_be(line: &str) -> bool {
    CANDIDATE.is_match(line)
}

/// The header that `line` is, with what it says.
pub(super) fn header(line: &str) -> Option<(&'static Header, Captures<'_>)> {
    if !may_be(line) || INNOCENT.is_match(line) {
        return None;
    }
    // Nearly all say no: that is cheaper to ask than what they caught.
    let header = HEADERS
        .iter()
        .find(|header| header.pattern.is_match(line))?;
    Some((header, header.pattern.captures(line)?))
}

/// Whether `line` only ends what was told before.
pub(super) fn is_end(line: &str) -> bool {
    END.is_match(line)
}
