//! Which boards a resolved .config fits: computed here, nothing is run.

use std::collections::BTreeMap;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::input;
use crate::graph::Matched;
use crate::graph::Slot;
use crate::kconfig::Config;
use crate::matching::Needs;
use crate::matching::matches_only;
use crate::spec::MatchSpec;

impl Tools {
    /// No outputs; facts: the matched boards. The reasons of the others are computed when asked for.
    pub(super) fn matches(&self, spec: &MatchSpec, job: &Job) -> Result<Finished, Broken> {
        let text = self.store.read(&input(job, Slot::Config)?)?;
        let config = match Config::parse(&String::from_utf8_lossy(&text)) {
            Ok(config) => config,
            Err(error) => {
                let message = format!("the .config is not readable: {error}");
                return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
            }
        };
        let needs = spec.boards.iter().map(|(board, needs)| Needs {
            board,
            requires: &needs.requires,
            abi: needs.abi,
        });
        let boards = matches_only(&config, needs).map(str::to_owned).collect();
        let facts = serde_json::json!(Matched { boards }).to_string();
        Ok(Finished::success(BTreeMap::new(), facts))
    }
}
