//! What was built and booted, build by build: `engine matrix`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use store::BriefRef;

use super::DriveError;
use super::Session;
use super::explain::describe;
use crate::console::BootResults;
use crate::console::TestOutcome;
use crate::console::printable;
use crate::graph::NodeId;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::plan::State;
use crate::spec::Kind;

/// One build and its boots.
#[derive(Clone, Debug)]
pub struct MatrixBuild {
    /// The build's address.
    pub build: String,
    /// What its kernel node says of itself, or why there is no kernel.
    pub kernel: Result<BuiltKernel, String>,
    /// Fixups that are not in the final .config, each with its outcome.
    pub dropped: Vec<String>,
    /// Why its boots are not known, where no board was matched yet.
    pub unmatched: Option<String>,
    /// Its boots by board and suite.
    pub boots: Vec<MatrixBoot>,
}

/// A kernel that was built.
#[derive(Clone, Debug)]
pub struct BuiltKernel {
    /// Kernel release, such as `6.1.192`.
    pub release: String,
    /// `CC_VERSION_TEXT` of its .config.
    pub compiler: String,
    /// Size of the boot image.
    pub image_bytes: u64,
    /// Milliseconds its build took.
    pub duration_ms: u64,
}

/// One boot of a build.
#[derive(Clone, Debug)]
pub struct MatrixBoot {
    /// Name of the board.
    pub board: String,
    /// Name of the suite.
    pub suite: String,
    /// `Err` says why it did not succeed.
    pub outcome: Result<(), String>,
    /// Milliseconds it took, where it ran.
    pub duration_ms: Option<u64>,
    /// How many tests passed, of how many.
    pub tests: (usize, usize),
    /// The last line of the console that the kernel or `/init` said.
    pub last_line: String,
}

/// Builds with their boots, and how far they came.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// In the order of their addresses.
    pub builds: Vec<MatrixBuild>,
    /// `SOURCE/ARCH` pairs of the builds.
    pub arches: usize,
    /// Those of which a build booted on every board that fits it, and on one at least.
    pub booted: usize,
}

/// The part of `metadata.json` that is shown.
#[derive(Deserialize)]
struct Metadata {
    kernel_release: String,
    compiler: Option<String>,
    image_bytes: u64,
}

#[derive(Default, Deserialize)]
struct ConfigFacts {
    dropped: Vec<Dropped>,
}

#[derive(Deserialize)]
struct Dropped {
    outcome: String,
}

impl MatrixBuild {
    /// Whether it booted on every board that fits it, and on one at least.
    pub fn booted(&self) -> bool {
        !self.boots.is_empty() && self.boots.iter().all(|boot| boot.outcome.is_ok())
    }

    fn arch(&self) -> String {
        self.build.split('/').take(2).collect::<Vec<_>>().join("/")
    }
}

impl Session {
    /// Looks the named builds up in the store.
    pub fn matrix(&self, patterns: &[String]) -> Result<Matrix, DriveError> {
        let progress = self.progress(Selection::of(patterns, None)?, false)?;
        let mut builds: BTreeMap<String, MatrixBuild> = BTreeMap::new();
        for id in progress.wanted() {
            let node = progress.graph().node(id);
            let name = node.name.to_string();
            match node.kind() {
                Kind::Kernel => {
                    let build = MatrixBuild {
                        dropped: dropped(&progress, &name),
                        kernel: self.built(&progress, id)?,
                        unmatched: None,
                        boots: Vec::new(),
                        build: name.clone(),
                    };
                    builds.insert(name, build);
                }
                Kind::Match => {
                    let state = progress.state(id);
                    let build = builds.get_mut(&name);
                    if let (Some(build), false) = (build, matches!(state, State::Done { .. })) {
                        build.unmatched = Some(describe(state));
                    }
                }
                Kind::Boot => {
                    let boot = self.booted(&progress, id, &name)?;
                    let build = name.rsplitn(3, '/').last().unwrap_or_default();
                    if let Some(build) = builds.get_mut(build) {
                        build.boots.push(boot);
                    }
                }
                _ => {}
            }
        }
        let builds: Vec<MatrixBuild> = builds.into_values().collect();
        let arches: BTreeSet<String> = builds.iter().map(MatrixBuild::arch).collect();
        let booted = builds.iter().filter(|build| build.booted());
        let booted: BTreeSet<String> = booted.map(MatrixBuild::arch).collect();
        Ok(Matrix {
            arches: arches.len(),
            booted: booted.len(),
            builds,
        })
    }

    fn built(
        &self,
        progress: &Progress<'_>,
        id: NodeId,
    ) -> Result<Result<BuiltKernel, String>, DriveError> {
        let record = match (progress.state(id), brief(progress, id)) {
            (State::Done { .. }, Some(record)) => record,
            (State::Failed { message, .. }, _) => return Ok(Err(message.to_string())),
            (state, _) => return Ok(Err(describe(state))),
        };
        let Some(metadata): Option<Metadata> = self.json(&record, "metadata.json")? else {
            return Ok(Err("its metadata is not readable".to_owned()));
        };
        Ok(Ok(BuiltKernel {
            release: metadata.kernel_release,
            compiler: metadata.compiler.unwrap_or_default(),
            image_bytes: metadata.image_bytes,
            duration_ms: record.duration_ms(),
        }))
    }

    fn booted(
        &self,
        progress: &Progress<'_>,
        id: NodeId,
        name: &str,
    ) -> Result<MatrixBoot, DriveError> {
        let mut parts = name.rsplit('/');
        let suite = parts.next().unwrap_or_default().to_owned();
        let board = parts.next().unwrap_or_default().to_owned();
        let record = brief(progress, id);
        let outcome = match progress.state(id) {
            State::Done { .. } => Ok(()),
            State::Failed { message, .. } => Err(message.to_string()),
            state => Err(describe(state)),
        };
        let mut boot = MatrixBoot {
            board,
            suite,
            outcome,
            duration_ms: record.as_ref().map(BriefRef::duration_ms),
            tests: (0, 0),
            last_line: String::new(),
        };
        let Some(record) = record else {
            return Ok(boot);
        };
        if let Some(results) = self.json::<BootResults>(&record, "results.json")? {
            let passed = results.count(TestOutcome::Pass);
            boot.tests = (passed, passed + results.count(TestOutcome::Fail));
        }
        if let Some(log) = record.output("console.log") {
            let text = printable(&self.store.read(&log)?);
            last_line(&text).clone_into(&mut boot.last_line);
        }
        Ok(boot)
    }

    /// An output of a record as JSON; `None` where it is not what this engine writes.
    fn json<T: for<'de> Deserialize<'de>>(
        &self,
        record: &BriefRef<'_>,
        name: &str,
    ) -> Result<Option<T>, DriveError> {
        let Some(digest) = record.output(name) else {
            return Ok(None);
        };
        Ok(serde_json::from_slice(&self.store.read(&digest)?).ok())
    }
}

/// The last line of a console that the kernel or `/init` said; else the last that is not QEMU's own.
/// What comes after the reboot that a suite ends with is no news: sparc64 panics, as QEMU does none.
fn last_line(console: &str) -> &str {
    let lines = || {
        let lines = console.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with("[qemu]"))
    };
    let mut ending = lines().skip_while(|line| !line.starts_with("engine: suite exited"));
    if let Some(reboot) = ending.find(|line| line.contains("] reboot: ")) {
        return reboot;
    }
    let said = |line: &&str| line.starts_with('[') || line.starts_with("engine: ");
    let last = lines().rfind(said).or_else(|| lines().next_back());
    last.unwrap_or_default()
}

/// The outcomes of the fixups that a build's .config has not.
fn dropped(progress: &Progress<'_>, build: &str) -> Vec<String> {
    let config = progress.graph().find(Kind::Config, build);
    let facts = config.and_then(|id| brief(progress, id));
    let facts: ConfigFacts = facts
        .and_then(|record| serde_json::from_str(record.facts()).ok())
        .unwrap_or_default();
    facts.dropped.into_iter().map(|d| d.outcome).collect()
}

fn brief<'p>(progress: &Progress<'p>, id: NodeId) -> Option<BriefRef<'p>> {
    let key = progress.state(id).key()?;
    progress.records().get(&key)
}

#[cfg(test)]
mod tests {
    use super::last_line;

    #[test]
    fn the_last_line_is_no_remark_of_firmware_or_qemu() {
        let console = "[    6.6] reboot: Restarting system\nBOOT[    6.615178]\n[qemu] aborted\n";
        assert_eq!(last_line(console), "[    6.6] reboot: Restarting system");
        let console = "[    0.0] reboot: HP board detected\nengine: suite exited 0\n\
            [    2.9] reboot: Restarting system\n[    2.9] Kernel panic: Reboot failed!\n";
        assert_eq!(last_line(console), "[    2.9] reboot: Restarting system");
        assert_eq!(
            last_line("[    0.0] reboot: x\n[    1.0] ---[ end Kernel panic ]---"),
            "[    1.0] ---[ end Kernel panic ]---"
        );
        assert_eq!(last_line("SeaBIOS\n\n[qemu] killed\n"), "SeaBIOS");
        assert_eq!(last_line(""), "");
    }
}
