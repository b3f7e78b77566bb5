//! What a family of root filesystems must be able to do.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use store::Store;

use super::OriginError;
use super::debian::Debian;
use super::gentoo::Gentoo;
use super::git;
use super::http::Http;
use super::origin::origin;
use crate::lock::Pin;
use crate::lock::PinnedCommit;
use crate::lock::PinnedFile;
use crate::lock::Provider;
use crate::lock::Request;
use crate::machine::Packages;
use crate::model::Abi;
use crate::model::Base;
use crate::model::BaseOrigin;
use crate::model::Catalog;
use crate::model::FamilyName;
use crate::model::Image;
use crate::model::Toolchain;
use crate::model::ToolchainKind;
use crate::sandbox::Cancel;
use crate::sandbox::Sandbox;
use crate::spec::FetchBy;
use crate::spec::FetchFile;
use crate::spec::FetchSpec;
use crate::spec::Libraries;
use crate::text::Spelling;

/// A family of root filesystems.
pub trait Family: fmt::Debug + Sync {
    /// How the names of its packages are spelt.
    fn package(&self) -> &'static Spelling;

    /// What programs of one of its architectures are compiled for.
    fn abi(&self, arch: &str) -> Option<Abi>;

    /// The architectures it has.
    fn arches(&self) -> Vec<String>;

    /// Where a compiler out of one of its images finds its libraries, on a host that runs it.
    fn libraries(&self, host: Abi) -> Option<Libraries>;

    /// What is asked of it for a base; nothing for a base of another family.
    fn base_request(&self, base: &BaseOrigin) -> Option<Request>;

    /// What is asked of it for an image: what its packages add to the base, or are made from.
    fn image_request(&self, base: &BaseOrigin, image: &Image) -> Option<Request>;

    /// What its own program is told when it adds packages, by names of that program.
    fn settings(&self, _base: &BaseOrigin) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Asks the mirror what answers a request today. Network.
    fn resolve(&self, request: &Request, means: &Means<'_>) -> Result<Answer, OriginError>;

    /// Equivalent places of a pinned file, in the order they are tried.
    fn places(&self, _request: &Request, url: &str) -> Vec<String> {
        vec![url.to_owned()]
    }

    /// Downloads those of the pinned files that the store lacks. What came before a failure is stored too. Network.
    fn obtain(&self, files: &[FetchFile], means: &Means<'_>) -> Result<(), OriginError>;

    /// Makes a base from exactly the files in `work`/`files`, by the pinned keys where they are signed, and puts it, as a byte-reproducible tarball, at `work`/`tar`.
    fn base(
        &self,
        base: &BaseOrigin,
        keys: Option<&str>,
        work: &Path,
        sandbox: &Sandbox,
        means: &Means<'_>,
    ) -> Result<(), OriginError>;

    /// How packages are added to a root filesystem, by [`Self::settings`].
    fn adding(&self, packages: &[String], settings: &BTreeMap<String, String>) -> Adding;

    /// Programs and files of the host that bases and pins need.
    fn host_needs(&self) -> &'static [HostNeed] {
        &[]
    }

    /// [`Self::settings`] as its program reads them.
    fn settings_text(&self, _settings: &BTreeMap<String, String>) -> String {
        String::new()
    }

    /// What is kept between runs for images of a base that lies unpacked at `base`, most general first.
    fn volumes(&self, _base: &Path, _settings: &BTreeMap<String, String>) -> Vec<Volume> {
        Vec::new()
    }

    /// Downloads what [`Adding::asks`] asked for into the volumes, checked by the pinned keys where it is signed. Network.
    fn supply(
        &self,
        _asked: &str,
        _settings: &BTreeMap<String, String>,
        _keys: Option<&str>,
        _volumes: &[PathBuf],
        _means: &Means<'_>,
    ) -> Result<(), OriginError> {
        Ok(())
    }

    /// The line of a log that says why no package could be added, where its program has words of its own for that.
    fn telling(&self, _log: &str) -> Option<String> {
        None
    }
}

/// A program of the host, or a file of it by its path, that something declared needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostNeed {
    /// Its name, or its path.
    pub what: &'static str,
    /// What needs it.
    pub wanted_for: &'static str,
    /// Who has it.
    pub packages: Packages,
}

/// What a mirror answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The files, sorted by package.
    pub files: Vec<PinnedFile>,
    /// Fingerprint of the OpenPGP key whose signature was checked here.
    pub signer: Option<String>,
    /// The trusted keys in armour, where files have signatures that are checked by them later.
    pub keys: Option<String>,
    /// The commit, of a git repository.
    pub commit: Option<PinnedCommit>,
}

/// How packages are added to a root filesystem. Scripts run in it as root, without a network, with `$PACKAGES` and `$SETTINGS`, and
/// may write to `/build`.
#[derive(Clone, Debug, Default)]
pub struct Adding {
    /// Where the one pinned tarball lies unpacked. All pinned files lie at `/files`.
    pub tree: Option<&'static str>,
    /// Writes what is to be downloaded to `/build/asked`.
    pub asks: Option<String>,
    /// Adds the packages, and leaves nothing that carries the clock.
    pub script: String,
    /// Writes what is installed to `/build/packages`, a name and version per line, and more facts to `/build/facts`, a name and a value
    /// per line.
    pub facts: String,
}

/// A directory kept between runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its path below all volumes.
    pub name: String,
    /// Where it lies in the root filesystem.
    pub target: &'static str,
}

/// How the network may be used. Decides whether something can be had, never what.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// How long a server may say nothing.
    pub patience: Duration,
    /// Nothing is asked of any server: what the store lacks is an error.
    pub offline: bool,
}

/// What a family works with. Nothing here decides what it gives.
pub struct Means<'a> {
    /// Where files are kept.
    pub store: &'a Store,
    /// Where programs write what they say.
    pub log: &'a File,
    /// What ends it.
    pub cancel: &'a Cancel,
    /// How it is reached what is not in the store.
    pub network: Network,
    /// Takes a line for the user.
    pub note: &'a dyn Fn(&str),
    /// Takes how many bytes of a file have come, and of how many.
    pub progress: &'a dyn Fn(u64, Option<u64>),
}

/// The family of a name.
pub fn family(name: FamilyName) -> &'static dyn Family {
    match name {
        FamilyName::Debian => &Debian,
        FamilyName::Gentoo => &Gentoo,
    }
}

/// Whether a file needs no download.
pub(super) fn is_stored(file: &FetchFile, store: &Store) -> bool {
    let mut checksums = file.checksums.iter();
    checksums.any(|checksum| store.blob_named(checksum).is_some())
}

/// What is downloaded for a file of a pin.
pub fn fetch_file(request: &Request, file: &PinnedFile) -> FetchFile {
    let mut fetch = file.to_fetch();
    if let Provider::Family(name) = request.family {
        fetch.urls = family(name).places(request, &file.url);
    }
    fetch
}

/// What is fetched for a pin.
pub fn fetch_pin(pin: &Pin, depth: u32) -> FetchSpec {
    let by = match (pin.request.family, &pin.commit) {
        (Provider::Family(name), _) => FetchBy::Family(name),
        (Provider::Git, commit) => FetchBy::Git(git::tree(&pin.request, commit.as_ref(), depth)),
    };
    let files = pin.files.iter();
    let files = files.map(|file| fetch_file(&pin.request, file)).collect();
    FetchSpec { by, files }
}

/// Asks what answers a request today. Network.
pub fn resolve(request: &Request, means: &Means<'_>) -> Result<Answer, OriginError> {
    match request.family {
        Provider::Family(name) => family(name).resolve(request, means),
        Provider::Git => git::resolve(request, means),
    }
}

/// Downloads those of the files that the store lacks, in the way that is asked for. Network.
pub fn obtain(by: &FetchBy, files: &[FetchFile], means: &Means<'_>) -> Result<(), OriginError> {
    if means.network.offline
        && let Some(file) = files.iter().find(|file| !is_stored(file, means.store))
    {
        let file = file.name.clone();
        return Err(OriginError::Offline { file });
    }
    match by {
        FetchBy::Family(name) => family(*name).obtain(files, means),
        FetchBy::Http => Http::new(means)?.obtain(files),
        FetchBy::Git(tree) => git::obtain(tree, means),
    }
}

/// Every request of a catalog, by the name of its pin: `source/NAME`, `base/NAME`, `image/NAME`.
pub fn requests(catalog: &Catalog) -> BTreeMap<String, Request> {
    let mut requests = BTreeMap::new();
    for source in catalog.sources.values() {
        if let Some(request) = origin(&source.origin).request() {
            requests.insert(format!("source/{}", source.name), request);
        }
    }
    for Base { name, origin } in catalog.bases.values() {
        let request = family(origin.family()).base_request(origin);
        requests.extend(request.map(|request| (format!("base/{name}"), request)));
    }
    for image in catalog.images.values() {
        if let Some(Base { origin, .. }) = catalog.bases.get(&image.base) {
            let request = family(origin.family()).image_request(origin, image);
            requests.extend(request.map(|request| (format!("image/{}", image.name), request)));
        }
    }
    requests
}

/// What a base is for.
pub fn abi_of_base(base: &Base) -> Option<Abi> {
    family(base.origin.family()).abi(base.origin.arch())
}

/// What a toolchain in an image of a base compiles for: by the triplet in a cross compiler's prefix, else what the base is for.
pub fn abi_of(toolchain: &Toolchain, base: &Base) -> Option<Abi> {
    match &toolchain.kind {
        ToolchainKind::Cross { prefix } => Abi::of_prefix(prefix),
        ToolchainKind::Gcc | ToolchainKind::Clang => abi_of_base(base),
    }
}
