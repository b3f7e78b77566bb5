//! What git said, as what is wrong.

use crate::origins::OriginError;
use crate::origins::program::Said;

/// What servers say that have no such commit, or give only those to which a name leads.
const GONE: [&str; 3] = [
    "not our ref",
    "unadvertised object",
    "remote did not send all necessary objects",
];
/// What is said where somebody else would have been let in.
const REFUSED: [&str; 6] = [
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "Permission denied",
    "returned error: 401",
    "returned error: 403",
];

/// Why a server gave nothing. `stalled` is how many seconds it said nothing before it was given up.
pub(super) fn refusal(
    url: &str,
    commit: Option<&str>,
    said: &Said,
    stalled: Option<u64>,
) -> OriginError {
    let has = |words: &[&str]| words.iter().any(|word| said.err.contains(word));
    if let Some(commit) = commit
        && has(&GONE)
    {
        return OriginError::Gone {
            file: format!("commit {} of {url}", short(commit)),
        };
    }
    let mut why = match stalled {
        Some(secs) => format!("it said nothing for {secs} s"),
        None => told(&said.err),
    };
    if has(&REFUSED) {
        why += "; git's credential helpers and ssh's agent are asked, nobody at a terminal";
    }
    OriginError::Fetch {
        url: url.to_owned(),
        why,
    }
}

/// The errors in what git said.
fn told(text: &str) -> String {
    let marks = ["fatal: ", "error: ", "ERR ", "remote: "];
    let mut lines: Vec<&str> = text
        .split(['\n', '\r'])
        .filter_map(|line| marks.iter().find_map(|mark| line.strip_prefix(mark)))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains("objects: "))
        .collect();
    lines.dedup();
    if lines.is_empty() {
        text.trim().to_owned()
    } else {
        lines.join("; ")
    }
}

/// A commit as people write it.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
