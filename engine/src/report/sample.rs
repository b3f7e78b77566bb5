//! A run with one node of every outcome, for the tests of all reports.

use std::path::PathBuf;

use store::Digest;
use store::OutcomeVerdict;

use crate::realise::NodeReport;
use crate::realise::RunReport;
use crate::spec::Kind;

const SUNXI: &str = "linux-6.1/arm/sunxi_defconfig/gcc";
const TINY: &str = "linux-6.1/amd64/tiny/clang";

/// Gives the run. The failed kernel's log is at `/nowhere/build.log`.
pub(super) fn run() -> RunReport {
    let node = |kind, name: &str, verdict, duration_ms| NodeReport {
        kind,
        name: name.to_owned(),
        verdict,
        cached: false,
        key: None,
        reason: String::new(),
        log: None,
        duration_ms,
    };
    let mut nodes = vec![
        node(Kind::Image, "kbuild", OutcomeVerdict::Succeeded, 61_400),
        node(Kind::Kernel, SUNXI, OutcomeVerdict::Succeeded, 3_725_000),
        node(
            Kind::Boot,
            &format!("{SUNXI}/qemu-cubieboard/general"),
            OutcomeVerdict::Broken,
            0,
        ),
        node(Kind::Kernel, TINY, OutcomeVerdict::Failed, 4_250),
        node(
            Kind::Boot,
            &format!("{TINY}/qemu-pc/general"),
            OutcomeVerdict::Skipped,
            0,
        ),
    ];
    nodes[1].cached = true;
    nodes[1].key = Some(Digest::of(b"sunxi"));
    nodes[2].reason = "cannot run `qemu-system-arm`: not found".to_owned();
    nodes[3].reason = "make ended with status 2".to_owned();
    nodes[3].log = Some(PathBuf::from("/nowhere/build.log"));
    nodes[4].reason = format!("`kernel:{TINY}` failed");
    RunReport {
        started_ms: 1_795_000_000_000,
        nodes,
        duration_ms: 65_650,
        interrupted: false,
    }
}
