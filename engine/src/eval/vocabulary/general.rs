//! `file`, `require` and `.extend`.

use rhai::Dynamic;
use rhai::Map;

use super::super::mistake::Mistake;
use super::super::schema::Shape;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "file",
        method: false,
        params: &[Param {
            name: "path",
            shape: Shape::Word,
        }],
        gives: "a file",
        doc: "Takes in a text file of the project, or of the standard library (`std/…`). The path begins at the project root.",
        run: file,
    },
    Function {
        name: "extend",
        method: true,
        params: &[
            Param {
                name: "map",
                shape: Shape::Map,
            },
            Param {
                name: "changes",
                shape: Shape::Map,
            },
        ],
        gives: "a map",
        doc: "A copy of a map with changes: `base.extend(#{ … })`. Maps in both are merged; any other value replaces.",
        run: |_, mut arguments| {
            let base: Dynamic = arguments.required()?;
            Ok(merged(base, arguments.required()?, 0))
        },
    },
    Function {
        name: "require",
        method: false,
        params: &[
            Param {
                name: "condition",
                shape: Shape::Bool,
            },
            Param {
                name: "message",
                shape: Shape::Word,
            },
        ],
        gives: "nothing",
        doc: "Ends the evaluation with a message unless the condition holds.",
        run: |_, mut arguments| {
            let holds: bool = arguments.next();
            let message: String = arguments.next();
            if holds {
                Ok(Dynamic::UNIT)
            } else {
                Err(Mistake::at(&[], message))
            }
        },
    },
];

fn file(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let path: String = arguments.next();
    let file = call.state.project_file(&path);
    let file = file.map_err(|error| Mistake::of_file(&["0".to_owned()], &error))?;
    Ok(Dynamic::from(file))
}

/// Deep merge; beyond a depth no schema has, the change simply replaces.
fn merged(base: Dynamic, changes: Dynamic, depth: usize) -> Dynamic {
    let both = base.is_map() && changes.is_map() && depth < 32;
    if !both {
        return changes;
    }
    let (Some(mut map), Some(changes)) = (base.try_cast::<Map>(), changes.try_cast::<Map>()) else {
        return Dynamic::UNIT;
    };
    for (key, change) in changes {
        let value = match map.remove(&key) {
            Some(value) => merged(value, change, depth + 1),
            None => change,
        };
        map.insert(key, value);
    }
    Dynamic::from_map(map)
}
