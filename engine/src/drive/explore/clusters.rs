//! Failures of one signature, and what they have in common that nothing that succeeded has.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use store::Digest;
use store::Records;
use store::Verdict;

use super::driver::Inner;
use super::tally::Cluster;
use super::verdicts::signature;
use crate::graph::NodeId;
use crate::plan::State;
use crate::spec::Kind;

/// What more symbols than this have in common says nothing.
const MOST_COMMON: usize = 8;

/// Something that was asked for and has an outcome.
struct Asked<'i> {
    kind: Kind,
    node: NodeId,
    address: &'i str,
    /// Its configuration.
    of: usize,
}

impl Inner {
    /// What the script itself asked for.
    fn outcomes(&self) -> impl Iterator<Item = Asked<'_>> {
        let configs = self.configs.iter().enumerate();
        let configs = configs.filter(|(_, config)| !config.probe);
        let configs = configs.map(|(of, config)| Asked {
            kind: Kind::Config,
            node: config.config,
            address: &config.address,
            of,
        });
        let builds = self.builds.iter().filter(|asked| !asked.probe);
        let builds = builds.map(|build| Asked {
            kind: Kind::Kernel,
            node: build.node,
            address: &build.address,
            of: build.of,
        });
        let boots = self.boots.iter().filter(|asked| !asked.probe);
        let boots = boots.map(|boot| Asked {
            kind: Kind::Boot,
            node: boot.node,
            address: &boot.address,
            of: self.builds[boot.of].of,
        });
        configs.chain(builds).chain(boots)
    }

    /// Failures by signature; what else in the store failed so says whether they are known.
    pub(super) fn clusters(&self, records: Option<&Records>) -> Vec<Cluster> {
        let mut clusters: Vec<(Cluster, Vec<Asked<'_>>)> = Vec::new();
        for asked in self.outcomes() {
            let told = self.told(asked.node);
            if !matches!(told.verdict, "failed" | "flaky" | "broken") {
                continue;
            }
            let again = self.graph.state(asked.node).and_then(State::key);
            let again = again.and_then(|key| self.recurrence(&key));
            let (runs, failed) = again.map_or((1, 1), |again| (again.runs, again.failed));
            let class = match told.verdict {
                "broken" => "infrastructure",
                "flaky" => "flaky",
                _ => "new",
            };
            let found = clusters
                .iter()
                .position(|(cluster, _)| cluster.signature == told.signature);
            let index = found.unwrap_or_else(|| {
                let cluster = Cluster {
                    signature: told.signature.clone(),
                    class,
                    reason: told.reason.clone(),
                    addresses: Vec::new(),
                    runs: 0,
                    failed: 0,
                    axes: BTreeSet::new(),
                    symbols: Vec::new(),
                };
                clusters.push((cluster, Vec::new()));
                clusters.len() - 1
            });
            let (cluster, members) = &mut clusters[index];
            // What came again once is no flake.
            if class == "new" {
                cluster.class = class;
            }
            cluster.runs += runs;
            cluster.failed += failed;
            let names: Vec<&str> = asked.address.split('/').collect();
            if let [_, arch, _, toolchain, ..] = names[..] {
                cluster.axes.insert(format!("{arch}/{toolchain}"));
            }
            cluster.addresses.push(asked.address.to_owned());
            members.push(asked);
        }
        let known = records.map(|records| self.known(records));
        let told = clusters.into_iter().map(|(mut cluster, members)| {
            if let Some(known) = &known {
                if cluster.class == "new" && known.contains(&cluster.signature) {
                    cluster.class = "known";
                }
                cluster.symbols = self.in_common(&members);
            }
            cluster
        });
        let mut clusters: Vec<Cluster> = told.collect();
        clusters.sort_by_key(|cluster| Reverse(cluster.addresses.len()));
        clusters
    }

    /// What all of these have in their .configs, and nothing of their kind and arch that succeeded has.
    fn in_common(&self, members: &[Asked<'_>]) -> Vec<String> {
        let Some(first) = members.first() else {
            return Vec::new();
        };
        let arch = &self.configs[first.of].arch;
        let succeeded = self.outcomes().filter(|asked| {
            asked.kind == first.kind
                && self.configs[asked.of].arch == *arch
                && self.told(asked.node).verdict == "succeeded"
        });
        let settings = |asked: &Asked<'_>| -> BTreeSet<String> {
            let config = self.settled(asked.of).ok().flatten();
            let set = config.iter().flat_map(|config| config.iter());
            let set = set.filter(|(_, value)| value.is_enabled());
            set.map(|(symbol, value)| format!("{symbol}={value}"))
                .collect()
        };
        let (members, good) = (members.iter().map(settings), succeeded);
        common(members, good.map(|asked| settings(&asked)))
    }

    /// Signatures of failures in the store that this exploration did not ask for.
    fn known(&self, records: &Records) -> BTreeSet<String> {
        let asked = self.builds.iter().chain(&self.boots);
        let asked = asked.map(|asked| asked.node);
        let nodes = self.configs.iter().map(|config| config.config).chain(asked);
        let own = nodes.filter_map(|node| self.graph.state(node)?.key());
        let own: BTreeSet<Digest> = own.collect();
        let others = records
            .iter()
            .filter(|record| record.verdict() == Verdict::Failed && !own.contains(&record.key()));
        let signatures = others
            .map(|record| signature(record.facts()).unwrap_or_else(|| record.message().to_owned()));
        signatures.collect()
    }
}

/// What is in all of some sets and in none of others; nothing of it where that is much, or where there is one set only, or none to compare with.
fn common(
    mut all: impl ExactSizeIterator<Item = BTreeSet<String>>,
    others: impl Iterator<Item = BTreeSet<String>>,
) -> Vec<String> {
    let (true, Some(mut common)) = (all.len() > 1, all.next()) else {
        return Vec::new();
    };
    all.for_each(|set| common.retain(|setting| set.contains(setting)));
    let mut compared = false;
    for set in others {
        compared = true;
        common.retain(|setting| !set.contains(setting));
    }
    common.retain(|_| compared);
    let few = common.len() <= MOST_COMMON;
    common.into_iter().filter(|_| few).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failures_have_and_nothing_else_has() {
        let told = |all: &[&str], others: &[&str]| {
            let set = |text: &&str| text.split(' ').map(str::to_owned).collect();
            common(all.iter().map(set), others.iter().map(set)).join(" ")
        };
        let many = "A B C D E F G H I";
        assert_eq!(told(&["A B C", "B C D", "E C B"], &["A B", "E"]), "C");
        assert_eq!(told(&["A B", "B A"], &["B"]), "A");
        assert_eq!(told(&["A B", "B"], &["B"]), "");
        assert_eq!(told(&["A"], &["B"]), "");
        assert_eq!(told(&["A", "A"], &[]), "");
        assert_eq!(told(&[many, many], &["Z"]), "");
        assert_eq!(told(&[many, many], &["A"]), "B C D E F G H I");
    }
}
