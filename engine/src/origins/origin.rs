//! What an origin of kernel sources must be able to do.

use std::fmt;
use std::path::Path;

use super::HostNeed;
use super::OriginError;
use super::debian::DebianSource;
use super::debian::deb_member;
use super::git::GitSource;
use super::tarball::Tarball;
use crate::kconfig::Version;
use crate::lock::Request;
use crate::model::SourceOrigin;
use crate::sandbox::Cancel;
use crate::spec::FetchSpec;
use crate::spec::SourceForm;

/// An origin of kernel sources.
pub trait Origin: fmt::Debug {
    /// What is asked of a mirror and pinned; nothing where the definition pins it itself.
    fn request(&self) -> Option<Request>;

    /// What is downloaded where the definition pins it itself.
    fn fetch(&self) -> Option<FetchSpec>;

    /// Programs and files of the host that its pin needs.
    fn host_needs(&self) -> &'static [HostNeed] {
        &[]
    }

    /// What the downloaded file is.
    fn form(&self) -> SourceForm;

    /// The kernel's version, where the origin's name says it.
    fn version(&self) -> Option<Version>;
}

/// The origin of a declaration.
pub fn origin(declared: &SourceOrigin) -> Box<dyn Origin + '_> {
    match declared {
        SourceOrigin::Debian { package, suite } => Box::new(DebianSource { package, suite }),
        SourceOrigin::Tarball { urls, sha256 } => Box::new(Tarball { urls, sha256 }),
        SourceOrigin::Git(git) => Box::new(GitSource(git)),
    }
}

/// Takes the tarball out of a downloaded file, to `out`; false where the file is the tarball.
pub fn tarball(
    form: &SourceForm,
    file: &Path,
    out: &Path,
    cancel: &Cancel,
) -> Result<bool, OriginError> {
    match form {
        SourceForm::Tarball => Ok(false),
        SourceForm::Deb { member } => deb_member(file, member, out, cancel).map(|()| true),
    }
}
