//! What a command wants, from the patterns on its line.

use std::sync::Arc;

use crate::graph::Node;
use crate::model::Catalog;
use crate::model::Pattern;
use crate::spec::Kind;

/// The wanted part of a graph, before inputs are added.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    patterns: Vec<(Option<Kind>, Pattern)>,
    /// The deepest kind wanted; `None` means all the way to boots.
    until: Option<Kind>,
    /// What there may be below builds, where it is known.
    endings: Option<Arc<[String]>>,
}

/// A pattern that names boots or probes, or would.
#[derive(Clone, Debug)]
pub struct Below<'s> {
    /// As it was written.
    pub text: String,
    probe: bool,
    pattern: &'s Pattern,
}

impl Selection {
    /// Everything that runs by default, up to a kind.
    pub fn all(until: Option<Kind>) -> Self {
        Self {
            patterns: Vec::new(),
            until,
            endings: None,
        }
    }

    /// What patterns such as `linux-6.1/*/*/clang` or `image:kbuild` name. Without a `KIND:` in
    /// front, a pattern names builds and the boots below them.
    pub fn of(
        patterns: &[String],
        until: Option<Kind>,
    ) -> Result<Self, crate::model::PatternError> {
        let mut parsed = Vec::new();
        for text in patterns {
            let kind = text
                .split_once(':')
                .and_then(|(word, rest)| Kind::of_word(word).map(|kind| (kind, rest)));
            parsed.push(match kind {
                Some((kind, rest)) => (Some(kind), Pattern::parse(rest)?),
                None => (None, Pattern::parse(text)?),
            });
        }
        Ok(Self {
            patterns: parsed,
            until,
            endings: None,
        })
    }

    /// The same once it is known what there may be below builds: `**/a` then leads through a build only if a boot of it has the name.
    #[must_use]
    pub fn knowing(mut self, endings: Arc<[String]>) -> Self {
        self.endings = Some(endings);
        self
    }

    /// Whether a pattern names a build, or something that there may be below it.
    fn covers_or_leads_to(&self, pattern: &Pattern, build: &str) -> bool {
        if pattern.covers(build) {
            return true;
        }
        let below = |endings: &Arc<[String]>| {
            let mut endings = endings.iter();
            endings.any(|ending| pattern.covers(&format!("{build}/{ending}")))
        };
        pattern.leads_below(build) && self.endings.as_ref().is_none_or(below)
    }

    /// Whether nothing was named, so that everything is meant.
    pub fn is_all(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The patterns that name something below builds, each with its text; `boot:BUILD` is one.
    pub fn below(&self, builds: &[&str]) -> Vec<Below<'_>> {
        let below = self.patterns.iter().filter(|(kind, pattern)| match kind {
            Some(Kind::Boot | Kind::Probe) => true,
            Some(_) => false,
            None => !builds.iter().any(|build| pattern.covers(build)),
        });
        below
            .map(|(kind, pattern)| Below {
                probe: *kind == Some(Kind::Probe),
                pattern,
                text: told(*kind, pattern),
            })
            .collect()
    }

    /// Whether a node that exists before expansion is wanted for itself. A manual build is wanted only
    /// by a pattern that has its manual names literally.
    pub fn wants(&self, node: &Node, catalog: &Catalog) -> bool {
        self.covers(node, &manual(node, catalog))
    }

    /// What a pattern must have literally to want a node that would be wanted if it were not manual:
    /// components of its name, by index. None for any other node.
    pub fn leaves_out(&self, node: &Node, catalog: &Catalog) -> Vec<usize> {
        let manual = manual(node, catalog);
        if !self.covers(node, &[]) || self.covers(node, &manual) {
            return Vec::new();
        }
        let unsaid = |index: &usize| !self.covers(node, &[*index]);
        let unsaid: Vec<usize> = manual.iter().copied().filter(unsaid).collect();
        // Where each is said by some pattern, one pattern must still say all of them.
        if unsaid.is_empty() { manual } else { unsaid }
    }

    fn covers(&self, node: &Node, manual: &[usize]) -> bool {
        let leaf = match self.until {
            // Boots do not exist yet: the match node adds those that are wanted.
            None | Some(Kind::Boot) => matches!(node.kind(), Kind::Kernel | Kind::Match),
            Some(until) => node.kind() == until,
        };
        if self.patterns.is_empty() {
            return leaf && manual.is_empty();
        }
        self.patterns.iter().any(|(kind, pattern)| {
            let covers = match kind {
                Some(Kind::Boot | Kind::Probe) => {
                    node.kind() == Kind::Match && pattern.leads_below(&node.name)
                }
                Some(kind) => *kind == node.kind() && pattern.covers(&node.name),
                None => leaf && self.covers_or_leads_to(pattern, &node.name),
            };
            covers && pattern.names(&node.name, manual)
        })
    }

    /// Whether a probe is wanted for itself, by its address `BUILD/BOARD`; a boot that is wanted wants its own.
    pub fn wants_probe(&self, address: &str, manual: &[usize]) -> bool {
        self.patterns.iter().any(|(kind, pattern)| {
            *kind == Some(Kind::Probe) && pattern.covers(address) && pattern.names(address, manual)
        })
    }

    /// Whether a boot is wanted. What is manual in its address, by index of the component, must stand
    /// literally in a pattern.
    pub fn wants_boot(&self, address: &str, manual: &[usize]) -> bool {
        if self.until.is_some_and(|until| until < Kind::Boot) {
            return false;
        }
        if self.patterns.is_empty() {
            return manual.is_empty();
        }
        self.patterns.iter().any(|(kind, pattern)| {
            kind.is_none_or(|kind| kind == Kind::Boot)
                && pattern.covers(address)
                && pattern.names(address, manual)
        })
    }

    /// The patterns that name none of these nodes: a typing mistake the user should hear of.
    pub fn unmatched(&self, nodes: &[&Node]) -> Vec<String> {
        let covers = |kind: Option<Kind>, pattern: &Pattern, node: &Node| match kind {
            Some(Kind::Boot | Kind::Probe) => {
                node.kind() == Kind::Match && pattern.leads_below(&node.name)
            }
            Some(kind) => kind == node.kind() && pattern.covers(&node.name),
            None => node.kind() == Kind::Kernel && pattern.covers_or_leads_to(&node.name),
        };
        self.patterns
            .iter()
            .filter(|(kind, pattern)| !nodes.iter().any(|node| covers(*kind, pattern, node)))
            .map(|(kind, pattern)| told(*kind, pattern))
            .collect()
    }
}

impl Below<'_> {
    /// Whether it leads through a build.
    pub fn leads_through(&self, build: &str) -> bool {
        self.pattern.covers_or_leads_to(build)
    }

    /// Whether it names a boot or a probe of this address.
    pub fn covers(&self, address: &str) -> bool {
        self.pattern.covers(address)
    }

    /// The address that it names of a build and what may stand below it, if it does; with what is manual in it said literally or not.
    pub fn names(&self, build: &str, ending: &str, catalog: &Catalog) -> Option<(String, bool)> {
        let ending = match ending.split_once('/') {
            Some((board, _)) if self.probe => board,
            _ => ending,
        };
        let address = format!("{build}/{ending}");
        if !self.pattern.covers(&address) {
            return None;
        }
        let said = self.pattern.names(&address, &catalog.manual(&address));
        Some((address, said))
    }
}

fn told(kind: Option<Kind>, pattern: &Pattern) -> String {
    match kind {
        Some(kind) => format!("{kind}:{pattern}"),
        None => pattern.to_string(),
    }
}

/// What is declared manual in a build's address, by index of the component.
fn manual(node: &Node, catalog: &Catalog) -> Vec<usize> {
    match node.kind() {
        Kind::Config | Kind::Kernel | Kind::Match => catalog.manual(&node.name),
        _ => Vec::new(),
    }
}
