//! KTAP and TAP as they are really printed.

use std::fmt::Write as _;

use super::ktap::Ktap;

fn read(log: &str) -> String {
    let mut ktap = Ktap::default();
    for (order, line) in (1..).zip(log.lines()) {
        ktap.line(line, order, true);
    }
    let (tests, problems) = ktap.finish();
    let mut text: Vec<String> = tests
        .iter()
        .map(|(_, test)| {
            let mut text = format!("{:?} {} {:?}", test.result, test.name, test.detail);
            for measured in &test.measurements {
                let _ = write!(
                    text,
                    " {}={}{}",
                    measured.name, measured.value, measured.unit
                );
            }
            text
        })
        .collect();
    text.extend(problems.iter().map(|problem| format!("! {problem}")));
    text.join("\n")
}

#[test]
fn a_flat_suite() {
    insta::assert_snapshot!(read(
        "KTAP version 1\n1..5\nok 1 a\n# x is wrong\n# not 4\nnot ok 2 b\n\
         ok 3 - c # SKIP no tmpfs\nnot ok 4 d # TODO later\nok 5\n"
    ), @r#"
    Pass a ""
    Fail b "x is wrong\nnot 4"
    Skip c "no tmpfs"
    Skip d "TODO later"
    Pass 5 ""
    "#);
}

#[test]
fn kunit_nests_with_and_without_headers() {
    insta::assert_snapshot!(read(
        "KTAP version 1\n1..2\n    KTAP version 1\n    # Subtest: ext4\n    1..2\n    ok 1 inode\n\
         \x20   # inode2: EXPECTATION FAILED at fs/ext4/x.c:1\n    not ok 2 inode2\nnot ok 1 ext4\n\
         \x20   # Subtest: old\n    1..1\n    ok 1 one\nok 2 old\n"
    ), @r#"
    Pass ext4/inode ""
    Fail ext4/inode2 "inode2: EXPECTATION FAILED at fs/ext4/x.c:1"
    Pass old/one ""
    "#);
}

/// The parent's name comes after its children.
#[test]
fn groups_without_a_header_have_their_parents_name() {
    insta::assert_snapshot!(read(
        "KTAP version 1\n1..3\n  KTAP version 1\n  1..1\n  ok 1 same\nok 1 first\n  ok 1 same\n  not ok 2 other\nnot ok 2 second\nok 3 alone\n"
    ), @r#"
    Pass first/same ""
    Pass second/same ""
    Fail second/other ""
    Pass alone ""
    "#);
}

#[test]
fn tap_14_puts_the_header_at_the_parents_indent() {
    insta::assert_snapshot!(read(
        "TAP version 14\n1..2\n# Subtest: foo\n    1..2\n    ok 1 - a\n    # Subtest: deep\n        ok 1 - x\n        1..1\n    ok 2 - deep\nok 1 - foo\nok 2 - bar\n"
    ), @r#"
    Pass foo/a ""
    Pass foo/deep/x ""
    Pass bar ""
    "#);
}

#[test]
fn plans_that_were_not_kept() {
    for (log, told) in [
        ("1..3\nok 1 a\nok 2 b\n", "2 of 3 planned tests reported"),
        ("1..2\nok 1 a\nok 1 b\n", "test number 1 came twice"),
        ("1..1\nok 1 a\nok 2 b\n", "2 tests reported, 1 planned"),
        (
            "1..2\nok 1 a\nBail out! no disk\n",
            "the tests bailed out: no disk",
        ),
        (
            "1..2\n  KTAP version 1\n  1..2\n  ok 1 x\nok 1 a\nok 2 b\n",
            "1 of 2 planned tests of `a` reported",
        ),
    ] {
        let read = read(&format!("KTAP version 1\n{log}"));
        assert!(read.contains(&format!("! {told}")), "{log}{read}");
    }
}

#[test]
fn directives_names_and_numbers_as_they_are_printed() {
    insta::assert_snapshot!(read(
        "KTAP version 1\nok 1 a # skip lower case\nnot ok 2 b # exit=4 # SKIP\nnot ok c\nok 4 test #2 works\nok 5 with \\# and \\\\\n\
         not ok 6..9 selftests: x: b [FAIL]\nok 7\ttab\nnot ok 8 x # todo\nok 9 issue#4 # SKIP x\nnot ok 10 y # exit=1\nok 11 selftests: x: z [SKIP]\n\
         not ok 12 z # TIMEOUT 45 seconds\nnot ok\nnot okay is no result\n"
    ), @r#"
    Skip a "lower case"
    Skip b ""
    Fail c ""
    Pass test #2 works ""
    Pass with # and \ ""
    Fail selftests: x: b ""
    Pass tab ""
    Skip x "TODO"
    Skip issue#4 "x"
    Fail y "exit=1"
    Skip selftests: x: z ""
    Fail z "TIMEOUT 45 seconds"
    Fail 13 ""
    "#);
}

#[test]
fn results_before_any_header_count() {
    insta::assert_snapshot!(read("ok 1 a\nnot ok 2 b\nTAP version 13\n1..1\nok 1 c\n"), @r#"
    Pass a ""
    Fail b ""
    Pass c ""
    "#);
    insta::assert_snapshot!(read("not ok without anything before\n"), @r#"Fail without anything before """#);
    assert_eq!(read("ok then\nokay\n1..many\n# said\n"), "");
}

/// `tools/testing/selftests/kselftest/runner.sh` puts a mark before what a test prints.
#[test]
fn kselftest_has_its_subtests_in_comments() {
    insta::assert_snapshot!(read(
        "TAP version 13\n1..2\n# selftests: net: tls\n# TAP version 13\n# 1..2\n# ok 1 sub\n# not ok 2 other\nnot ok 1 selftests: net: tls # exit=1\n\
         # ordinary words\nok 2 selftests: net: udp\n"
    ), @r#"
    Pass selftests: net: tls/sub ""
    Fail selftests: net: tls/other ""
    Pass selftests: net: udp ""
    "#);
}

#[test]
fn measurements_and_blocks_are_kept() {
    insta::assert_snapshot!(read(
        "TAP version 13\n1..2\n# latency: 12.5 ms\nok 1 a\n  ---\n  duration_ms: 3.25\n  message: fine\n  ...\nnot ok 2 b\n  ---\n  message: wrong\n  got: 4\n  ...\n"
    ), @r#"
    Pass a "" latency=12.5ms duration=3.25ms
    Fail b "message: wrong" got=4
    "#);
}

#[test]
fn what_was_skipped_as_a_whole() {
    let mut ktap = Ktap::default();
    ktap.line("1..0 # SKIP no such device", 1, true);
    assert_eq!(ktap.skipped(), Some("no such device"));
}
