//! Lines by which a kernel says that it failed, and what tells one failure from another.

use std::sync::LazyLock;

use regex::Regex;

/// The start of a panic; nothing useful comes after its trace.
pub(super) const PANIC: &str = "Kernel panic - not syncing";

/// The kernel's own words, arch by arch (groeck/linux-build-test `common.sh`, and the kernel's
/// `die`, `hung_task.c`, `tree_stall.h`, `watchdog.c`).
static FAILURE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"Kernel panic - not syncing|\bOops\b.*[:#]|\bBUG: |\bkernel BUG at |Internal error: ",
        r"|Unable to handle kernel |general protection fault|\[\d+\]: segfault |\bsegfault at ",
        r"|Cannot open root device|Unable to mount root fs|Failed to execute /init ",
        r"|INFO: task .* blocked for more than|INFO: rcu\w* .*detected .*stall",
    ))
    .expect("a constant expression")
});

/// Where it happened, as x86, arm, alpha, arm64, mips and riscv, powerpc, m68k, sparc64 and parisc
/// print it.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?:RIP: [0-9a-f]+:|EIP: |PC is at |pc is at |pc : |epc *: (?:[0-9a-f]{8,} )?|NIP \[[0-9a-f]+\] ",
        r"|PC: \[<[0-9a-f]+>\] |TPC: <| *IAOQ\[0\]: )([A-Za-z_][\w.]*)\+0x",
    ))
    .expect("a constant expression")
});

/// What differs between two runs of the same failure.
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b|\d+").expect("a constant expression")
});

/// Whether the kernel says with `line` that it failed.
pub(super) fn is_failure(line: &str) -> bool {
    !ends_trace(line) && FAILURE.is_match(line)
}

/// Whether the kernel warns with `line`.
pub(super) fn is_warning(line: &str) -> bool {
    line.starts_with("WARNING: ")
}

/// Whether `line` ends the registers and the call trace of a failure.
pub(super) fn ends_trace(line: &str) -> bool {
    line.starts_with("---[ end ")
}

/// `line` without numbers and addresses, and the function of the kernel that `trace` names.
pub(super) fn signature(line: &str, trace: &[String]) -> String {
    let line = VARIABLE.replace_all(line, "N");
    match trace.iter().find_map(|line| PLACE.captures(line)) {
        Some(place) => format!("{line} in {}", &place[1]),
        None => line.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_many_arches() {
        let lines = [
            "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
            "BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "kernel BUG at fs/inode.c:12!",
            "Oops: 0002 [#1] PREEMPT SMP",
            "Internal error: Oops: 96000044 [#1] SMP ARM",
            "Unable to handle kernel paging request at virtual address dead4ead",
            "general protection fault, probably for non-canonical address 0xdead: 0000 [#1]",
            "suite[31]: segfault at 0 ip 0000 sp 0000 error 4 in suite[400000+1000]",
            "suite[31]: segfault (11) at 0 nip 10000 lr 1000 code 1 in suite[1000+1000]",
            "VFS: Cannot open root device \"\" or unknown-block(0,0): error -6",
            "INFO: task kworker/0:1:7 blocked for more than 122 seconds.",
            "rcu: INFO: rcu_sched self-detected stall on CPU",
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [suite:31]",
        ];
        for line in lines {
            assert!(is_failure(line), "{line}");
        }
    }

    #[test]
    fn what_is_no_failure() {
        for line in [
            "DEBUG: fine",
            "WARNING: CPU: 0 PID: 1 at kernel/a.c:1",
            "random: crng init done",
            "---[ end Kernel panic - not syncing: Attempted to kill init! ]---",
            "oops=panic",
            "Linux version 6.1 (Oops@host)",
        ] {
            assert!(!is_failure(line), "{line}");
        }
        assert!(is_warning("WARNING: CPU: 0 PID: 1 at kernel/a.c:1"));
    }

    #[test]
    fn the_place_as_each_arch_prints_it() {
        let lines = [
            "RIP: 0010:do_thing+0x12/0x20",
            "EIP: do_thing+0x12/0x20",
            "PC is at do_thing+0x12/0x20",
            "pc is at do_thing+0x12/0x20",
            "pc : do_thing+0x12/0x20",
            "epc : do_thing+0x12/0x20",
            "epc   : 80100abc do_thing+0x12/0x20",
            "NIP [c000000000012340] do_thing+0x12/0x20",
            "PC: [<0000abcd>] do_thing+0x12/0x20",
            "TPC: <do_thing+0x12/0x20>",
            " IAOQ[0]: do_thing+0x12/0x20",
        ];
        for line in lines {
            assert_eq!(
                signature("BUG: x", &[line.to_owned()]),
                "BUG: x in do_thing",
                "{line}"
            );
        }
    }

    #[test]
    fn two_runs_of_one_failure_have_one_signature() {
        let trace = |address: &str| {
            vec![
                format!("CPU: 0 PID: 1 Comm: suite at {address}"),
                "RIP: 0010:sysrq_handle_crash+0x12/0x20".to_owned(),
            ]
        };
        let line = "BUG: unable to handle page fault for address: ffff888003c0a000";
        let other = "BUG: unable to handle page fault for address: ffff88800fe01000";
        insta::assert_snapshot!(signature(line, &trace("1")), @"BUG: unable to handle page fault for address: N in sysrq_handle_crash");
        assert_eq!(signature(line, &trace("1")), signature(other, &trace("2")));
    }
}
