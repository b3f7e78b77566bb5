//! What a family of root filesystems must be able to do.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use store::Store;

use super::OriginError;
use super::debian::Debian;
use super::origin::origin;
use crate::lock::PinnedFile;
use crate::lock::Request;
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
use crate::spec::FetchFile;
use crate::spec::Libraries;
use crate::text::Spelling;

/// A family of root filesystems.
pub trait Family: fmt::Debug + Sync {
    /// How the names of its packages are spelt.
    fn package(&self) -> &'static Spelling;

    /// What programs of one of its architectures are compiled for.
    fn abi(&self, arch: &str) -> Option<Abi>;

    /// The architectures that [`Self::abi`] knows.
    fn arches(&self) -> Vec<&'static str>;

    /// Where a compiler out of one of its images finds its libraries, on a host that runs it.
    fn libraries(&self, host: Abi) -> Option<Libraries>;

    /// What is asked of it for a base.
    fn base_request(&self, base: &BaseOrigin) -> Request;

    /// What is asked of it for an image: what its packages add to the base.
    fn image_request(&self, base: &BaseOrigin, image: &Image) -> Request;

    /// Asks the mirror what answers a request today; the files are sorted by package. Network.
    fn resolve(&self, request: &Request, means: &Means<'_>)
    -> Result<Vec<PinnedFile>, OriginError>;

    /// Downloads those of the pinned files that the store lacks. What came before a failure is stored too. Network.
    fn obtain(&self, files: &[FetchFile], means: &Means<'_>) -> Result<(), OriginError>;

    /// Makes a base from exactly the files in `work`/`files`, and puts it, as a byte-reproducible tarball, at `work`/`tar`.
    fn base(
        &self,
        base: &BaseOrigin,
        work: &Path,
        sandbox: &Sandbox,
        means: &Means<'_>,
    ) -> Result<(), OriginError>;

    /// A script that adds the packages in `/files`, all of which are wanted, to the root filesystem it runs in as root, and leaves
    /// nothing there that carries the clock.
    fn install(&self) -> &'static str;
}

/// What a family works with. Nothing here decides what it gives.
pub struct Means<'a> {
    /// Where files are kept.
    pub store: &'a Store,
    /// Where programs write what they say.
    pub log: &'a File,
    /// What ends it.
    pub cancel: &'a Cancel,
    /// How long a server may say nothing.
    pub patience: Duration,
    /// Takes a line for the user.
    pub note: &'a dyn Fn(&str),
}

/// The family of a name.
pub fn family(name: FamilyName) -> &'static dyn Family {
    match name {
        FamilyName::Debian => &Debian,
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
        requests.insert(format!("base/{name}"), request);
    }
    for image in catalog.images.values() {
        if let Some(Base { origin, .. }) = catalog.bases.get(&image.base) {
            let request = family(origin.family()).image_request(origin, image);
            requests.insert(format!("image/{}", image.name), request);
        }
    }
    requests
}

/// What a toolchain in an image of a base compiles for: by the triplet in a cross compiler's prefix, else what the base is for.
pub fn abi_of(toolchain: &Toolchain, base: &Base) -> Option<Abi> {
    match &toolchain.kind {
        ToolchainKind::Cross { prefix } => Abi::of_prefix(prefix),
        ToolchainKind::Gcc | ToolchainKind::Clang => {
            family(base.origin.family()).abi(base.origin.arch())
        }
    }
}
