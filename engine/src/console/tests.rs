//! Whole logs, judged. The logs are of real boots (a small `x86_64` kernel on QEMU), without the long
//! middle of the kernel's own start.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::BootResults;
use super::BootVerdict;
use super::Console;
use super::End;
use crate::model::Judging;
use crate::model::Severity;

fn log(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/console");
    fs::read(folder.join(name)).expect("the log is in the repository")
}

fn judge(bytes: &[u8], end: End) -> BootResults {
    let mut console = Console::new(Judging::default());
    console.push(bytes);
    console.finish(end, "")
}

fn summary(results: &BootResults) -> String {
    let BootResults {
        verdict,
        reason,
        signature,
        remark,
        tests,
        findings,
        warnings,
        ..
    } = results;
    let mut text = format!("{verdict:?}: {reason}\nsignature: {signature}\nwarnings: {warnings}\n");
    if !remark.is_empty() {
        let _ = writeln!(text, "remark: {remark}");
    }
    for test in tests {
        let _ = writeln!(text, "{:?} {} {:?}", test.result, test.name, test.detail);
    }
    for finding in findings {
        let _ = writeln!(
            text,
            "{}: {} (line {}, {} lines)",
            finding.severity.word(),
            finding.title,
            finding.first_line,
            finding.lines.len()
        );
    }
    text
}

fn said(text: &str, end: End) -> String {
    let results = judge(text.as_bytes(), end);
    format!("{:?}: {}", results.verdict, results.reason)
}

#[test]
fn a_boot_that_passed() {
    let results = judge(&log("passed.log"), End::Exited(0));
    insta::assert_snapshot!(summary(&results), @r#"
    Succeeded: 
    signature: 
    warnings: 0
    Pass proc_version ""
    Pass uname_matches_proc_version ""
    Pass proc_cpuinfo ""
    Pass proc_meminfo ""
    Pass dev_null_and_zero ""
    Pass fork_and_wait ""
    Pass pipes ""
    Pass signals ""
    Pass mmap_and_mprotect ""
    Pass monotonic_clock ""
    Pass tmpfs_files ""
    Pass sysfs ""
    "#);
    insta::assert_snapshot!(results.kernel_version, @"Linux version 6.1.192 (root@vm) (gcc (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #2 Sun Nov 22 21:19:49 UTC 2026");
}

#[test]
fn a_crash_of_the_kernel() {
    let results = judge(&log("panic.log"), End::Exited(0));
    insta::assert_snapshot!(serde_json::to_string_pretty(&results).expect("plain data"), @r#"
    {
      "format": 2,
      "verdict": "failed",
      "reason": "kernel panic: sysrq triggered crash",
      "signature": "kernel panic: sysrq triggered crash",
      "remark": "",
      "tests": [],
      "findings": [
        {
          "class": "panic",
          "severity": "fatal",
          "title": "kernel panic: sysrq triggered crash",
          "function": "",
          "module": "",
          "place": null,
          "taint": "",
          "signature": "kernel panic: sysrq triggered crash",
          "count": 1,
          "first_line": 30,
          "lines": [
            "Kernel panic - not syncing: sysrq triggered crash",
            "CPU: 0 PID: 16 Comm: suite Not tainted 6.1.192 #2",
            "Call Trace:",
            " <TASK>",
            " ? dump_stack_lvl+0x19/0x23",
            " ? panic+0xf3/0x24c",
            " ? sysrq_handle_crash+0xc/0xc",
            " ? __handle_sysrq+0x84/0xf7",
            " ? write_sysrq_trigger+0x26/0x2e",
            " ? proc_reg_write+0x61/0x73",
            " ? vfs_write+0x9b/0x157",
            " ? free_unref_page+0x80/0xb3",
            " ? ksys_write+0x66/0x97",
            " ? do_syscall_64+0x39/0x46",
            " ? entry_SYSCALL_64_after_hwframe+0x4b/0xb5"
          ]
        }
      ],
      "warnings": 0,
      "kernel_version": "Linux version 6.1.192 (root@vm) (gcc (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #2 Sun Nov 22 21:19:49 UTC 2026"
    }
    "#);
}

#[test]
fn a_kernel_without_init() {
    insta::assert_snapshot!(summary(&judge(&log("no_init.log"), End::Exited(0))), @r"
    Failed: kernel panic: No working init found. Try passing init= option to kernel. See Linux Documentation/admin-guide/init.rst for guidance.
    signature: kernel panic: No working init found. Try passing init= option to kernel. See Linux Documentation/admin-guide/init.rst for guidance.
    warnings: 0
    fatal: kernel panic: No working init found. Try passing init= option to kernel. See Linux Documentation/admin-guide/init.rst for guidance. (line 28, 10 lines)
    ");
}

/// A Thumb program on an arm kernel without `ARM_THUMB`.
#[test]
fn an_init_for_another_machine() {
    insta::assert_snapshot!(summary(&judge(&log("wrong_arch.log"), End::Exited(0))), @r"
    Failed: Failed to execute init (error -8)
    signature: Failed to execute init (error -8)
    warnings: 0
    fatal: Failed to execute init (error -8) (line 10, 1 lines)
    ");
}

/// Open Firmware, lines that end in CR CR LF, and a machine that cannot reboot.
#[test]
fn a_boot_of_sparc64() {
    insta::assert_snapshot!(summary(&judge(&log("sparc64.log"), End::Killed)), @r#"
    Succeeded: 
    signature: 
    warnings: 0
    Pass proc_version ""
    Pass uname_matches_proc_version ""
    Pass proc_cpuinfo ""
    Pass proc_meminfo ""
    Pass dev_null_and_zero ""
    Pass fork_and_wait ""
    Pass pipes ""
    Pass signals ""
    Pass mmap_and_mprotect ""
    Pass monotonic_clock ""
    Pass tmpfs_files ""
    Pass sysfs ""
    "#);
}

#[test]
fn a_suite_that_crashes() {
    insta::assert_snapshot!(summary(&judge(&log("segfault.log"), End::Exited(0))), @r#"
    Failed: suite was killed by signal 11
    signature: suite killed by signal 11
    warnings: 0
    Pass before ""
    notice: segfault of suite (line 29, 2 lines)
    fatal: suite killed by signal 11 (line 0, 0 lines)
    "#);
}

#[test]
fn a_suite_that_hangs() {
    insta::assert_snapshot!(summary(&judge(&log("hang.log"), End::Silence)), @r#"
    Failed: hung after: ok 1 before
    signature: hung after: ok NUM before
    warnings: 0
    Pass before ""
    "#);
}

#[test]
fn lines_torn_by_printk() {
    insta::assert_snapshot!(summary(&judge(&log("torn.log"), End::Exited(0))), @r#"
    Failed: test `second # too slow` failed: comment goes on
    signature: test `second # too slow` failed: comment goes on
    warnings: 1
    Pass first ""
    Fail second # too slow "comment goes on"
    Skip third "no clock"
    warning: WARNING (line 31, 1 lines)
    "#);
}

#[test]
fn reasons_of_machines_that_stop_early() {
    let ends = [
        End::Exited(0),
        End::Exited(1),
        End::Killed,
        End::Silence,
        End::Total,
    ];
    let silent: Vec<String> = ends.iter().map(|end| said("", *end)).collect();
    insta::assert_snapshot!(silent.join("\n"), @r#"
    Failed: no console output
    Broken: machine exited with status 1
    Broken: machine was killed
    Failed: no console output
    Failed: no console output
    "#);
    let cut = "[    0.1] no stamp\n[    0.100000] PCI: probing\r\n";
    let cut: Vec<String> = ends.iter().map(|end| said(cut, *end)).collect();
    insta::assert_snapshot!(cut.join("\n"), @r#"
    Failed: machine stopped after: PCI: probing
    Failed: machine stopped after: PCI: probing
    Broken: machine was killed
    Failed: hung after: PCI: probing
    Failed: took too long, last line: PCI: probing
    "#);
}

#[test]
fn a_machine_that_never_ran_is_explained_by_its_program() {
    let results =
        Console::new(Judging::default()).finish(End::Exited(1), "qemu: could not load kernel\n");
    assert_eq!(results.verdict, BootVerdict::Broken);
    insta::assert_snapshot!(results.reason, @"machine exited with status 1: qemu: could not load kernel");
}

#[test]
fn reasons_of_suites() {
    let suite = |body: &str, end: &str| {
        said(
            &format!("engine: init reached\nKTAP version 1\n{body}engine: suite {end}\n"),
            End::Killed,
        )
    };
    let all = [
        suite("1..1\nok 1 a\n", "exited 0"),
        suite("1..1\nnot ok 1 a # why\n", "exited 1"),
        suite("1..3\nnot ok 1 a\nnot ok 2 b\nnot ok 3 c\n", "exited 1"),
        suite("1..3\nok 1 a\n", "exited 0"),
        suite("1..1\nok 1 a\n", "exited 2"),
        suite("1..1\n", "killed by signal 11"),
        suite("1..0 # SKIP nothing to do\n", "exited 0"),
        suite(
            "1..1\nok 1 a\n[    1.000000] BUG: sleeping function called from invalid context\n",
            "exited 0",
        ),
        suite("# BUG: is not the kernel's\n", "exited 0"),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    Succeeded: 
    Failed: test `a # why` failed
    Failed: test `a` and 2 more failed
    Failed: 1 of 3 planned tests reported
    Failed: suite exited with status 2
    Failed: suite was killed by signal 11
    Succeeded: 
    Failed: BUG: sleeping function called from invalid context
    Succeeded:
    ");
}

fn captured(log: &str) -> BootResults {
    let mut console = Console::new(Judging::default());
    console.push(log.as_bytes());
    console.captured()
}

#[test]
fn results_and_markers_behind_unfinished_output_count() {
    let log = "engine: init reached\nKTAP version 1\n1..2\nok 1 a\nall donenot ok 2 b\nbyeengine: suite exited 0\n";
    insta::assert_snapshot!(said(log, End::Exited(0)), @"Failed: test `b` failed");
}

#[test]
fn writers_in_the_kernel_are_told_apart() {
    let log = "[    1.000000][    T1] KTAP version 1\n[    1.000001][   T2@CPU0] KTAP version 1\n[    1.000002][    T1] 1..2\n\
               [    1.000003][   T2@CPU0] 1..1\n[    1.000004][    T1] ok 1 a\n[    1.000005][   T2@CPU0] not ok 1 x\n[    1.000006][    T1] ok 2 b\n";
    let tests: Vec<String> = captured(log)
        .tests
        .iter()
        .map(|test| format!("{:?} {}", test.result, test.name))
        .collect();
    insta::assert_snapshot!(tests.join("\n"), @r"
    Pass a
    Fail x
    Pass b
    ");
}

#[test]
fn a_writer_that_is_known_stays_apart_however_many_come() {
    let mut log = "[    1.000000][    T1] KTAP version 1\n[    1.000000][    T1] 1..2\n".to_owned();
    for task in 100..200 {
        let _ = writeln!(log, "[    2.000000][  T{task}] random: crng init done");
    }
    log += "[    3.000000][    T1] ok 1 a\n[    3.000001][    T1] not ok 2 b\n";
    let results = captured(&log);
    assert_eq!(results.reason, "test `b` failed");
    assert_eq!(results.tests.len(), 2);
}

#[test]
fn a_suite_says_what_fails_it() {
    let warning = "[    1.000000] WARNING: CPU: 0 PID: 1 at fs/x.c:1 do_thing+0x1/0x2\n";
    let panic = "[    1.000000] Kernel panic - not syncing: sysrq triggered crash\n";
    let segfault = "[    1.000000] child[31]: segfault at 0 ip 1 sp 2 error 6 in child[3+4]\n";
    let judged = |judging: &Judging, body: &str, end: &str| {
        let mut console = Console::new(judging.clone());
        console.push(format!("engine: init reached\n{body}{end}").as_bytes());
        let results = console.finish(End::Exited(0), "");
        format!(
            "{:?}: {}{}",
            results.verdict, results.reason, results.remark
        )
    };
    let usual = Judging::default();
    let strict = Judging {
        fails_on: Severity::Warning,
        reports_tests: true,
        ..Judging::default()
    };
    let harsh = Judging {
        fails_on: Severity::Notice,
        ..Judging::default()
    };
    let expecting = Judging {
        expects: vec!["kernel panic: sysrq*".to_owned()],
        ..Judging::default()
    };
    let (good, tested) = ("engine: suite exited 0\n", "KTAP version 1\n1..1\nok 1 a\n");
    let all = [
        judged(&usual, warning, good),
        judged(&usual, &format!("{tested}{warning}"), good),
        judged(&usual, segfault, good),
        judged(&harsh, segfault, good),
        judged(&strict, warning, good),
        judged(&strict, "", good),
        judged(&strict, tested, good),
        judged(&usual, panic, ""),
        judged(&expecting, panic, ""),
        judged(&expecting, tested, good),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    Succeeded: the kernel told: WARNING in do_thing; the suite reported no test
    Succeeded: the kernel told: WARNING in do_thing
    Succeeded: the kernel told: segfault of child; the suite reported no test
    Failed: segfault of child
    Failed: WARNING in do_thing
    Failed: the suite reported no test
    Succeeded: 
    Failed: kernel panic: sysrq triggered crash
    Succeeded: 
    Failed: `kernel panic: sysrq*` was expected of the kernel, and did not come
    ");
}

/// Of a flood the rest is counted; what is new in it, and a panic at its end, are not lost.
#[test]
fn a_flood_of_complaints() {
    let warning = |at: u32| {
        format!(
            "[    1.{at:06}] WARNING: CPU: 0 PID: {at} at fs/x.c:1 do_thing+0x1/0x2\n[    1.{at:06}] Call Trace:\n[    1.{at:06}]  do_caller+0x1/0x2\n"
        )
    };
    let mut log: String = (0..3000).map(warning).collect();
    log += "[    2.000000] BUG: Bad rss-counter state mm:1 idx:0 val:15\n";
    log += &warning(1);
    log += "[    3.000000] Kernel panic - not syncing: panic_on_warn set ...\n";
    let mut console = Console::new(Judging::default());
    console.push(log.as_bytes());
    assert!(console.is_over());
    let told: Vec<String> = console
        .captured()
        .findings
        .iter()
        .map(|finding| {
            format!(
                "{} {} {}",
                finding.severity.word(),
                finding.count,
                finding.title
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    warning 3001 WARNING in do_thing
    fatal 1 BUG: Bad rss-counter state
    ");
}

#[test]
fn a_log_from_anywhere_needs_no_suite() {
    let verdict = |log: &str| {
        let results = captured(log);
        format!("{:?}: {}", results.verdict, results.reason)
    };
    let all = [
        verdict("[    1.000000] usb 1-1: new device\n"),
        verdict("[    1.000000] BUG: Bad rss-counter state mm:1 idx:0 val:15\n"),
        verdict("TAP version 13\n1..1\nnot ok 1 a\n"),
        verdict("engine: init reached\nhello\n"),
        verdict(""),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    Succeeded: 
    Failed: BUG: Bad rss-counter state
    Failed: test `a` failed
    Failed: machine stopped after: hello
    Broken: no console output
    ");
}

#[test]
fn what_comes_after_the_suite_does_not_count() {
    let log = "engine: init reached\nengine: suite exited 0\nKernel panic - not syncing: late\n";
    for end in [End::Exited(1), End::Killed, End::Silence, End::Total] {
        assert_eq!(said(log, end), "Succeeded: ");
    }
}

#[test]
fn the_panic_is_named_with_what_led_to_it() {
    insta::assert_snapshot!(said(
        "[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
         [    1.000001] Oops: 0000 [#1]\n[    1.000002] RIP: 0010:do_thing+0x1/0x2\n\
         [    1.000003] Kernel panic - not syncing: Fatal exception\n",
        End::Exited(0)
    ), @"Failed: BUG: unable to handle kernel NULL pointer dereference in do_thing");
}

#[test]
fn a_lab_learns_when_nothing_more_is_to_come() {
    let mut console = Console::new(Judging::default());
    console.push(b"engine: init reached\n");
    assert!(console.init_reached());
    assert!(!console.is_over());
    console.push(b"engine: suite exi");
    assert!(!console.is_over());
    console.push(b"ted 0\n");
    assert!(console.is_over());
}

/// Bytes of the kinds that matter here, more often than chance would make them.
fn console_bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "KTAP version 1\n",
        "1..2\n",
        "ok 1 a",
        "not ok 2 b # SKIP c",
        "    # Subtest: s\n",
        "    ok 1 x\n",
        "[    1.000000] ",
        "[    1.000000][    T1] BUG: bad\n",
        "engine: init reached",
        "engine: suite exited 0\n",
        "Kernel panic - not syncing: x",
        "\r\n",
        "\n",
        "\x1b[1;31m",
        "\x1b]0;t",
        "1..",
        "o",
        "not",
        "#",
        " ",
    ]);
    let word = words.prop_map(|word| word.as_bytes().to_vec());
    let noise = prop::collection::vec(any::<u8>(), 0..12);
    prop::collection::vec(prop_oneof![3 => word, 1 => noise], 0..60)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn chunking_does_not_matter(bytes in console_bytes(), sizes in prop::collection::vec(1usize..9, 1..20)) {
        let whole = judge(&bytes, End::Silence);
        let mut console = Console::new(Judging::default());
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            console.push(chunk);
            rest = after;
        }
        prop_assert_eq!(console.finish(End::Silence, ""), whole);
    }

    #[test]
    fn a_success_has_no_failure(bytes in console_bytes()) {
        let results = judge(&bytes, End::Killed);
        if results.verdict == BootVerdict::Succeeded {
            prop_assert!(results.findings.iter().all(|finding| finding.severity < Severity::Error));
            prop_assert!(results.tests.iter().all(|test| test.result != super::TestOutcome::Fail));
        } else {
            prop_assert!(!results.reason.is_empty() && !results.signature.is_empty());
        }
    }

    #[test]
    fn results_survive_json(bytes in console_bytes()) {
        let results = judge(&bytes, End::Total);
        let json = serde_json::to_string(&results).expect("plain data");
        prop_assert_eq!(serde_json::from_str::<BootResults>(&json).expect("own output"), results);
    }
}
