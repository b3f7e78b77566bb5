//! What shells offer where an address is due.

use std::ffi::OsStr;

use clap_complete::engine::ArgValueCompleter;
use clap_complete::engine::CompletionCandidate;

use super::context::nearest_project;
use crate::drive;

/// Completes an argument by the addresses of the nearest project: of builds, and below a build of its boots.
pub(super) fn addresses() -> ArgValueCompleter {
    ArgValueCompleter::new(|begun: &OsStr| {
        let begun = begun.to_string_lossy();
        // Definitions that are wrong complete nothing; the command itself tells why.
        let Ok(checked) = drive::check(&nearest_project()) else {
            return Vec::new();
        };
        let catalog = &checked.catalog;
        let mut found = Vec::new();
        for build in catalog.builds() {
            let build = build.to_string();
            if build.starts_with(&*begun) {
                found.push(build);
            } else if begun.starts_with(&format!("{build}/")) {
                let boards = catalog.boards.values();
                let boots =
                    boards.flat_map(|board| board.suites.iter().map(move |suite| (board, suite)));
                let boots = boots.map(|(board, suite)| format!("{build}/{}/{suite}", board.name));
                found.extend(boots.filter(|boot| boot.starts_with(&*begun)));
            }
        }
        found.into_iter().map(CompletionCandidate::new).collect()
    })
}
