//! Boards against builds: which fit, why others do not, and whether an address that names boots has any.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;

use flate2::bufread::GzDecoder;

use super::DriveError;
use super::Session;
use super::explain::describe;
use super::session::find_node;
use crate::graph::Node;
use crate::graph::Output;
use crate::kconfig::Config;
use crate::matching::BoardVerdict;
use crate::matching::Needs;
use crate::matching::match_boards;
use crate::model::Abi;
use crate::plan::Below;
use crate::plan::Progress;
use crate::plan::Selection;
use crate::plan::State;
use crate::spec::Kind;
use crate::text::did_you_mean;

/// Boards against one build.
#[derive(Clone, Debug)]
pub struct BoardWhy {
    /// The build's address.
    pub build: String,
    /// `Err` says why the .config is not known.
    pub boards: Result<Vec<BoardVerdict>, String>,
}

/// Most bytes of a .config: thirty times a distribution's.
const MOST_CONFIG: u64 = 8 << 20;

/// How many builds and boards that do not fit each other are told one by one.
const TOLD: usize = 10;

impl Session {
    /// Every board against every named build.
    pub fn boards(&self, patterns: &[String]) -> Result<Vec<BoardWhy>, DriveError> {
        let selection = Selection::of(patterns, Some(Kind::Config))?;
        let progress = self.progress(selection, false)?;
        let configs = progress
            .wanted()
            .filter(|id| progress.graph().node(*id).kind() == Kind::Config);
        let mut found = Vec::new();
        for id in configs {
            found.push(self.board_why(&progress, &progress.graph().node(id).name)?);
        }
        Ok(found)
    }

    /// Every board against a .config that somebody has, plain or compressed by gzip as `/proc/config.gz` is.
    pub fn boards_of(&self, path: &Path) -> Result<BoardWhy, DriveError> {
        let wrong = |why: String| DriveError::NoConfig {
            path: path.to_owned(),
            why,
        };
        let bytes = read_config(path).map_err(|error| wrong(error.to_string()))?;
        let config = Config::parse(&String::from_utf8_lossy(&bytes));
        let config = config.map_err(|error| wrong(error.to_string()))?;
        if config.iter().next().is_none() {
            return Err(wrong("it sets no symbol".to_owned()));
        }
        Ok(BoardWhy {
            build: path.display().to_string(),
            boards: Ok(match_boards(&config, Needs::of(&self.catalog))),
        })
    }

    /// Every board against one build.
    fn board_why(&self, progress: &Progress<'_>, build: &str) -> Result<BoardWhy, DriveError> {
        let config = self.config(progress, build)?;
        Ok(BoardWhy {
            build: build.to_owned(),
            boards: config.map(|config| match_boards(&config, Needs::of(&self.catalog))),
        })
    }

    /// The resolved .config of a build, or where its node stands.
    fn config(
        &self,
        progress: &Progress<'_>,
        build: &str,
    ) -> Result<Result<Config, String>, DriveError> {
        let name = format!("config:{build}");
        let Some(id) = find_node(progress, &name) else {
            return Err(DriveError::NothingNamed {
                pattern: build.to_owned(),
                similar: None,
            });
        };
        let state = progress.state(id);
        let State::Done { content, .. } = state else {
            return Ok(Err(describe(state)));
        };
        let digest = content.iter().find(|(output, _)| *output == Output::Config);
        let Some((_, digest)) = digest else {
            return Ok(Err("it has no .config".to_owned()));
        };
        let text = self.store.read(digest)?;
        Ok(Config::parse(&String::from_utf8_lossy(&text)).map_err(|error| error.to_string()))
    }

    /// Why a build boots on a board or does not: a line that says which, and one for each reason.
    pub fn told(&self, build: &BoardWhy, board: &str) -> Vec<String> {
        let name = &build.build;
        let verdicts = match &build.boards {
            Ok(verdicts) => verdicts,
            Err(state) => {
                return vec![format!(
                    "{name} on {board}: the .config is not known: {state}"
                )];
            }
        };
        let verdict = verdicts.iter().find(|verdict| verdict.board == board);
        let matched = verdict.is_some_and(|verdict| verdict.matched);
        let word = if matched { "match" } else { "no match" };
        let declared = self.catalog.boards.get(board);
        let rootfs = declared.map_or("", |board| board.rootfs.as_str());
        let abi = declared.and_then(|board| self.catalog.abi(board));
        let abi = abi.map_or("", Abi::name);
        let reasons = verdict.iter().flat_map(|verdict| {
            let own = verdict.reasons.iter().map(|reason| format!("  {reason}"));
            let below = verdict.rootfs.iter();
            own.chain(
                below.map(move |reason| format!("  rootfs `{rootfs}`, ABI `{abi}`: {reason}")),
            )
        });
        std::iter::once(format!("{name} on {board}: {word}"))
            .chain(reasons)
            .collect()
    }

    /// Refuses patterns that name boots no declaration could give.
    pub(super) fn check_below(&self, selection: &Selection) -> Result<(), DriveError> {
        if selection.is_all() {
            return Ok(());
        }
        let builds = self.builds();
        let below = selection.below(&builds);
        if below.is_empty() {
            return Ok(());
        }
        let endings: Vec<String> = self.boots().endings().collect();
        for pattern in below {
            let named = self.named(&pattern, &builds, &endings);
            if !named.as_ref().is_some_and(|(_, said)| *said) {
                let whole = named.map(|(address, _)| address);
                let similar = whole.or_else(|| self.similar(&pattern.text));
                let pattern = pattern.text;
                return Err(DriveError::NothingNamed { pattern, similar });
            }
        }
        Ok(())
    }

    /// An address that a pattern names, and whether the pattern says all that is manual in it: one of which it does, if there is one.
    fn named(
        &self,
        pattern: &Below<'_>,
        builds: &[&str],
        endings: &[String],
    ) -> Option<(String, bool)> {
        let through = builds.iter().filter(|build| pattern.leads_through(build));
        let mut unsaid = None;
        let mut named = through.flat_map(|build| {
            let endings = endings.iter();
            endings.filter_map(move |ending| pattern.names(build, ending, &self.catalog))
        });
        let said = named.find(|(address, said)| {
            if !said {
                unsaid.get_or_insert_with(|| address.clone());
            }
            *said
        });
        said.or_else(|| unsaid.map(|address| (address, false)))
    }

    /// Fails where an address names boots, and the .config of no build that it names meets what the boards need. Builds that are not
    /// matched yet decide nothing.
    pub fn matched(&self, patterns: &[String], until: Option<Kind>) -> Result<(), DriveError> {
        if patterns.is_empty() || until.is_some_and(|until| until < Kind::Boot) {
            return Ok(());
        }
        let selection = Selection::of(patterns, until)?;
        let builds = self.builds();
        let below = selection.below(&builds);
        if below.is_empty() {
            return Ok(());
        }
        let progress = self.progress(selection.clone(), false)?;
        let mut lines = Vec::new();
        for pattern in below {
            lines.extend(self.unfit(&progress, &builds, &pattern)?);
        }
        if lines.is_empty() {
            Ok(())
        } else {
            Err(DriveError::NotMatched(lines))
        }
    }

    /// What keeps every boot that a pattern names from being one, if there is none.
    fn unfit(
        &self,
        progress: &Progress<'_>,
        builds: &[&str],
        pattern: &Below<'_>,
    ) -> Result<Vec<String>, DriveError> {
        let graph = progress.graph();
        let boots = graph.ids().map(|id| graph.node(id));
        let mut boots = boots.filter(|node| matches!(node.kind(), Kind::Boot | Kind::Probe));
        if boots.any(|node| pattern.covers(&node.name)) {
            return Ok(Vec::new());
        }
        let (mut lines, mut more) = (Vec::new(), 0);
        for build in builds.iter().filter(|build| pattern.leads_through(build)) {
            let id = graph.find(Kind::Match, build);
            if !id.is_some_and(|id| matches!(progress.state(id), State::Done { .. })) {
                // What it fits is not known; that it could not be matched is told by the run.
                return Ok(Vec::new());
            }
            let mut boards: Vec<String> = Vec::new();
            for ending in self.boots().endings() {
                let named = pattern.names(build, &ending, &self.catalog);
                let board = ending.split('/').next().unwrap_or_default();
                if named.is_some_and(|(_, said)| said) && boards.last().is_none_or(|b| b != board) {
                    boards.push(board.to_owned());
                }
            }
            let room = TOLD.saturating_sub(lines.len());
            more += boards.len().saturating_sub(room);
            boards.truncate(room);
            if boards.is_empty() {
                continue;
            }
            let why = self.board_why(progress, build)?;
            for board in boards {
                let mut told = self.told(&why, &board);
                if told.len() == 1 {
                    told.push("  no lab here can boot it".to_owned());
                }
                lines.push(told.join("\n"));
            }
        }
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        Ok(lines)
    }

    /// Addresses of all builds.
    fn builds(&self) -> Vec<&str> {
        let nodes = self.graph().ids().map(|id| self.graph().node(id));
        let kernels = nodes.filter(|node| node.kind() == Kind::Kernel);
        kernels.map(|node| &*node.name).collect()
    }

    /// The name most like a mistyped one: with each word that no name has set right, else the most similar name.
    pub(super) fn similar(&self, pattern: &str) -> Option<String> {
        let (kind, rest) = match pattern.split_once(':') {
            Some((word, rest)) if Kind::of_word(word).is_some() => (&pattern[..=word.len()], rest),
            _ => ("", pattern),
        };
        let endings: Vec<String> = self.boots().endings().collect();
        let nodes = || self.graph().ids().map(|id| self.graph().node(id));
        let words = nodes().flat_map(|node| node.name.split('/'));
        let words: BTreeSet<&str> = words
            .chain(endings.iter().flat_map(|ending| ending.split('/')))
            .collect();
        let set_right = |part: &str| {
            let known = part.contains('*') || words.contains(part);
            let near = || did_you_mean(part, words.iter().copied());
            if known { None } else { near() }.map_or_else(|| part.to_owned(), str::to_owned)
        };
        let right: Vec<String> = rest.split('/').map(set_right).collect();
        let right = right.join("/");
        if right != rest && self.names_something(&format!("{kind}{right}")) {
            return Some(format!("{kind}{right}"));
        }
        let boots = nodes().filter(|node| node.kind() == Kind::Kernel);
        let boots = boots
            .filter(|node| rest.starts_with(&*node.name))
            .flat_map(|node| {
                let endings = endings.iter();
                endings.map(|ending| format!("{kind}{}/{ending}", node.name))
            });
        let names = nodes().map(|node| match node.kind() {
            Kind::Kernel if kind.is_empty() => node.name.to_string(),
            _ => node.full_name(),
        });
        names
            .chain(boots)
            .map(|name| (strsim::jaro_winkler(&name, pattern), name))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name)
    }

    fn names_something(&self, pattern: &str) -> bool {
        let Ok(selection) = Selection::of(&[pattern.to_owned()], None) else {
            return false;
        };
        let nodes: Vec<&Node> = self.graph().ids().map(|id| self.graph().node(id)).collect();
        let endings: Vec<String> = self.boots().endings().collect();
        let builds = self.builds();
        let below = selection.below(&builds);
        let named = |pattern| self.named(pattern, &builds, &endings).is_some();
        selection.unmatched(&nodes).is_empty() && below.iter().all(named)
    }
}

/// A file's bytes, of one that is compressed those inside.
fn read_config(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = BufReader::new(File::open(path)?);
    let is_gzip = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let content: Box<dyn Read> = if is_gzip {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut bytes = Vec::new();
    content.take(MOST_CONFIG).read_to_end(&mut bytes)?;
    Ok(bytes)
}
