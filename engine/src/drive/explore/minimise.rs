//! The smallest sets of changes that fail, by delta debugging.
//!
//! Source: Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*, IEEE TSE 28 (2002), algorithm `ddmin`.

use std::collections::BTreeSet;

/// What a try says of a set of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It fails in the way that is looked for.
    Fails,
    /// It does not, whether it passes or fails in another way.
    Other,
}

/// Most independent sets that are looked for.
const MOST_SETS: usize = 8;

/// The minimal sets of changes, each of which fails alone: one after the other, without the changes of those found before. A change
/// is its number below `changes`; numbers next to each other are tried together for longest.
pub(super) fn minimal_sets<E>(
    changes: usize,
    fails: &mut dyn FnMut(&[usize]) -> Result<Tried, E>,
) -> Result<Vec<Vec<usize>>, E> {
    let mut left: Vec<usize> = (0..changes).collect();
    let mut sets = Vec::new();
    while sets.len() < MOST_SETS && fails(&left)? == Tried::Fails {
        let set = minimal(left.clone(), fails)?;
        let found: BTreeSet<usize> = set.iter().copied().collect();
        left.retain(|change| !found.contains(change));
        let empty = set.is_empty();
        sets.push(set);
        if empty {
            break;
        }
    }
    Ok(sets)
}

/// Of changes that fail together, some that do of which none can be left out.
fn minimal<E>(
    mut changes: Vec<usize>,
    fails: &mut dyn FnMut(&[usize]) -> Result<Tried, E>,
) -> Result<Vec<usize>, E> {
    if fails(&[])? == Tried::Fails {
        return Ok(Vec::new());
    }
    let mut parts = 2;
    while changes.len() > 1 {
        let size = changes.len().div_ceil(parts);
        let chunks: Vec<Vec<usize>> = changes.chunks(size).map(<[usize]>::to_vec).collect();
        if let Some(chunk) = first(&chunks, fails)? {
            changes = chunk;
            parts = 2;
            continue;
        }
        let without = |chunk: &Vec<usize>| -> Vec<usize> {
            let kept = changes.iter().filter(|change| !chunk.contains(change));
            kept.copied().collect()
        };
        let complements: Vec<Vec<usize>> = chunks.iter().map(without).collect();
        // Of two parts, each is the complement of the other.
        let complement = if chunks.len() > 2 {
            first(&complements, fails)?
        } else {
            None
        };
        if let Some(complement) = complement {
            changes = complement;
            parts = (chunks.len() - 1).max(2);
        } else if size == 1 {
            break;
        } else {
            parts = (parts * 2).min(changes.len());
        }
    }
    Ok(changes)
}

fn first<E>(
    sets: &[Vec<usize>],
    fails: &mut dyn FnMut(&[usize]) -> Result<Tried, E>,
) -> Result<Option<Vec<usize>>, E> {
    for set in sets {
        if fails(set)? == Tried::Fails {
            return Ok(Some(set.clone()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Finds the sets of a failure that comes when all of any of some groups is there, and counts the tries.
    fn found(changes: usize, groups: &[Vec<usize>]) -> (Vec<Vec<usize>>, usize) {
        let mut tries = 0;
        let sets = minimal_sets::<()>(changes, &mut |set| {
            tries += 1;
            let there = |group: &Vec<usize>| group.iter().all(|change| set.contains(change));
            Ok(if groups.iter().any(there) {
                Tried::Fails
            } else {
                Tried::Other
            })
        });
        (sets.unwrap(), tries)
    }

    #[test]
    fn pairs_and_alternatives_are_found() {
        assert_eq!(found(40, &[vec![3, 31]]).0, [[3, 31]]);
        assert_eq!(found(40, &[vec![3], vec![31]]).0, [[3], [31]]);
        assert_eq!(found(40, &[]).0, Vec::<Vec<usize>>::new());
        assert_eq!(found(5, &[vec![]]).0, [Vec::<usize>::new()]);
        assert_eq!(found(1, &[vec![0]]).0, [[0]]);
        // One change of a thousand costs about what halving does.
        assert!(found(1000, &[vec![700]]).1 < 40);
    }

    proptest! {
        #[test]
        fn every_set_is_minimal_and_fails(
            changes in 1usize..24,
            groups in proptest::collection::vec(proptest::collection::btree_set(0usize..24, 1..4), 1..4),
        ) {
            let groups: Vec<Vec<usize>> = groups
                .into_iter()
                .map(|group| group.into_iter().filter(|change| *change < changes).collect::<Vec<_>>())
                .filter(|group| !group.is_empty())
                .collect();
            let holds = |set: &[usize]| groups.iter().any(|group| group.iter().all(|change| set.contains(change)));
            let (sets, _) = found(changes, &groups);
            let mut left: Vec<usize> = (0..changes).collect();
            for set in &sets {
                prop_assert!(holds(set));
                for change in set {
                    let without: Vec<usize> = set.iter().copied().filter(|other| other != change).collect();
                    prop_assert!(!holds(&without));
                }
                left.retain(|change| !set.contains(change));
            }
            // What is left without them does not fail.
            prop_assert!(sets.len() == MOST_SETS || !holds(&left));
        }
    }
}
