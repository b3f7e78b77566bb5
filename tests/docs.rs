//! The documents against the program: every command and option is told of, every link leads somewhere.

#![expect(clippy::unwrap_used, reason = "a test may stop anywhere")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use assert_cmd::Command;
use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README.md and its like, and the pages of the book.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in [root(), root().join("docs/src")] {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Targets of `[text](target)` outside code.
fn links(text: &str) -> Vec<String> {
    let code = Regex::new(r"(?ms)^ *```.*?^ *```|`[^`\n]*`|^ {4}[^\n]*").unwrap();
    let link = Regex::new(r"\[[^\]]*\]\(([^)\s]+)\)").unwrap();
    let prose = code.replace_all(text, "x");
    let targets = link.captures_iter(&prose);
    targets.map(|found| found[1].to_owned()).collect()
}

/// The anchors a page gives its headings, as mdbook and forges make them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// What is wrong with a link of a document, if anything.
fn fault(document: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        document.to_owned()
    } else {
        document.parent()?.join(file)
    };
    let say = |what: &str| Some(format!("{}: `{target}` {what}", document.display()));
    if !path.exists() {
        return say("leads nowhere");
    }
    let is_page = path.extension().is_some_and(|extension| extension == "md");
    if anchor.is_empty() || !is_page || anchors(&read(&path)).iter().any(|a| a == anchor) {
        return None;
    }
    say("names no heading")
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    let mut faults = Vec::new();
    for document in documents() {
        for target in links(&read(&document)) {
            count += 1;
            faults.extend(fault(&document, &target));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 20, "only {count} links were found");
}

#[test]
fn every_page_is_in_the_summary() {
    let pages = root().join("docs/src");
    let mut listed = links(&read(&pages.join("SUMMARY.md")));
    listed.push("SUMMARY.md".to_owned());
    for entry in fs::read_dir(&pages).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(listed.contains(&name), "`{name}` is not in SUMMARY.md");
    }
}

#[test]
fn every_command_and_option_is_documented() {
    let text = read(&root().join("docs/src/commands.md"));
    let option = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z-]+)").unwrap();
    let help = |arguments: &[&str]| {
        let output = Command::cargo_bin("engine")
            .unwrap()
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let all = help(&["--help"]);
    let commands = Regex::new(r"(?ms)^Commands:\n(.*?)\n\n").unwrap();
    let commands = commands.captures(&all).unwrap()[1].to_owned();
    let names: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() > 10, "{commands}");
    let mut missing = Vec::new();
    for name in names {
        let Some(part) = section(&text, name) else {
            missing.push(format!("`engine {name}`"));
            continue;
        };
        let own = help(&[name, "--help"]);
        let own = own
            .split("Global options:")
            .next()
            .unwrap_or(&own)
            .to_owned();
        for found in option.captures_iter(&own) {
            let option = &found[1];
            if option != "--help" && !part.contains(option) {
                missing.push(format!("`{option}` of `engine {name}`"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "commands.md lacks {}",
        missing.join(", ")
    );
}

/// The text below the heading `## engine NAME …`.
fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.find(&format!("## `engine {name}"))?;
    let rest = &text[start..];
    Some(rest[2..].find("\n## ").map_or(rest, |end| &rest[..end + 2]))
}
