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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::MatchSpec;
    use crate::spec::Spec;

    fn inputs() -> impl Strategy<Value = Vec<KeyInput>> {
        let slot = proptest::sample::select(&[Slot::Config, Slot::Image, Slot::Source][..]);
        let input = (slot, 0..3_u8).prop_map(|(slot, byte)| (slot, Digest::of(&[byte])));
        proptest::collection::vec(input, 0..4)
    }

    fn spec(matcher: u32) -> Closed {
        let boards = std::collections::BTreeMap::new();
        Spec::Match(MatchSpec { matcher, boards }).into()
    }

    proptest! {
        #[test]
        fn content_and_slots_of_inputs_count_and_their_order_does_not(
            mut one in inputs(),
            mut other in inputs(),
        ) {
            let sorted = |inputs: &[KeyInput]| {
                let mut inputs = inputs.to_vec();
                inputs.sort_unstable();
                inputs
            };
            let same = sorted(&one) == sorted(&other);
            let found = key(&spec(1), &mut one);
            prop_assert_eq!(found == key(&spec(1), &mut other), same);
            one.reverse();
            prop_assert_eq!(found, key(&spec(1), &mut one));
            prop_assert_ne!(found, key(&spec(2), &mut one));
        }
    }
}
