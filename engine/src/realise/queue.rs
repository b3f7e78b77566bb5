//! Ready nodes, in the order in which they are to start.
//!
//! Nodes that take CPU tokens stand in one line, those of each slot in a line of their own, and the rest in another, so that a start
//! looks at the head of each line and not at everything that waits.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;

use crate::graph::NodeId;
use crate::recipe::Takes;

/// A ready node. The order is by the highest rank, then by the order of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub rank: u64,
    pub id: NodeId,
    pub takes: Takes,
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.rank, Reverse(self.id)).cmp(&(other.rank, Reverse(other.id)))
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Which line a node stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Free,
    Slot(String),
    Cpu,
}

/// The lines.
#[derive(Default)]
pub(super) struct Queue(BTreeMap<Line, BinaryHeap<Ready>>);

/// What became of the head of a line.
pub(super) enum Start {
    /// It was started, or is nothing to start (any more).
    Gone,
    /// It has no room now; those behind it may.
    NoRoom(Ready),
    /// Nothing of this line can start now.
    Full(Ready),
}

/// How many of a line are looked at behind one that has no room.
const LOOKS: usize = 32;

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(BinaryHeap::is_empty)
    }

    pub(super) fn push(&mut self, ready: Ready) {
        let line = match &ready.takes {
            Takes {
                slot: Some((name, _)),
                ..
            } => Line::Slot(name.clone()),
            Takes { cpus: 0, .. } => Line::Free,
            _ => Line::Cpu,
        };
        self.0.entry(line).or_default().push(ready);
    }

    /// Offers the nodes of each line in order, until the line has no room.
    pub(super) fn start(&mut self, mut start: impl FnMut(Ready) -> Start) {
        for line in self.0.values_mut() {
            let mut later = Vec::new();
            while later.len() < LOOKS
                && let Some(ready) = line.pop()
            {
                match start(ready) {
                    Start::Gone => {}
                    Start::NoRoom(ready) => later.push(ready),
                    Start::Full(ready) => {
                        later.push(ready);
                        break;
                    }
                }
            }
            line.extend(later);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(id: u32, rank: u64, cpus: usize, slot: Option<&str>) -> Ready {
        let takes = Takes {
            cpus,
            slot: slot.map(|name| (name.to_owned(), 2)),
            ..Takes::default()
        };
        let id = NodeId::from(id);
        Ready { rank, id, takes }
    }

    #[test]
    fn the_highest_of_each_line_is_first_and_a_full_line_keeps_no_other() {
        let mut queue = Queue::default();
        queue.push(ready(0, 5, 1, None));
        queue.push(ready(1, 9, 1, None));
        queue.push(ready(2, 9, 1, None));
        queue.push(ready(3, 1, 0, None));
        queue.push(ready(4, 7, 0, Some("lab")));
        queue.push(ready(5, 8, 0, Some("lab")));
        let mut seen = Vec::new();
        queue.start(|ready| {
            seen.push(ready.id.index());
            match ready.id.index() {
                5 => Start::Full(ready),
                1 => Start::NoRoom(ready),
                _ => Start::Gone,
            }
        });
        assert_eq!(seen, [3, 5, 1, 2, 0]);
        seen.clear();
        queue.start(|ready| {
            seen.push(ready.id.index());
            Start::Gone
        });
        assert_eq!(seen, [5, 4, 1]);
        assert!(queue.is_empty());
    }
}
