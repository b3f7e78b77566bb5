//! One node laid open: spec, inputs, key, outputs.

use serde::Serialize;
use serde_json::Value;

use super::DriveError;
use super::Session;
use super::explain::describe;
use crate::plan::State;
use crate::spec::Kind;

/// A node with all that its key is made of, and what it gave.
#[derive(Clone, Debug, Serialize)]
pub struct NodeView {
    /// `KIND:NAME`.
    pub node: String,
    /// What kind of node it is.
    pub kind: Kind,
    /// Where it stands, one word or a line.
    pub state: String,
    /// The key, 64 hex digits; absent while inputs are not resolved.
    pub key: Option<String>,
    /// Revision of the engine's recipe.
    pub revision: u32,
    /// The canonical encoding of its spec.
    pub spec: Value,
    /// What it takes of other nodes, by slot.
    pub inputs: Vec<InputView>,
    /// What it gave, by name.
    pub outputs: Vec<OutputView>,
    /// What is kept of it inline, if anything.
    pub facts: Option<Value>,
    /// Milliseconds it took, where it has a result.
    pub duration_ms: Option<u64>,
}

/// One input.
#[derive(Clone, Debug, Serialize)]
pub struct InputView {
    /// The role it plays.
    pub slot: &'static str,
    /// `KIND:NAME` of the node it comes from.
    pub node: String,
    /// Which output of that.
    pub output: &'static str,
    /// Digest of the content, 64 hex digits; absent while it is not resolved.
    pub content: Option<String>,
}

/// One output.
#[derive(Clone, Debug, Serialize)]
pub struct OutputView {
    /// Its name.
    pub name: String,
    /// Digest of the content, 64 hex digits.
    pub content: String,
    /// Size in bytes; absent where it is not in the store.
    pub bytes: Option<u64>,
}

impl Session {
    /// Lays a node open, by `KIND:NAME` or address.
    pub fn show(&self, name: &str) -> Result<NodeView, DriveError> {
        let (progress, id) = self.locate(name)?;
        let graph = progress.graph();
        let node = graph.node(id);
        let state = progress.state(id);
        let contents = |output| match progress.state(output) {
            State::Done { content, .. } => content.to_vec(),
            _ => Vec::new(),
        };
        let mut inputs: Vec<InputView> = graph
            .inputs(id)
            .map(|(input, from)| InputView {
                slot: input.slot.word(),
                node: graph.node(from).full_name(),
                output: input.output.word(),
                content: contents(from)
                    .iter()
                    .find(|(output, _)| *output == input.output)
                    .map(|(_, content)| content.to_string()),
            })
            .collect();
        inputs.sort_by_key(|input| input.slot);
        let key = state.key();
        let record = match key {
            Some(key) => self.store.record(&key)?,
            None => None,
        };
        let outputs = record.iter().flat_map(|record| &record.outputs);
        let outputs = outputs.map(|(name, content)| OutputView {
            name: name.clone(),
            content: content.to_string(),
            bytes: self.store.size(content).ok(),
        });
        Ok(NodeView {
            node: node.full_name(),
            kind: node.kind(),
            state: describe(state),
            key: key.map(|key| key.to_string()),
            revision: node.kind().revision(),
            spec: node.spec().canonical(),
            inputs,
            outputs: outputs.collect(),
            facts: record
                .as_ref()
                .and_then(|record| serde_json::from_str(&record.facts).ok()),
            duration_ms: record.map(|record| record.duration_ms),
        })
    }
}
