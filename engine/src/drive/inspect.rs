//! Looking at results without making any: `results`, `boards`, the parts of a `shell`.

use std::path::PathBuf;

use serde::Serialize;
use store::OutcomeVerdict;

use super::DriveError;
use super::Session;
use super::explain::describe;
use super::session::find_node;
use crate::graph::Output;
use crate::kconfig::Config;
use crate::matching::BoardVerdict;
use crate::matching::Needs;
use crate::matching::match_boards;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::plan::State;
use crate::recipe::Tools;
use crate::sandbox::Cancel;
use crate::sandbox::Exit;
use crate::spec::Kind;

/// One line of `engine results --json`.
#[derive(Clone, Debug, Serialize)]
pub struct ResultLine {
    /// Address of a build or boot, or the declared name of another node.
    pub address: String,
    /// Kind of the node.
    pub kind: Kind,
    /// `succeeded`, `failed`, `broken` or `skipped`.
    pub verdict: &'static str,
    /// Why it was skipped, broken or failed; absent on success.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether the result is in the store.
    pub cached: bool,
    /// The key, 64 hex digits; absent while inputs are not resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Boards against one build.
#[derive(Clone, Debug)]
pub struct BoardWhy {
    /// The build's address.
    pub build: String,
    /// `Err` says why the .config is not known.
    pub boards: Result<Vec<BoardVerdict>, String>,
}

impl Session {
    /// One line per wanted node, from the store alone; what is stale or unknown counts by the last
    /// run's word, and is skipped where no run ever met it.
    pub fn results(&self, patterns: &[String]) -> Result<Vec<ResultLine>, DriveError> {
        let progress = self.progress(Selection::of(patterns, None)?, false)?;
        let mut lines = Vec::new();
        for id in progress.wanted() {
            let node = progress.graph().node(id);
            let state = progress.state(id);
            let (verdict, reason, cached) = match state {
                State::Done { .. } => ("succeeded", String::new(), true),
                State::Failed { message, .. } => ("failed", message.to_string(), true),
                State::Skipped { reason } => ("skipped", reason.to_string(), false),
                other => match self.store.current(&self.history_name(&node.full_name()))? {
                    Some(last)
                        if last.verdict == OutcomeVerdict::Broken && last.key == other.key() =>
                    {
                        ("broken", last.reason, false)
                    }
                    _ => ("skipped", describe(other), false),
                },
            };
            let key = state.key().map(|key| key.to_string());
            let address = node.name.to_string();
            lines.push(ResultLine {
                address,
                kind: node.kind(),
                verdict,
                reason,
                cached,
                key,
            });
        }
        Ok(lines)
    }

    /// Every board against every named build.
    pub fn boards(&self, patterns: &[String]) -> Result<Vec<BoardWhy>, DriveError> {
        let selection = Selection::of(patterns, Some(Kind::Config))?;
        let progress = self.progress(selection, false)?;
        let configs = progress
            .wanted()
            .filter(|id| progress.graph().node(*id).kind() == Kind::Config);
        let mut found = Vec::new();
        for id in configs {
            let build = progress.graph().node(id).name.to_string();
            let boards = match self.config(&progress, &build)? {
                Ok(config) => Ok(match_boards(&config, Needs::of(&self.catalog))),
                Err(state) => Err(state),
            };
            found.push(BoardWhy { build, boards });
        }
        Ok(found)
    }

    /// The resolved .config of a build, or where its node stands.
    fn config(
        &self,
        progress: &Progress<'_>,
        build: &str,
    ) -> Result<Result<Config, String>, DriveError> {
        let name = format!("config:{build}");
        let Some(id) = find_node(progress, &name) else {
            return Err(DriveError::NothingNamed {
                pattern: build.to_owned(),
                similar: None,
            });
        };
        let state = progress.state(id);
        let State::Done { content, .. } = state else {
            return Ok(Err(describe(state)));
        };
        let digest = content.iter().find(|(output, _)| *output == Output::Config);
        let Some((_, digest)) = digest else {
            return Ok(Err("it has no .config".to_owned()));
        };
        let text = self.store.read(digest)?;
        Ok(Config::parse(&String::from_utf8_lossy(&text)).map_err(|error| error.to_string()))
    }

    /// Opens an interactive shell in a node's sandbox; gives how it ended.
    pub fn shell(&self, name: &str, tools: &Tools) -> Result<Exit, DriveError> {
        let (progress, id) = self.locate(name)?;
        let node = progress.graph().node(id);
        let Some(inputs) = progress.key_inputs(id) else {
            let state = "an input is not resolved; realise it first".to_owned();
            return Err(DriveError::NotYet {
                node: node.full_name(),
                state,
            });
        };
        Ok(tools.shell(node, &inputs.into_iter().collect(), &Cancel::new())?)
    }

    /// The log of a node's latest result.
    pub fn log(&self, name: &str) -> Result<PathBuf, DriveError> {
        let record = self.record(name)?;
        record
            .log
            .map(|log| self.store.blob_path(&log))
            .ok_or_else(|| DriveError::NotYet {
                node: name.to_owned(),
                state: "it left no log".to_owned(),
            })
    }
}
