//! Neighbour builds: a kernel that starts from the objects of one that was built before.
//!
//! What a kernel's build leaves may be kept, as a tree of the class of its node: source, image, toolchain and targets, all but the .config.
//! A later kernel of that class sees the nearest tree below its own `/build`, and `make` does the rest, as it does for who changes
//! a .config by hand: `syncconfig` touches what stands for the symbols that changed, and what depends on these is compiled anew. Which tree
//! that is, is placement: it is in no key, and the bytes are those of a clean build.

use std::fs;

use serde_json::Value as Json;
use serde_json::json;
use store::Digest;
use store::Kept;
use store::KeyHasher;
use store::WorkDir;

use super::Broken;
use super::Job;
use super::OBJECTS;
use super::ObjectList;
use super::Tools;
use super::step::file;
use crate::graph::Slot;
use crate::graph::key;
use crate::kconfig::Config;
use crate::kconfig::Value;
use crate::sandbox::Layers;
use crate::text::counted;

/// How the objects of earlier kernels are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbours {
    /// Bytes that kept trees may take together.
    pub room: u64,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { room: 8 << 30 }
    }
}

/// A tree above so many others is not kept: each is one more place to look for every file.
const MOST_LAYERS: usize = 4;
/// Where more than this of the objects is expected to be compiled anew, in thousandths, a build is clean.
const MOST_SHARE: u64 = 900;

/// Symbols with which a kernel is always built clean and its tree is not kept, and why. Mutants that spare something spare them.
pub(super) const CLEAN: [(&str, &str); 5] = [
    (
        "DEBUG_INFO_BTF",
        "`pahole` numbers types in the order in which its threads meet them",
    ),
    (
        "GCC_PLUGIN_LATENT_ENTROPY",
        "its plugin takes random numbers from the machine for each object",
    ),
    (
        "GCOV_KERNEL",
        "gcc stamps each object with the time of its compilation",
    ),
    (
        "IKHEADERS",
        "it packs every header that lies in the tree, those of an earlier .config too",
    ),
    (
        "TRIM_UNUSED_KSYMS",
        "what is exported follows from what an earlier build used",
    ),
];

const BUILD: &str = "build";
const CONFIG: &str = "config";
const NAME: &str = "name";

/// Where a build starts.
pub(super) struct Start {
    kept: Kept,
    name: String,
    differ: usize,
    share: u64,
}

impl Start {
    /// A line for the user.
    pub(super) fn told(&self) -> String {
        let differ = counted(self.differ, "symbol differs", "symbols differ");
        format!("starts from {}, {differ}", self.name)
    }

    /// What the record keeps of it.
    pub(super) fn facts(&self) -> Json {
        let key = self.kept.keys.first().map(ToString::to_string);
        json!({ "kernel": key, "symbols": self.differ, "expected_permille": self.share })
    }
}

/// How near a tree is.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Distance {
    /// The part of its objects that is expected to be compiled anew, in thousandths.
    share: u64,
    /// How many symbols differ.
    differ: usize,
}

impl Tools {
    /// The kept tree that a kernel had best start from, if there is any.
    pub(super) fn start(&self, job: &Job, config: &[u8]) -> Result<Option<Start>, Broken> {
        let Some(config) = self.neighbours.and_then(|_| parse(config)) else {
            return Ok(None);
        };
        if let Some((symbol, why)) = always_clean(&config) {
            job.note(&format!("is built clean, as `{symbol}` is set: {why}"));
            return Ok(None);
        }
        let class = class(job);
        let mut near: Vec<_> = self
            .store
            .kept(&class)
            .into_iter()
            .filter_map(|(key, dir)| {
                let theirs = parse(&fs::read(dir.join(CONFIG)).ok()?)?;
                let objects = ObjectList::parse(&fs::read(dir.join(OBJECTS)).ok()?)?;
                Some((distance(&config, &theirs, &objects), key, dir))
            })
            .filter(|(distance, _, _)| distance.share <= MOST_SHARE)
            .collect();
        near.sort();
        for (Distance { share, differ }, key, dir) in near {
            let Some(kept) = self.store.use_kept(&class, &key)? else {
                continue;
            };
            // Behind a clock that was set back, what changed now would seem older than what was made before.
            let time = |facts: std::io::Result<fs::Metadata>| {
                facts.and_then(|facts| facts.modified()).ok()
            };
            if time(fs::metadata(dir.join(CONFIG))) > time(job.log.metadata()) {
                continue;
            }
            let name = fs::read_to_string(dir.join(NAME)).unwrap_or_default();
            return Ok(Some(Start {
                kept,
                name,
                differ,
                share,
            }));
        }
        Ok(None)
    }

    /// A scratch directory, and in it the layers that a build works on.
    pub(super) fn layers(&self, start: Option<&Start>) -> Result<(WorkDir, Layers), Broken> {
        let work = self.store.work_dir("kernel")?;
        let below = start.iter().flat_map(|start| &start.kept.paths);
        let below: Vec<_> = below.map(|path| path.join(BUILD)).collect();
        let layers = Layers::new(work.path().join(BUILD), below);
        let own = start.map(|_| layers.work());
        for dir in [layers.upper()].into_iter().chain(own.as_deref()) {
            fs::create_dir(dir).map_err(file("make", dir))?;
            self.give_to_worker(dir)?;
        }
        Ok((work, layers))
    }

    /// Keeps what a build left that succeeded without a warning, if later ones may start from it.
    pub(super) fn keep(
        &self,
        job: &Job,
        config: &[u8],
        start: Option<&Start>,
        (work, layers): (&WorkDir, &Layers),
        objects: &ObjectList,
    ) -> Result<(), Broken> {
        let Some(Neighbours { room }) = self.neighbours else {
            return Ok(());
        };
        let deep = start.map_or(0, |start| start.kept.keys.len()) >= MOST_LAYERS;
        if deep
            || parse(config)
                .as_ref()
                .is_none_or(|config| always_clean(config).is_some())
        {
            return Ok(());
        }
        // What was installed for one kernel is none of another's.
        for name in ["modules", "dtbs", "modules.tar", "dtbs.tar"] {
            let path = layers.upper().join(name);
            let removed = match path.symlink_metadata() {
                Ok(facts) if facts.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(_) => Ok(()),
            };
            removed.map_err(file("remove", &path))?;
        }
        let json = serde_json::to_vec(objects).unwrap_or_default();
        for (name, bytes) in [
            (CONFIG, config),
            (OBJECTS, &json),
            (NAME, job.name.as_bytes()),
        ] {
            let path = work.path().join(name);
            fs::write(&path, bytes).map_err(file("write", &path))?;
        }
        let mut inputs: Vec<_> = job
            .inputs
            .iter()
            .map(|(slot, digest)| (*slot, *digest))
            .collect();
        let key = key(&job.spec, &mut inputs);
        let above = start.map(|start| &start.kept);
        Ok(self.store.keep(&class(job), &key, work, above, room)?)
    }
}

/// Nodes whose builds differ by nothing but their .config.
fn class(job: &Job) -> Digest {
    let spec = &job.spec;
    let mut hasher = KeyHasher::new("engine 2026-11 object trees v1")
        .bytes(&spec.kind().revision().to_le_bytes())
        .digest(&spec.digest());
    for (slot, content) in job.inputs.iter().filter(|(slot, _)| **slot != Slot::Config) {
        hasher = hasher.str(slot.word()).digest(content);
    }
    hasher.finish()
}

fn parse(config: &[u8]) -> Option<Config> {
    Config::parse(&String::from_utf8_lossy(config)).ok()
}

fn always_clean(config: &Config) -> Option<(&'static str, &'static str)> {
    CLEAN
        .into_iter()
        .find(|(symbol, _)| config.is_enabled(symbol))
}

/// Each symbol's objects are taken for as good as random ones: which those are is not kept.
fn distance(ours: &Config, theirs: &Config, objects: &ObjectList) -> Distance {
    const WHOLE: u64 = 1_000_000_000;
    let all = objects.objects.len().max(1) as u64;
    let (mut left, mut differ) = (WHOLE, 0);
    for symbol in differing(ours, theirs) {
        differ += 1;
        left = left * all.saturating_sub(objects.dependents(symbol) as u64) / all;
    }
    Distance {
        share: 1000 - left / (WHOLE / 1000),
        differ,
    }
}

/// The symbols that differ between two .configs; one that is not spoken of is off.
fn differing<'c>(ours: &'c Config, theirs: &'c Config) -> impl Iterator<Item = &'c str> {
    let value = |config: &'c Config, symbol| config.get(symbol).unwrap_or(&Value::No);
    let both = ours.iter().map(|(symbol, _)| symbol);
    let more = theirs.iter().map(|(symbol, _)| symbol);
    let both = both.chain(more.filter(|symbol| ours.get(symbol).is_none()));
    both.filter(move |symbol| value(ours, symbol) != value(theirs, symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearer_is_what_compiles_less() {
        let config = |text: &str| Config::parse(text).unwrap();
        let base = config("CONFIG_A=y\nCONFIG_B=y\n# CONFIG_OFF is not set\n");
        let objects = ObjectList {
            objects: (0..100).map(|number| format!("{number}.o")).collect(),
            symbols: [("A".to_owned(), 50), ("B".to_owned(), 10)].into(),
            flags: ["FLAG".to_owned()].into(),
            ..ObjectList::default()
        };
        let far = |text: &str| {
            let distance = distance(&config(text), &base, &objects);
            (distance.share, distance.differ)
        };
        assert_eq!(far("CONFIG_B=y\nCONFIG_A=y\n"), (0, 0));
        assert_eq!(far("CONFIG_A=y\n"), (100, 1));
        assert_eq!(far("CONFIG_B=y\nCONFIG_NEW=y\n"), (500, 2));
        assert_eq!(far(""), (550, 2));
        assert_eq!(far("CONFIG_A=y\nCONFIG_B=y\nCONFIG_FLAG=y\n"), (1000, 1));
    }
}
