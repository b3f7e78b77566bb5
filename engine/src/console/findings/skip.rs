//! Functions that are never at fault: those that report, and the generic helpers that others call wrongly.

use std::sync::LazyLock;

use regex::Regex;

use crate::text::regex;

/// Prints and stops: sanitizers, traps, `WARN()`, unwinding. Leading underscores do not count.
const REPORTING: &str = concat!(
    r"this_cpu_preempt|dump_stack|show_(?:stack|regs|trace)|dump_(?:backtrace|header)|unwind_|walk_stackframe|arch_stack_walk|stack_trace|save_stack|stack_depot|set_track",
    r"|print_|sched_show_task|nmi_cpu_backtrace|nmi_trigger|kernel_text_address|in_lock_functions",
    r"|k?[ac]san|hwasan|k?msan|kcsan|tsan|kfence|ubsan|sanitizer|.*_handle_(?:overflow|out_of_bounds|shift)|handle_overflow|check_memory_region|memory_is_|read_word_at_a_time",
    r"|instrument_|check_region_inline|kcov|cfi_|v?panic$|nmi_panic|check_panic_on_warn|stack_chk_fail|die$|die_|oops_|arm_notify_die|report_|handle_bug|fixup_bug|warn_|warn$|.*_warn$",
    r"|bug_handler|bug_brk_handler|brk_handler|call_break_hook|exc_|asm_exc_|do_error|error_entry|error_code|common_exception|invalid_op|do_invalid_op|do_trap|do_general_protection",
    r"|general_protection$|do_debug_exception|do_mem_abort|do_translation_fault|do_bad_area|do_kernel_fault|do_tag_(?:check|recovery)|do_page_fault|page_fault$|no_context|bad_area|do_user_addr_fault|do_kern_addr_fault",
    r"|page_fault_oops|kernelmode_fixup|el[01]t?h?_|el[01]$|vectors$|die_kernel_fault|do_alignment_fault|do_sea|call_undef_hook|do_undefinstr|(?:dabt|pabt|und|irq)_(?:svc|usr)|do_DataAbort|do_PrefetchAbort|bad_mode",
    r"|program_check|interrupt_return|ret_from_exception|handle_exception|do_(?:bp|ri|tr|ade|cpu|watch|reserved)$|pgm_check|kernel_bug|trap_handler|handle_interruption",
    r"|rustc::|rust_(?:begin_unwind|helper|panic)|core::|alloc::",
    r"|perf_trace|trace_event_raw|trace_hardirqs|trace_contention|lockdep|debug_(?:object|print|check|locks|mutex|dma|active)|check_(?:flush_dependency|wait_context|preemption)|dma_debug",
    r"|dev_(?:info|notice|warn|err|alert|crit|emerg|v?printk)|va_format|netdev_(?:err|warn|info|printk)|(?:v|_)?printk|sn?printf|v?sc?n?printf|k?v?asprintf|number$|string$|string_nocheck$|pointer$|format_decode|widen_string|device_state_|should_fail",
);

/// Called by everybody: locks, memory and strings, lists, counters, user copies, checksums.
const GENERIC: &str = concat!(
    r"lock_(?:acquire|release|acquired|is_held|class|downgrade|contended|set_|pin|unpin|timer_base)|reacquire_held_locks|register_lock_class|assign_lock_key|look_up_lock_class|mark_(?:lock|held|usage)|validate_chain|find_held_lock|local_bh|softirqs_",
    r"|(?:do_)?(?:raw_)?(?:spin|read|write)_(?:try)?(?:un)?lock|(?:spin|rwlock|rw)_(?:bug|dump)|(?:native_)?queued_(?:spin|read|write)|pv_(?:queued|wait|hybrid)|debug_(?:spin|write|read)|virt_spin|raw_spin",
    r"|down(?:_read|_write|_trylock|_killable|_interruptible|_timeout|_common)*$|down_(?:read|write)_|up(?:_read|_write)?$|rwsem_|mutex_|ww_mutex|rt_mutex|task_blocks_on_rt|osq_|seqprop_|seqcount|percpu_(?:down|up)|bit_spin|wake_up|rwbase",
    r"|mem(?:cpy|cmp|set|chr|move|scan|dup|zero|_cpy)|str(?:cmp|ncmp|casecmp|ncasecmp|cpy|lcpy|ncpy|scpy|len|nlen|nstr|str|chr|rchr|chrnul|nchr|sep|spn|cspn|pbrk|cat|ncat|lcat|im|reverse|ends|ndup|dup|_has)|kstr(?:dup|ndup|to)|sized_strscpy|hex_(?:dump|to|string)|fortify_|bcmp",
    r"|crc(?:_|\d|c|e)|crc32|jhash|hash_(?:long|32|64|ptr|len|string|name|update|final)|full_name_hash|siphash|sha\d|aes|aes_|csum_|skcipher|crypto_|drbg_|rng_|cipher_|xts_|cbc_|ecb_|ctr_|gcm_|ccm_|chacha|poly1305|blake2|xxh|lzo|lz4|zstd|zlib|inflate",
    r"|(?:raw_)?copy_(?:to|from)_|copy_(?:in|out)|copyin|copyout|copy_page|(?:get|put|clear|strncpy_from|strnlen)_user|arm_(?:copy|clear)|iterate_and|iov_iter_(?:copy|fault)|copy_(?:page_)?(?:to|from)_iter|might_(?:fault|sleep|resched|alloc)|check_(?:object_size|heap_object|stack_object|copy_size)|usercopy|access_ok|user_access|memcpy_",
    r"|h?list_(?:add|del|empty|move|splice|replace|unhashed|is_|first|entry|for_each|bl_)|h?list_nulls|list_in_list|rb_(?:erase|insert|next|first|prev|link|set_)|rhashtable|rht_|plist|llist|klist|xa_|xas_|radix_tree|idr_|ida_|mas_|mt_|interval_tree|timerqueue_(?:iterate)|lru_",
    r"|(?:arch_|raw_)?atomic|instrument|refcount|kref_|ref_tracker|percpu_ref|(?:arch_|const_|variable_|constant_)?(?:test|set|clear|change)_(?:and_(?:set|clear|change)_)?bit|_?find_(?:next|first|last)_(?:and_)?(?:zero_)?bit|bitmap_|cpumask_|nodes_",
    r"|(?:hr)?timer_(?:delete|init|is_static|setup|del)|del_timer|try_to_del|hrtimer_(?:try|cancel|active)|timerqueue_(?:add)|add_timer|work_is_static|(?:queue|mod)_(?:work|delayed)|schedule_(?:work|delayed)|insert_work|sk_(?:stop|reset)_timer|complete(?:_all)?$|wait_for_(?:completion|common)|do_wait_for|(?:flush|cancel|drain|destroy)_(?:work|delayed|workqueue|rcu_work)|(?:__)?cancel_work|try_to_grab_pending|start_flush|finish_wait|kthread_stop|kthread_(?:flush|cancel)",
    r"|dpm_|kobject_|kobj_|kset_|add_uevent|get_device$|put_device$|get_device_parent|device_(?:add|del|unregister|destroy|initialize|for_each|remove_file|private|release)|sysfs_remove|sysfs_(?:create|add)|cdev_device_del|klist_|driver_detach|bus_remove|device_release_driver|really_probe|tty_unregister_device|unregister_netdev|rollback_registered|hwrng_unregister|i2c_del_adapter",
    r"|usb_(?:submit|kill|start_wait|bulk|interrupt|control|hcd_submit|poison|unlink)|dummy_urb|urb_destroy",
    r"|_?indirect_thunk|srso_|retbleed|x86_indirect|static_call|ftrace|bpf_trampoline|entry_|mcount|fentry|kprobe|optimized_callback",
    r"|(?:p?skb|p?skb)_(?:put|pull|push|trim|reserve|over_panic|under_panic|panic|may_pull|expand)|kfree_skb|consume_skb|unlock_page|lock_page|folio_(?:un)?lock|end_page|folio_end|k?v?realloc|cleanup_srcu|fast_dput|dput$|iput$|page_(?:to_|ref_)|put_page|folio_(?:put|get|try)|virt_to_|phys_to|phys_addr|debug_virt|virt_addr_valid",
);

static NEVER: LazyLock<Regex> = LazyLock::new(|| regex(&format!("^_*(?:{REPORTING}|{GENERIC})")));

/// Whether `function` is never at fault.
pub(super) fn never(function: &str) -> bool {
    NEVER.is_match(function)
}

/// Where a task or processor that hangs came from: what is called by these tells hangs apart, as what is on top differs each time.
const ANCHORS: &str = concat!(
    // Entries from user space, and what the kernel runs by itself.
    r"process_one_work|do_syscall_|do_(?:fast|int80)_syscall|do_int80|sysenter_|tracesys|el0_svc|invoke_syscall|ret_fast_syscall|system_call|syscall_(?:common|exit)|do_trap_ecall|handle_sys|linux_sparc_syscall|syscall_exit",
    r"|_*netif_receive_skb|_*do_softirq|handle_softirqs|softirq|call_timer_fn|_*run_timers|run_timer|run_ksoftirqd|hrtimer_run_softirq|smpboot_thread_fn|kthread|start_secondary|cpu_startup_entry|ret_from_fork|entry_SYSCALL|entry_INT",
    // System calls that do what the file, socket or device behind them does.
    r"|(?:do_)?vfs_(?:write|read|iter|ioctl|open|writev|readv)|ksys_ioctl|rtnetlink_rcv_msg|genl_rcv_msg|genl_family_rcv|netlink_dump|do_iter_|blkdev_(?:driver_)?ioctl|call_(?:read|write|mmap)|new_sync_(?:read|write)|mmap_region|do_mmap|do_dentry_open",
    r"|sock_(?:sendmsg|recvmsg|release|mmap|do_ioctl|ioctl|common_setsockopt|write_iter|read_iter)|_*sock_(?:sendmsg|release)|compat_sock_ioctl|_*sys_(?:setsockopt|listen|accept|connect|ioctl|bind)|kernel_(?:setsockopt|listen|accept)|sk_common_release|nfnetlink_rcv_msg",
    r"|(?:compat_)?(?:SYSC|SyS|_*sys|_*do_sys|_*se_sys|_*(?:x64|ia32|arm64|riscv|s390x?)_(?:compat_)?sys|ksys)_(?:socketpair|connect|ioctl)",
    // Page faults, and the way back to user space.
    r"|do_fault$|do_page_mkwrite|fput$|task_work_run|exit_to_user|do_exit$|resume_user_mode",
);

static ANCHOR: LazyLock<Regex> = LazyLock::new(|| regex(&format!("^_*(?:{ANCHORS})")));

/// Whether stacks that hang are told apart by what `function` called.
pub(super) fn is_anchor(function: &str) -> bool {
    ANCHOR.is_match(function)
}

static WAITING: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"sched|_lock|_slowlock|^_*lock|mutex|rwsem|down|completion|kthread|wait|synchronize|context_switch|switch_to|cancel_delayed_work|cancel_work|flush_work|",
        r"^_*percpu_|_*bit_wait|out_of_line|io_schedule|ret_from|rcu_barrier|_timeout|barrier",
    ))
});

/// Whether `function` only waits for others.
pub(super) fn waits(function: &str) -> bool {
    WAITING.is_match(function)
}

/// Locks and grace periods that the whole kernel waits for: a hang is theirs, whoever called.
pub(super) fn held_up_by(function: &str) -> Option<&'static str> {
    let all = [
        ("rtnl_lock", "rtnl_lock"),
        ("rtnl_net_lock", "rtnl_lock"),
        ("synchronize_rcu", "synchronize_rcu"),
        ("synchronize_srcu", "synchronize_rcu"),
        ("synchronize_net", "synchronize_rcu"),
        ("synchronize_sched", "synchronize_rcu"),
        ("__synchronize_srcu", "synchronize_rcu"),
    ];
    all.iter()
        .find(|(begin, _)| function.starts_with(begin))
        .map(|(_, name)| *name)
}

/// The name of a system call, whatever the arch, the bits and the kernel's age put before it: `__x64_sys_mount`, `SyS_mount` and `ksys_mount` are `sys_mount`.
pub(super) fn system_call(function: &str) -> String {
    static BEFORE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:compat_)?(?:SyS|SYSC|ksys|__(?:x64|ia32|x32|arm64|riscv|s390x?|powerpc|se|do)(?:_compat)?_sys|__sys)_(\w+)$",
        )
    });
    match BEFORE.captures(function) {
        Some(found) => format!("sys_{}", &found[1]),
        None => function.to_owned(),
    }
}
