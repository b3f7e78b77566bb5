//! Gentoo as a family.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use super::base::base;
use super::image;
use super::image::BINHOST;
use super::image::MIRRORS;
use super::mirror::places;
use super::names::all;
use super::names::known;
use super::request::GentooRequest;
use super::request::Wanted;
use super::resolve::resolve;
use super::words::PACKAGE;
use crate::lock::Request;
use crate::model::Abi;
use crate::model::BaseOrigin;
use crate::model::Image;
use crate::origins::Answer;
use crate::origins::Family;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::family::Adding;
use crate::origins::family::Volume;
use crate::origins::http::Http;
use crate::sandbox::Sandbox;
use crate::spec::FetchFile;
use crate::spec::Libraries;
use crate::text::Spelling;

/// Gentoo.
#[derive(Debug)]
pub(in crate::origins) struct Gentoo;

impl Family for Gentoo {
    fn package(&self) -> &'static Spelling {
        &PACKAGE
    }

    fn abi(&self, arch: &str) -> Option<Abi> {
        known(arch)?.abi
    }

    fn arches(&self) -> Vec<String> {
        all().collect()
    }

    /// Its libraries lie in `/usr/lib64` on every 64-bit architecture, so they would hide those of an emulated image.
    fn libraries(&self, _: Abi) -> Option<Libraries> {
        None
    }

    fn base_request(&self, origin: &BaseOrigin) -> Option<Request> {
        let BaseOrigin::Gentoo(stage3) = origin else {
            return None;
        };
        let wanted = Wanted::Stage3(stage3.name.clone());
        Some(GentooRequest::new(stage3, wanted).into())
    }

    fn image_request(&self, origin: &BaseOrigin, image: &Image) -> Option<Request> {
        let BaseOrigin::Gentoo(stage3) = origin else {
            return None;
        };
        let wanted = if image.packages.is_empty() {
            Wanted::Nothing
        } else {
            let binhost = stage3.make_conf.get(BINHOST).cloned();
            Wanted::Snapshot {
                binhost: binhost.unwrap_or_default(),
            }
        };
        Some(GentooRequest::new(stage3, wanted).into())
    }

    fn settings(&self, origin: &BaseOrigin) -> BTreeMap<String, String> {
        let BaseOrigin::Gentoo(stage3) = origin else {
            return BTreeMap::new();
        };
        let mut settings = stage3.make_conf.clone();
        let mirrors = settings.entry(MIRRORS.to_owned()).or_default();
        if mirrors.is_empty() {
            *mirrors = stage3.mirrors.join(" ");
        }
        settings
    }

    fn resolve(&self, request: &Request, means: &Means<'_>) -> Result<Answer, OriginError> {
        let asked = GentooRequest::read(request).ok_or_else(|| {
            OriginError::Content("the request is none that Gentoo answers".to_owned())
        })?;
        resolve(&asked, means)
    }

    /// The same path on each of the mirrors.
    fn places(&self, request: &Request, url: &str) -> Vec<String> {
        let asked = GentooRequest::read(request);
        let mirrors = asked.map(|asked| asked.mirrors).unwrap_or_default();
        places(&mirrors, url)
    }

    fn obtain(&self, files: &[FetchFile], means: &Means<'_>) -> Result<(), OriginError> {
        Http::new(means)?.obtain(files)
    }

    fn base(
        &self,
        origin: &BaseOrigin,
        keys: Option<&str>,
        work: &Path,
        _: &Sandbox,
        means: &Means<'_>,
    ) -> Result<(), OriginError> {
        match origin {
            BaseOrigin::Gentoo(stage3) => base(stage3, keys, work, means),
            BaseOrigin::Debian { .. } => {
                Err(OriginError::Content("it is no base of Gentoo's".to_owned()))
            }
        }
    }

    fn adding(&self, packages: &[String], settings: &BTreeMap<String, String>) -> Adding {
        image::adding(packages, settings)
    }

    fn settings_text(&self, settings: &BTreeMap<String, String>) -> String {
        image::settings(settings)
    }

    fn volumes(&self, base: &Path, settings: &BTreeMap<String, String>) -> Vec<Volume> {
        image::volumes(base, settings)
    }

    fn supply(
        &self,
        asked: &str,
        settings: &BTreeMap<String, String>,
        keys: Option<&str>,
        volumes: &[PathBuf],
        means: &Means<'_>,
    ) -> Result<(), OriginError> {
        image::supply(asked, settings, keys, volumes, means)
    }

    fn telling(&self, log: &str) -> Option<String> {
        image::telling(log)
    }
}
