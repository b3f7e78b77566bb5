//! Any spec, its canonical encoding, and the digest of that.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde_json::Value;
use store::Digest;

use super::BaseSpec;
use super::BootSpec;
use super::ConfigSpec;
use super::FetchSpec;
use super::ImageSpec;
use super::KconfigSpec;
use super::KernelSpec;
use super::Kind;
use super::LavaSpec;
use super::MatchSpec;
use super::ProbeSpec;
use super::RootfsSpec;
use super::SourceSpec;

/// Everything that is said about one node, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each variant is its struct, which says the rest"
)]
pub enum Spec {
    Fetch(FetchSpec),
    Source(SourceSpec),
    Base(BaseSpec),
    Image(ImageSpec),
    Kconfig(KconfigSpec),
    Config(ConfigSpec),
    Kernel(KernelSpec),
    Match(MatchSpec),
    Rootfs(RootfsSpec),
    Probe(ProbeSpec),
    Boot(BootSpec),
    Lava(LavaSpec),
}

impl Spec {
    /// What kind of node it makes.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Fetch(_) => Kind::Fetch,
            Self::Source(_) => Kind::Source,
            Self::Base(_) => Kind::Base,
            Self::Image(_) => Kind::Image,
            Self::Kconfig(_) => Kind::Kconfig,
            Self::Config(_) => Kind::Config,
            Self::Kernel(_) => Kind::Kernel,
            Self::Match(_) => Kind::Match,
            Self::Rootfs(_) => Kind::Rootfs,
            Self::Probe(_) => Kind::Probe,
            Self::Boot(_) | Self::Lava(_) => Kind::Boot,
        }
    }

    /// The canonical encoding: JSON with the keys of objects sorted, without the kind. Its text is what a key digests,
    /// and what the preimage of a key keeps.
    ///
    /// The map of `serde_json` is sorted unless some crate asks it to keep another order; a test holds that none does.
    pub fn canonical(&self) -> Value {
        let encoded = match self {
            Self::Fetch(spec) => serde_json::to_value(spec),
            Self::Source(spec) => serde_json::to_value(spec),
            Self::Base(spec) => serde_json::to_value(spec),
            Self::Image(spec) => serde_json::to_value(spec),
            Self::Kconfig(spec) => serde_json::to_value(spec),
            Self::Config(spec) => serde_json::to_value(spec),
            Self::Kernel(spec) => serde_json::to_value(spec),
            Self::Match(spec) => serde_json::to_value(spec),
            Self::Rootfs(spec) => serde_json::to_value(spec),
            Self::Probe(spec) => serde_json::to_value(spec),
            Self::Boot(spec) => serde_json::to_value(spec),
            Self::Lava(spec) => serde_json::to_value(spec),
        };
        // Specs are structs, strings, numbers, lists and maps with strings as keys: JSON has them all.
        encoded.unwrap_or_default()
    }
}

/// A spec that is not changed any more, with the digest of its canonical encoding.
///
/// Nodes of equal specs share one: of a hundred thousand nodes most differ by their inputs alone.
#[derive(Clone)]
pub struct Closed(Arc<(Spec, Digest)>);

impl Closed {
    /// The spec.
    pub fn spec(&self) -> &Spec {
        &self.0.0
    }

    /// Digest of the canonical encoding.
    pub fn digest(&self) -> Digest {
        self.0.1
    }

    /// What kind of node it makes.
    pub fn kind(&self) -> Kind {
        self.spec().kind()
    }
}

impl From<Spec> for Closed {
    fn from(spec: Spec) -> Self {
        let digest = Digest::of(spec.canonical().to_string().as_bytes());
        Self(Arc::new((spec, digest)))
    }
}

/// By kind and digest: of one kind, equal encodings are equal specs.
impl PartialEq for Closed {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest() && self.kind() == other.kind()
    }
}

impl Eq for Closed {}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec().fmt(f)
    }
}

impl Serialize for Closed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Closed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::new(Deserialize::deserialize(deserializer)?)))
    }
}
