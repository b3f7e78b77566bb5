//! Debian's packages of kernel sources.

use super::family::host_needs_of_pins;
use super::request::ALL;
use super::request::DebianRequest;
use crate::kconfig::Version;
use crate::lock::Request;
use crate::origins::HostNeed;
use crate::origins::Origin;
use crate::spec::FetchSpec;
use crate::spec::SourceForm;

/// How the packages begin whose names say the kernel's version.
const SOURCES: &str = "linux-source-";

/// A `linux-source-*` package.
#[derive(Debug)]
pub(in crate::origins) struct DebianSource<'a> {
    /// The binary package.
    pub package: &'a str,
    /// The suite that carries it.
    pub suite: &'a str,
}

impl Origin for DebianSource<'_> {
    fn request(&self) -> Option<Request> {
        let request = DebianRequest {
            suite: self.suite.to_owned(),
            arch: ALL.to_owned(),
            packages: vec![self.package.to_owned()],
            beyond: None,
            closure: false,
        };
        Some(request.into())
    }

    fn fetch(&self) -> Option<FetchSpec> {
        None
    }

    fn host_needs(&self) -> &'static [HostNeed] {
        host_needs_of_pins()
    }

    fn form(&self) -> SourceForm {
        SourceForm::Deb {
            member: format!("usr/src/{}.tar.xz", self.package),
        }
    }

    fn version(&self) -> Option<Version> {
        self.package.strip_prefix(SOURCES)?.parse().ok()
    }
}
