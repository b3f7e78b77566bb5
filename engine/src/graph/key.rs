//! Keys: what decides whether a node has been realised before, and the preimage that explains it.

use serde_json::Value;
use serde_json::json;
use store::Digest;
use store::KeyHasher;

use super::Slot;
use crate::spec::Closed;

/// Versioned context of blake3's derive-key mode; a change of the encoding changes it.
const KEY_CONTEXT: &str = "engine 2026-11 node key v2";

/// An input as the key sees it: the slot and the content that fills it.
pub type KeyInput = (Slot, Digest);

/// The key of a node whose inputs are resolved. `inputs` is sorted here, so its order does not matter.
pub fn key(spec: &Closed, inputs: &mut [KeyInput]) -> Digest {
    inputs.sort_unstable();
    let mut hasher = KeyHasher::new(KEY_CONTEXT)
        .str(spec.kind().word())
        .bytes(&spec.kind().revision().to_le_bytes())
        .digest(&spec.digest());
    for (slot, content) in inputs {
        hasher = hasher.str(slot.word()).digest(content);
    }
    hasher.finish()
}

/// The preimage of a key as JSON, kept in the store so that `why` can compare two of them.
pub fn manifest(spec: &Closed, inputs: &[KeyInput]) -> Value {
    let inputs: serde_json::Map<String, Value> = inputs
        .iter()
        .map(|(slot, content)| (slot.word().to_owned(), Value::String(content.to_string())))
        .collect();
    json!({
        "version": 2,
        "kind": spec.kind().word(),
        "revision": spec.kind().revision(),
        "spec": spec.spec().canonical(),
        "inputs": inputs,
    })
}
