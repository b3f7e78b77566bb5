//! A tarball by URL, which the definition pins itself.

use store::Algorithm;
use store::Checksum;

use super::Origin;
use crate::kconfig::Version;
use crate::lock::Request;
use crate::spec::FetchBy;
use crate::spec::FetchFile;
use crate::spec::FetchSpec;
use crate::spec::SourceForm;

/// A tarball.
#[derive(Debug)]
pub(super) struct Tarball<'a> {
    /// Equivalent places, tried in order.
    pub urls: &'a [String],
    /// SHA-256 of the file.
    pub sha256: &'a str,
}

impl Origin for Tarball<'_> {
    fn request(&self) -> Option<Request> {
        None
    }

    fn fetch(&self) -> Option<FetchSpec> {
        let file = FetchFile {
            name: "source.tar".to_owned(),
            size: None,
            checksums: vec![Checksum::new(Algorithm::Sha256, self.sha256).ok()?],
            urls: self.urls.to_vec(),
        };
        Some(FetchSpec {
            by: FetchBy::Http,
            files: vec![file],
        })
    }

    fn form(&self) -> SourceForm {
        SourceForm::Tarball
    }

    fn version(&self) -> Option<Version> {
        None
    }
}
