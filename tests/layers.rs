//! House rules as a test: which module may use which module or crate, and what files look like.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use regex::Regex;

/// Modules of `engine/src` with their rank. A module uses itself and lower ranks, nothing else.
const RANKS: [(&str, u32); 26] = [
    ("text", 0),
    ("elf", 0),
    ("machine", 0),
    ("kconfig", 1),
    ("model", 2),
    ("matching", 3),
    ("spec", 3),
    ("sandbox", 3),
    ("lock", 4),
    ("jobs", 4),
    ("buildlog", 4),
    ("console", 4),
    ("origins", 5),
    ("labs", 5),
    ("eval", 6),
    ("graph", 6),
    ("plan", 7),
    ("recipe", 8),
    ("realise", 9),
    ("results", 10),
    ("serve", 10),
    ("report", 11),
    ("drive", 12),
    ("terminal", 13),
    ("cli", 14),
    // The program and the facade see everything.
    ("main", u32::MAX),
];

/// Crates that only the named places may use: modules, files below `engine/src`, or the crate
/// `store`.
const CRATES: [(&str, &[&str]); 18] = [
    ("rhai", &["eval"]),
    ("petgraph", &["graph"]),
    ("jobserver", &["realise", "recipe", "sandbox", "drive"]),
    ("pgp", &["origins/openpgp.rs"]),
    ("reqwest", &["origins/http.rs", "labs"]),
    ("axum", &["serve"]),
    ("http_body", &["serve"]),
    ("serde_saphyr", &["jobs", "labs"]),
    ("nix", &["sandbox", "labs", "realise", "store"]),
    ("rustix", &["sandbox", "store"]),
    (
        "tokio",
        &[
            "realise",
            "origins/http.rs",
            "labs",
            "serve",
            "drive",
            "cli",
        ],
    ),
    ("rusqlite", &["store"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("indicatif", &["terminal"]),
    ("console", &["terminal"]),
    ("engine", &["main"]),
];

/// Modules that work without the store; of these, [`HASHING`] may use its digests and hasher.
const NO_STORE: [&str; 13] = [
    "text", "elf", "kconfig", "model", "eval", "matching", "jobs", "console", "labs", "spec",
    "buildlog", "lock", "graph",
];
const HASHING: [&str; 3] = ["spec", "lock", "graph"];

/// Words that a module must not use though their ranks allow it: a recipe sees its node's spec and inputs, so that what it can read
/// is what the node's key says.
const UNSEEN: [(&str, &str); 14] = [
    ("recipe", "Catalog"),
    ("recipe", "crate::lock"),
    ("recipe", "crate::eval"),
    ("recipe", "World"),
    // All that knows a distribution is in `origins`.
    ("recipe", "Debian"),
    ("graph", "Debian"),
    ("plan", "Debian"),
    ("drive", "Debian"),
    ("sandbox", "Debian"),
    ("recipe", "Gentoo"),
    ("graph", "Gentoo"),
    ("plan", "Gentoo"),
    ("drive", "Gentoo"),
    ("sandbox", "Gentoo"),
];

/// Modules that touch nothing outside themselves.
const PURE: [&str; 9] = [
    "buildlog", "elf", "model", "kconfig", "matching", "jobs", "spec", "lock", "graph",
];
const IMPURE: [&str; 3] = ["fs", "process", "net"];

const PRINTING: [&str; 2] = ["terminal", "main"];
const BAD_NAMES: [&str; 4] = ["utils", "helpers", "common", "misc"];
const MAX_LINES: usize = 800;

/// One source file, with what is no code blanked out.
struct Source {
    /// Path below the root of the workspace, with `/`.
    path: String,
    /// Path below `src`.
    below: String,
    /// First component below `engine/src`, or `store`.
    module: String,
    /// How many modules lie between the crate's root and the file's content.
    depth: usize,
    text: String,
    code: String,
}

/// Reads both crates of the workspace at `root` and gives every breach, sorted, one per line.
fn breaches(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for crate_name in ["engine", "store"] {
        let src = root.join(crate_name).join("src");
        for path in rust_files(&src) {
            let below = path
                .strip_prefix(&src)
                .expect("it was listed below")
                .to_string_lossy();
            check_file(&Source::read(&path, crate_name, &below), &mut found);
        }
    }
    found.sort();
    found
        .into_iter()
        .map(|(path, line, what)| format!("{path}:{line}: {what}"))
        .collect()
}

type Found = Vec<(String, usize, String)>;

impl Source {
    fn read(path: &Path, crate_name: &str, below: &str) -> Self {
        let text = fs::read_to_string(path).expect("sources are readable UTF-8");
        let first = below
            .split('/')
            .next()
            .unwrap_or(below)
            .trim_end_matches(".rs");
        let module = match (crate_name, first) {
            ("store", _) => "store",
            (_, "lib") => "main",
            (_, first) => first,
        };
        let is_root = below.ends_with("mod.rs") || below == "lib.rs" || below == "main.rs";
        Self {
            path: format!("{crate_name}/src/{below}"),
            below: below.to_owned(),
            module: module.to_owned(),
            depth: below.split('/').count() - usize::from(is_root),
            code: only_code(&text),
            text,
        }
    }

    /// Whether a list of modules and files has this file's module or the file itself.
    fn is_in(&self, places: &[&str]) -> bool {
        places
            .iter()
            .any(|place| *place == self.module || *place == self.below)
    }

    /// The first group of each match of `regex` in the code, with its line.
    fn matches<'a>(&'a self, regex: &Regex) -> Vec<(usize, &'a str)> {
        let line = |at: usize| self.code[..at].matches('\n').count() + 1;
        regex
            .captures_iter(&self.code)
            .filter_map(|captures| captures.get(1))
            .map(|group| (line(group.start()), group.as_str()))
            .collect()
    }
}

fn check_file(source: &Source, found: &mut Found) {
    let mut say = |line: usize, what: String| found.push((source.path.clone(), line, what));
    check_shape(source, &mut say);
    check_modules(source, &mut say);
    check_crates(source, &mut say);
    check_purity(source, &mut say);
}

fn check_shape(source: &Source, say: &mut impl FnMut(usize, String)) {
    if !source.text.starts_with("//! ") {
        say(
            1,
            "the file does not begin with `//!` and one sentence of purpose".to_owned(),
        );
    }
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        say(
            lines,
            format!("the file has {lines} lines, more than {MAX_LINES}"),
        );
    }
    let name = source.below.rsplit('/').next().unwrap_or(&source.below);
    if matches!(name, "mod.rs" | "lib.rs") {
        for (line, _) in source.matches(&regex(r"\b(fn)\b")) {
            say(
                line,
                format!("`{name}` only declares, documents and re-exports; here is a `fn`"),
            );
        }
    }
    for part in source
        .below
        .split('/')
        .map(|part| part.trim_end_matches(".rs"))
    {
        if BAD_NAMES.contains(&part) {
            say(1, format!("`{part}` names no idea"));
        }
    }
}

fn check_modules(source: &Source, say: &mut impl FnMut(usize, String)) {
    if source.module == "store" {
        return;
    }
    let ranks = BTreeMap::from(RANKS);
    let Some(own) = ranks.get(&*source.module) else {
        say(
            1,
            format!("module `{}` has no rank in tests/layers.rs", source.module),
        );
        return;
    };
    let mut used = source.matches(&regex(r"\bcrate::(\w+)"));
    for (line, group) in source.matches(&regex(r"\bcrate::\{([^;]*)\}")) {
        let heads = regex(r"(?:^|[{,])\s*(\w+)");
        used.extend(
            heads
                .captures_iter(group)
                .filter_map(|c| c.get(1))
                .map(|m| (line, m.as_str())),
        );
    }
    // As many `super` as there are modules above lead to the crate's root too.
    let climb = format!(r"\b(?:super::){{{},}}(\w+)", source.depth.max(1));
    used.extend(source.matches(&regex(&climb)));
    for (line, other) in used {
        let Some(rank) = ranks.get(other).filter(|_| other != source.module) else {
            continue;
        };
        if rank >= own {
            say(
                line,
                format!(
                    "`{}` (rank {own}) must not use `{other}` (rank {rank}), only lower ranks",
                    source.module
                ),
            );
        }
    }
}

/// Finds uses of a crate: `name::…` that no path leads to, and `use name;`.
fn uses_of(source: &Source, name: &str) -> Vec<usize> {
    let path = regex(&format!(r"(?m)(?:^|[^\w:]|[^\w>]::)({name})::"));
    let whole = regex(&format!(
        r"\b(?:use|extern\s+crate)\s+({name})\s*(?:;|\bas\b)"
    ));
    [path, whole]
        .iter()
        .flat_map(|regex| source.matches(regex))
        .map(|(line, _)| line)
        .collect()
}

fn check_crates(source: &Source, say: &mut impl FnMut(usize, String)) {
    for (name, places) in CRATES {
        if source.is_in(places) {
            continue;
        }
        for line in uses_of(source, name) {
            say(
                line,
                format!("crate `{name}` is only for {}", listed(places)),
            );
        }
    }
    if source.is_in(&NO_STORE) {
        let hashing = source.matches(&regex(
            r"\b(store)::(?:Algorithm|Checksum|ChecksumError|Digest|KeyHasher)\b",
        ));
        for line in uses_of(source, "store") {
            if !source.is_in(&HASHING) {
                say(
                    line,
                    format!("`{}` must not use crate `store`", source.module),
                );
            } else if hashing.iter().all(|(fine, _)| *fine != line) {
                say(
                    line,
                    format!(
                        "`{}` may use only digests and hashers of crate `store`",
                        source.module
                    ),
                );
            }
        }
    }
}

fn check_purity(source: &Source, say: &mut impl FnMut(usize, String)) {
    for (module, word) in UNSEEN {
        if source.module == module {
            for (line, word) in source.matches(&regex(&format!(r"\b({word})\b"))) {
                say(line, format!("`{module}` must not use `{word}`"));
            }
        }
    }
    if source.is_in(&PURE) {
        for (line, part) in source.matches(&regex(r"\bstd::(\w+)")) {
            if IMPURE.contains(&part) {
                say(
                    line,
                    format!("`{}` is pure and must not use `std::{part}`", source.module),
                );
            }
        }
    }
    if !source.is_in(&PRINTING) {
        for (line, print) in source.matches(&regex(r"\b(e?print(?:ln)?!)")) {
            say(line, format!("`{print}` is only for {}", listed(&PRINTING)));
        }
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns of this file are valid")
}

fn listed(places: &[&str]) -> String {
    places
        .iter()
        .map(|place| format!("`{place}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// All `.rs` files below a directory, sorted.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("the source directory is there") {
        let path = entry.expect("the source directory can be listed").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Blanks comments, strings and characters, keeping line breaks.
fn only_code(text: &str) -> String {
    let tokens = regex(
        r#"(?xs)
        //[^\n]*                                # line comment
        | /\*.*?\*/                             # block comment (not nested)
        | \bb?r\#\#".*?"\#\# | \bb?r\#".*?"\#   # raw strings
        | \bb?r"[^"]*"
        | "(?:[^"\\]|\\.)*"                     # string
        | '(?:[^'\\\n]|\\[^\n]{1,9}?)'          # character, not lifetime
        "#,
    );
    let blank = |captures: &regex::Captures<'_>| -> String {
        captures[0]
            .chars()
            .filter(|character| *character == '\n')
            .collect()
    };
    tokens.replace_all(text, blank).into_owned()
}

#[test]
fn the_house_rules_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found = breaches(&root);
    assert!(
        found.is_empty(),
        "{} breaches of the house rules:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn a_breach_is_named_with_its_place() {
    let tree = tempfile::tempdir().unwrap();
    let files = [
        ("store/src/lib.rs", "//! Fine.\npub use nix::unistd;\n"),
        (
            "store/src/gc.rs",
            "//! Not fine.\nuse rhai::Engine;\nuse engine::model;\n",
        ),
        (
            "engine/src/lib.rs",
            "//! Fine.\npub mod kconfig;\nuse crate::cli::run;\n",
        ),
        (
            "engine/src/main.rs",
            "//! Fine.\nfn main() { println!(\"{}\", engine::cli::run()) }\n",
        ),
        (
            "engine/src/kconfig/value.rs",
            "//! Only the real uses count: `crate::eval`.\n\
             use crate::kconfig::Value;\nuse crate::eval::Engine;\n\
             /* use rhai::A; */\nconst A: &str = \"use rhai::B; // \\\" crate::cli\";\n\
             const B: &str = r#\"\n\" crate::cli\"#;\nconst C: char = '\"';\n\
             fn f<'a>(x: &'a str) {\n    super::super::plan::why(x);\n    crate::text::Span;\n\
             \x20   let y: rhai::Map = std::fs::read(x);\n    dbg::rhai::fine();\n    println!(\"\")\n}\n",
        ),
        (
            "engine/src/model/mod.rs",
            "pub use crate::{\n    kconfig::{A, B},\n    graph::Node,\n};\nfn f() {}\n",
        ),
        (
            "engine/src/graph/key.rs",
            "//! Digest alone.\nuse store::Digest;\nuse store::Store;\n",
        ),
        (
            "engine/src/jobs/utils.rs",
            "//! Helpers.\nuse store;\nuse store::Digest;\n",
        ),
        (
            "engine/src/recipe/fetch.rs",
            "//! Not fine.\nuse reqwest::Url;\nuse store::Store;\nuse crate::lock::Lock;\n\
             use crate::model::Catalog;\n",
        ),
        (
            "engine/src/recipe/source.rs",
            "//! Not fine.\n#[tokio::test]\nasync fn f(u: &::reqwest::Url) {}\n",
        ),
        ("engine/src/explore/mod.rs", "//! New.\n"),
        (
            "engine/src/lock.rs",
            &format!("//! Long.\n{}", "\n".repeat(MAX_LINES)),
        ),
    ];
    for (path, text) in files {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    insta::assert_snapshot!(breaches(tree.path()).join("\n"), @r"
    engine/src/explore/mod.rs:1: module `explore` has no rank in tests/layers.rs
    engine/src/graph/key.rs:3: `graph` may use only digests and hashers of crate `store`
    engine/src/jobs/utils.rs:1: `utils` names no idea
    engine/src/jobs/utils.rs:2: `jobs` must not use crate `store`
    engine/src/jobs/utils.rs:3: `jobs` must not use crate `store`
    engine/src/kconfig/value.rs:3: `kconfig` (rank 1) must not use `eval` (rank 6), only lower ranks
    engine/src/kconfig/value.rs:10: `kconfig` (rank 1) must not use `plan` (rank 7), only lower ranks
    engine/src/kconfig/value.rs:12: `kconfig` is pure and must not use `std::fs`
    engine/src/kconfig/value.rs:12: crate `rhai` is only for `eval`
    engine/src/kconfig/value.rs:14: `println!` is only for `terminal`, `main`
    engine/src/lock.rs:801: the file has 801 lines, more than 800
    engine/src/model/mod.rs:1: `model` (rank 2) must not use `graph` (rank 6), only lower ranks
    engine/src/model/mod.rs:1: the file does not begin with `//!` and one sentence of purpose
    engine/src/model/mod.rs:5: `mod.rs` only declares, documents and re-exports; here is a `fn`
    engine/src/recipe/fetch.rs:2: crate `reqwest` is only for `origins/http.rs`, `labs`
    engine/src/recipe/fetch.rs:4: `recipe` must not use `crate::lock`
    engine/src/recipe/fetch.rs:5: `recipe` must not use `Catalog`
    engine/src/recipe/source.rs:2: crate `tokio` is only for `realise`, `origins/http.rs`, `labs`, `serve`, `drive`, `cli`
    engine/src/recipe/source.rs:3: crate `reqwest` is only for `origins/http.rs`, `labs`
    store/src/gc.rs:2: crate `rhai` is only for `eval`
    store/src/gc.rs:3: crate `engine` is only for `main`
    ");
}
