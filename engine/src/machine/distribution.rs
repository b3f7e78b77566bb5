//! Names of packages by distribution, and the command that installs them.

use std::fs;

/// A distribution whose names are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Debian and what is made of it.
    Debian,
    /// Gentoo.
    Gentoo,
    /// Fedora and what is made of it.
    Fedora,
    /// Arch Linux and what is made of it.
    Arch,
}

/// The packages with one program; empty where a distribution has none, or none is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packages {
    /// Debian's.
    pub debian: &'static str,
    /// Gentoo's, with its category.
    pub gentoo: &'static str,
    /// Fedora's.
    pub fedora: &'static str,
    /// Arch Linux's.
    pub arch: &'static str,
}

impl Distribution {
    /// That of this machine, by os-release(5).
    pub fn here() -> Option<Self> {
        Self::of(&fs::read_to_string("/etc/os-release").ok()?)
    }

    fn of(os_release: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = os_release.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        };
        let words = [value("ID"), value("ID_LIKE")].into_iter().flatten();
        let mut words = words.flat_map(|words| words.trim_matches(['"', '\'']).split(' '));
        words.find_map(|word| match word {
            "debian" | "ubuntu" => Some(Self::Debian),
            "gentoo" => Some(Self::Gentoo),
            "fedora" | "rhel" => Some(Self::Fedora),
            "arch" => Some(Self::Arch),
            _ => None,
        })
    }

    /// The command that installs the packages that follow it.
    pub fn install(self) -> &'static str {
        match self {
            Self::Debian => "apt-get install",
            Self::Gentoo => "emerge --ask --noreplace",
            Self::Fedora => "dnf install",
            Self::Arch => "pacman -S --needed",
        }
    }

    /// Its package of several distributions' ones.
    pub fn package(self, packages: &Packages) -> Option<&'static str> {
        let package = match self {
            Self::Debian => packages.debian,
            Self::Gentoo => packages.gentoo,
            Self::Fedora => packages.fedora,
            Self::Arch => packages.arch,
        };
        (!package.is_empty()).then_some(package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_told_by_their_names_and_what_they_are_like() {
        for (text, expected) in [
            ("NAME=x\nID=debian\n", Some(Distribution::Debian)),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                Some(Distribution::Debian),
            ),
            ("ID='gentoo'\n", Some(Distribution::Gentoo)),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                Some(Distribution::Fedora),
            ),
            ("ID=manjaro\nID_LIKE=arch\n", Some(Distribution::Arch)),
            ("ID=nixos\n", None),
            ("", None),
        ] {
            assert_eq!(Distribution::of(text), expected, "{text}");
        }
    }
}
