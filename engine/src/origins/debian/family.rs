//! Debian as a family.

use std::collections::BTreeMap;
use std::path::Path;

use super::apt::Apt;
use super::apt::HELPER;
use super::apt::KEYRING;
use super::base::base;
use super::request::DebianRequest;
use super::words::PACKAGE;
use crate::lock::Request;
use crate::machine::Packages;
use crate::model::Abi;
use crate::model::BaseOrigin;
use crate::model::Image;
use crate::origins::Adding;
use crate::origins::Answer;
use crate::origins::Family;
use crate::origins::HostNeed;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::sandbox::Sandbox;
use crate::spec::FetchFile;
use crate::spec::Libraries;
use crate::text::Spelling;

/// Debian.
#[derive(Debug)]
pub(in crate::origins) struct Debian;

/// Debian's architectures, those of its ports included.
const ARCHES: [(&str, Abi); 19] = [
    ("alpha", Abi::Alpha),
    ("amd64", Abi::X86_64),
    ("arm64", Abi::Aarch64),
    ("armel", Abi::Armel),
    ("armhf", Abi::Armhf),
    ("hppa", Abi::Hppa),
    ("i386", Abi::I386),
    ("ia64", Abi::Ia64),
    ("loong64", Abi::Loongarch64),
    ("m68k", Abi::M68k),
    ("mips", Abi::Mips),
    ("mips64el", Abi::Mips64el),
    ("mipsel", Abi::Mipsel),
    ("powerpc", Abi::Powerpc),
    ("ppc64", Abi::Powerpc64),
    ("ppc64el", Abi::Powerpc64le),
    ("riscv64", Abi::Riscv64),
    ("s390x", Abi::S390x),
    ("sparc64", Abi::Sparc64),
];

/// Where its libraries and their loader are, on hosts that run Debian's images.
const HOSTS: [(Abi, &str, &str); 5] = [
    (
        Abi::X86_64,
        "x86_64-linux-gnu",
        "/lib64/ld-linux-x86-64.so.2",
    ),
    (
        Abi::Aarch64,
        "aarch64-linux-gnu",
        "/lib/ld-linux-aarch64.so.1",
    ),
    (
        Abi::Powerpc64le,
        "powerpc64le-linux-gnu",
        "/lib64/ld64.so.2",
    ),
    (
        Abi::Riscv64,
        "riscv64-linux-gnu",
        "/lib/ld-linux-riscv64-lp64d.so.1",
    ),
    (Abi::S390x, "s390x-linux-gnu", "/lib/ld64.so.1"),
];

/// A package with a pre-dependency is unpacked only after that one is configured.
const INSTALL: &str = r"
export DEBIAN_FRONTEND=noninteractive
if ls /files/*.deb >/dev/null 2>&1; then
    for round in 1 2 3; do
        unpacked=yes
        dpkg --force-unsafe-io --force-confold --skip-same-version --unpack /files/*.deb || unpacked=no
        dpkg --force-unsafe-io --force-confold --configure --pending
        [ $unpacked = no ] || break
    done
    [ $unpacked = yes ]
fi
ldconfig
rm -rf /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old
";

const fn need(what: &'static str, wanted_for: &'static str, debian: &'static str) -> HostNeed {
    HostNeed {
        what,
        wanted_for,
        packages: Packages {
            debian,
            // Packaged nowhere else in the places where the engine looks.
            gentoo: "",
            fedora: "",
            arch: "",
        },
    }
}

/// Of the host; the first three ask the mirror.
const NEEDS: [HostNeed; 5] = [
    need("apt-get", "Debian's pins", "apt"),
    need(HELPER, "Debian's packages", "apt"),
    need(KEYRING, "Debian's pins", "debian-archive-keyring"),
    need("apt-ftparchive", "Debian's bases", "apt-utils"),
    need("mmdebstrap", "Debian's bases", "mmdebstrap"),
];

/// What asking the mirror and downloading need of the host.
pub(super) fn host_needs_of_pins() -> &'static [HostNeed] {
    &NEEDS[..3]
}

/// All that is installed.
const PACKAGES: &str = r"
dpkg-query --show --showformat='${Package} ${Version}\n' | sort > /build/packages
";

impl Family for Debian {
    fn package(&self) -> &'static Spelling {
        &PACKAGE
    }

    fn abi(&self, arch: &str) -> Option<Abi> {
        let row = ARCHES.iter().find(|(name, _)| *name == arch);
        row.map(|(_, abi)| *abi)
    }

    fn arches(&self) -> Vec<String> {
        ARCHES.map(|(name, _)| name.to_owned()).to_vec()
    }

    fn libraries(&self, host: Abi) -> Option<Libraries> {
        let (_, triplet, linker) = HOSTS.iter().find(|(abi, ..)| *abi == host)?;
        Some(Libraries {
            dir: format!("/usr/lib/{triplet}"),
            linker: (*linker).to_owned(),
        })
    }

    fn base_request(&self, base: &BaseOrigin) -> Option<Request> {
        let BaseOrigin::Debian {
            suite,
            arch,
            packages,
        } = base
        else {
            return None;
        };
        let request = DebianRequest {
            suite: suite.clone(),
            arch: arch.clone(),
            packages: packages.clone(),
            beyond: None,
            closure: true,
        };
        Some(request.into())
    }

    fn image_request(&self, base: &BaseOrigin, image: &Image) -> Option<Request> {
        let BaseOrigin::Debian {
            suite,
            arch,
            packages,
        } = base
        else {
            return None;
        };
        let request = DebianRequest {
            suite: suite.clone(),
            arch: arch.clone(),
            packages: image.packages.clone(),
            beyond: Some(packages.clone()),
            closure: true,
        };
        Some(request.into())
    }

    fn resolve(&self, request: &Request, means: &Means<'_>) -> Result<Answer, OriginError> {
        let asked = DebianRequest::read(request).ok_or_else(|| {
            OriginError::Content("the request is none that Debian answers".to_owned())
        })?;
        let files = Apt::new(means).resolve(&asked)?;
        Ok(Answer {
            files,
            ..Answer::default()
        })
    }

    fn obtain(&self, files: &[FetchFile], means: &Means<'_>) -> Result<(), OriginError> {
        Apt::new(means).obtain(files)
    }

    fn base(
        &self,
        origin: &BaseOrigin,
        _: Option<&str>,
        work: &Path,
        sandbox: &Sandbox,
        means: &Means<'_>,
    ) -> Result<(), OriginError> {
        let abi = self.abi(origin.arch());
        let abi = abi.ok_or_else(|| {
            OriginError::Content(format!("`{}` is not known of Debian", origin.arch()))
        })?;
        base(origin, work, sandbox, sandbox.emulator(abi)?, means)
    }

    fn host_needs(&self) -> &'static [HostNeed] {
        &NEEDS
    }

    fn adding(&self, _: &[String], _: &BTreeMap<String, String>) -> Adding {
        Adding {
            script: INSTALL.to_owned(),
            facts: PACKAGES.to_owned(),
            ..Adding::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_abi_has_one_architecture() {
        let mut known: Vec<Abi> = ARCHES.iter().map(|(_, abi)| *abi).collect();
        known.sort();
        assert_eq!(known, Abi::all().collect::<Vec<_>>());
        assert!(ARCHES.is_sorted());
    }
}
