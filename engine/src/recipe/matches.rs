//! Which boards a resolved .config fits: computed here, nothing is run.

use std::collections::BTreeMap;

use super::Broken;
use super::Finished;
use super::Job;
use super::Recipes;
use super::step::input;
use crate::graph::Matched;
use crate::graph::Slot;
use crate::kconfig::Config;
use crate::matching::Needs;
use crate::matching::matches_only;

impl Recipes {
    /// No outputs; facts: the matched boards. The reasons of the others are computed when asked for.
    pub(super) fn matches(&self, job: &Job<'_>) -> Result<Finished, Broken> {
        let text = self.tools.store.read(&input(job, Slot::Config)?)?;
        let config = match Config::parse(&String::from_utf8_lossy(&text)) {
            Ok(config) => config,
            Err(error) => {
                let message = format!("the .config is not readable: {error}");
                return Ok(Finished::failure(message, BTreeMap::new(), String::new()));
            }
        };
        let boards: Vec<String> = matches_only(&config, Needs::of(&self.catalog))
            .map(str::to_owned)
            .collect();
        for board in &boards {
            if self
                .catalog
                .boards
                .get(board)
                .is_some_and(|board| board.qemu.is_none())
            {
                (job.note)(&format!(
                    "`{board}` fits, but has no `qemu`: no lab here can boot it"
                ));
            }
        }
        let facts = serde_json::json!(Matched { boards }).to_string();
        Ok(Finished::success(BTreeMap::new(), facts))
    }
}
