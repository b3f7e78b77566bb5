//! Evaluates every project below `tests/definitions/`: a valid one's catalog and an invalid one's
//! whole error text stand beside it. `UPDATE_EXPECTED=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use engine::eval::Files;
use engine::eval::demo;
use engine::eval::evaluate;
use engine::eval::evaluate_files;
use engine::eval::reference;
use engine::model::Catalog;

/// Generous: an endless loop ends after a second or two of the processor, whoever else has it.
const MOST_TIME: Duration = Duration::from_mins(2);

/// Evaluations end when the process grows too much, so two tests must not share it at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/definitions")
        .join(name)
}

/// Every project of a folder: a directory with `main.rhai`, or a single script.
fn projects(name: &str) -> Vec<(String, Files, PathBuf)> {
    let mut projects = Vec::new();
    for entry in fs::read_dir(folder(name)).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let expected = path.join("expected.txt");
            projects.push((stem, Files::Directory(path), expected));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rhai")
        {
            let text = fs::read_to_string(&path).unwrap();
            let files = Files::memory([("main.rhai", text.as_str())]);
            projects.push((stem, files, path.with_extension("txt")));
        }
    }
    projects.sort_by(|a, b| a.0.cmp(&b.0));
    projects
}

#[expect(
    clippy::disallowed_methods,
    reason = "how a developer asks for new snapshots"
)]
fn is_update() -> bool {
    std::env::var_os("UPDATE_EXPECTED").is_some()
}

/// A catalog as text, without the content of the standard library's files.
fn catalog_text(catalog: &Catalog) -> String {
    let mut catalog = catalog.clone();
    let inits = catalog.rootfses.values_mut().map(|rootfs| &mut rootfs.init);
    let programs = catalog
        .suites
        .values_mut()
        .filter_map(|suite| suite.program.as_mut());
    for file in inits
        .chain(programs)
        .filter(|file| file.path.starts_with("std/"))
    {
        "…".clone_into(&mut file.text);
    }
    format!("{catalog:#?}\n")
}

/// Compares all, so that one run shows every difference.
fn compare(results: Vec<(String, String, PathBuf)>) {
    let mut differences = String::new();
    for (name, text, expected) in results {
        if is_update() {
            fs::write(&expected, &text).unwrap();
        }
        let before = fs::read_to_string(&expected).unwrap_or_default();
        if before != text {
            let _ = writeln!(
                differences,
                "=== {name}: expected\n{before}\n=== {name}: is\n{text}"
            );
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn valid_projects_give_their_catalogs() {
    let _alone = alone();
    let results = projects("valid")
        .into_iter()
        .map(|(name, files, expected)| {
            let evaluated = evaluate_files(&files).unwrap_or_else(|errors| {
                panic!(
                    "{name}: {}",
                    errors
                        .iter()
                        .map(engine::text::Diagnostic::to_plain)
                        .collect::<String>()
                )
            });
            let mut text = catalog_text(&evaluated.catalog);
            for line in evaluated.log {
                let _ = writeln!(text, "print: {line}");
            }
            (name, text, expected)
        });
    compare(results.collect());
}

#[test]
fn invalid_projects_say_why() {
    let _alone = alone();
    let results = projects("invalid")
        .into_iter()
        .map(|(name, files, expected)| {
            let start = Instant::now();
            let errors = match evaluate_files(&files) {
                Ok(evaluated) => panic!("{name} evaluates to {:#?}", evaluated.catalog),
                Err(errors) => errors,
            };
            assert!(
                start.elapsed() < MOST_TIME,
                "{name} takes {:?}",
                start.elapsed()
            );
            assert!(
                errors
                    .iter()
                    .all(|error| !error.labels.is_empty() || name == "no_main"),
                "{name} has no place"
            );
            (
                name,
                errors
                    .iter()
                    .map(engine::text::Diagnostic::to_plain)
                    .collect(),
                expected,
            )
        });
    compare(results.collect());
}

#[test]
fn the_demo_evaluates_from_disk_and_from_memory_alike() {
    let _alone = alone();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions/demo");
    let from_disk = evaluate(&root).unwrap_or_else(|errors| panic!("{}", errors[0].to_plain()));
    let from_memory = evaluate_files(&Files::memory(demo().iter().copied())).unwrap();
    assert_eq!(from_disk.catalog, from_memory.catalog);
    assert_eq!(from_disk.files, from_memory.files);
    assert_eq!(from_disk.log, from_memory.log);
    let boards: Vec<&str> = from_disk
        .catalog
        .boards
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(boards, ["qemu-pc", "qemu-pc-disk"]);
    let read: Vec<&str> = from_disk
        .files
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(
        read,
        [
            "boards.rhai",
            "configs.rhai",
            "main.rhai",
            "std/debian.rhai",
            "std/init.c",
            "std/kconfig.rhai",
            "std/qemu.rhai",
            "std/suites/general.c",
            "std/suites/panic.c",
            "toolchains.rhai",
        ]
    );
    let expected = folder("demo.txt");
    compare(vec![(
        "demo".to_owned(),
        catalog_text(&from_disk.catalog),
        expected,
    )]);
}

#[test]
fn the_reference_in_the_docs_is_what_the_engine_prints() {
    compare(vec![(
        "reference".to_owned(),
        reference(),
        folder("../../docs/src/reference.md"),
    )]);
}

/// Definitions grow by loops: ten thousand boards are within every limit.
#[test]
fn ten_thousand_boards_evaluate() {
    let _alone = alone();
    let main = r#"
        import "std/qemu" as qemu;
        let tc = toolchain("gcc", #{ kind: "gcc", image: image("i", #{ base: base("b", #{
            debian: #{ suite: "bookworm", arch: "amd64" } }) }) });
        let root = rootfs("r", #{ toolchain: tc });
        for i in range(0, 10000) {
            board(`board-${i}`, #{
                requires: cfg(`BOARD_${i}`) & cfg("TTY"), rootfs: root, suites: [], qemu: qemu::pc().qemu,
            });
        }
    "#;
    let evaluated = evaluate_files(&Files::memory([("main.rhai", main)]))
        .unwrap_or_else(|errors| panic!("{}", errors[0].to_plain()));
    assert_eq!(evaluated.catalog.boards.len(), 10_000);
}

/// A key is a function of the catalog alone, so remarks must not reach it.
#[test]
fn comments_and_blank_lines_change_nothing() {
    let _alone = alone();
    let plain = evaluate_files(&Files::memory(demo().iter().copied())).unwrap();
    let remarked: Vec<(&str, String)> = demo()
        .iter()
        .map(|(path, text)| (*path, text.replace('\n', "\n\n// a remark\n")))
        .collect();
    let files = Files::memory(remarked.iter().map(|(path, text)| (*path, text.as_str())));
    assert_eq!(evaluate_files(&files).unwrap().catalog, plain.catalog);
}

#[cfg(unix)]
#[test]
fn symbolic_links_do_not_lead_out_of_the_project() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret.txt");
    fs::write(&secret, "secret").unwrap();
    let project = dir.path().join("project");
    fs::create_dir(&project).unwrap();
    fs::write(project.join("main.rhai"), "file(\"link.txt\");\n").unwrap();
    std::os::unix::fs::symlink(&secret, project.join("link.txt")).unwrap();
    let errors = evaluate(&project).unwrap_err();
    insta::assert_snapshot!(errors[0].to_plain(), @r#"
    error: `link.txt` is not a path below the project root
     --> main.rhai:1:6
      |
    1 | file("link.txt");
      |      ^^^^^^^^^^
      = help: definitions see the files of their project only, by paths such as `patches/fix.patch`
    "#);
}

/// Which limit ends these depends on the machine; that one does, and soon, does not.
#[test]
fn bombs_are_bounded() {
    let _alone = alone();
    let bombs = [
        "let a = []; loop { a = [a]; }",
        "let m = #{}; loop { m = #{ m: m, n: m }; }",
        "let a = []; loop { a.push(a); }",
        "let s = \"x\"; s.pad(1000000, \"y\"); let m = #{}; let i = 0; loop { m[s + i] = i; i += 1; }",
        "fn f(s, n) { let t = s + n; f(t, n + 1) } let s = \"x\"; s.pad(1000000, \"y\"); loop { try { f(s, 0); } catch { } }",
        "let f = || 1; let i = 0; loop { let g = f; f = || [g, g]; }",
        "let a = range(0, 9223372036854775807); for i in a { }",
        "let s = \"a\"; s.pad(1000000, \"a\"); loop { s.split(\"\"); s.replace(\"a\", \"b\"); }",
    ];
    for bomb in bombs {
        let start = Instant::now();
        assert!(
            evaluate_files(&Files::memory([("main.rhai", bomb)])).is_err(),
            "{bomb}"
        );
        assert!(
            start.elapsed() < MOST_TIME,
            "{bomb} takes {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_long_chain_of_imports_is_bounded() {
    let _alone = alone();
    let files: Vec<(String, String)> = (0..3000)
        .map(|i| (format!("m{i}.rhai"), format!("import \"m{}\" as m;", i + 1)))
        .chain([("main.rhai".to_owned(), "import \"m0\" as m;".to_owned())])
        .collect();
    let files = Files::memory(
        files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    );
    let errors = evaluate_files(&files).unwrap_err();
    assert!(
        errors[0]
            .message
            .starts_with("a project has at most 1000 modules")
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..Default::default()
    })]

    /// Whatever stands in a script, the answer is a catalog or a diagnostic that can be printed.
    #[test]
    fn any_text_has_an_answer(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40),
        noise in ".{0,12}",
    ) {
        let _alone = alone();
        let text = format!("{}{noise}", words.join(" "));
        let files = Files::memory([("main.rhai", text.as_str())]);
        if let Err(errors) = evaluate_files(&files) {
            assert!(!errors[0].message.contains("failed inside"), "{text}");
            assert!(errors[0].to_plain().starts_with("error: "));
        }
    }
}

const WORDS: &[&str] = &[
    "let",
    "const",
    "x",
    "y",
    "=",
    ";",
    "(",
    ")",
    "[",
    "]",
    "#{",
    "}",
    "{",
    ":",
    ",",
    ".",
    "cfg",
    "(\"A\")",
    "&",
    "|",
    "!",
    "board",
    "\"b\"",
    "requires",
    "1",
    "-",
    "fn",
    "f",
    "()",
    "=>",
    "import",
    "\"std/kconfig\"",
    "as",
    "k",
    "::",
    "enable",
    "|x|",
    "if",
    "else",
    "throw",
    "`${",
    "`",
    "extend",
    "lab(\"l\", #{ qemu: #{} })",
    "ü",
    "\n",
    "//",
    "/*",
    "*/",
    "'",
    "++",
    "switch",
    "try",
    "catch",
];
