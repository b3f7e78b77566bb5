//! Packages added by Portage, without a network: what it would download is asked of it first, and downloaded by the engine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use store::Algorithm;
use store::Checksum;
use store::Digest;

use super::gpkg;
use super::mirror::places;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::error::file as at;
use crate::origins::family::Adding;
use crate::origins::family::Volume;
use crate::origins::http::Http;
use crate::origins::http::name_of;

/// Where Portage looks for files first, and the engine for it.
pub(super) const MIRRORS: &str = "GENTOO_MIRRORS";
/// Where Portage looks for binary packages. The engine does it in its place: it takes the packages that are signed into those that are kept.
pub(super) const BINHOST: &str = "PORTAGE_BINHOST";
/// Where Portage finds the ebuild repository.
const REPOSITORY: &str = "/var/db/repos/gentoo";
/// How an address of a package of the pinned index begins.
const FILES: &str = "file:///files/";
/// What every run of emerge is told. What a package needs and the stage3 has stays as it is.
const COMMON: &str = r#"
umask 022
# The engine has checked what it downloaded, where Portage would ask for a keyring that is not there; and it put packages beside those
# that Portage knows of.
export FEATURES="binpkg-ignore-signature -pkgdir-index-trusted"
printf '%s' "$SETTINGS" >> /etc/portage/make.conf
run() {
    emerge --color=n --nospinner --oneshot --noreplace --usepkg --buildpkg --quiet-build=n "$@" $PACKAGES
}
"#;
/// Before that, for a binhost whose pinned index is at hand.
const ASKS_BINHOST: &str = r#"
rm -rf /etc/portage/binrepos.conf
export PORTAGE_BINHOST=file:///files
from="--getbinpkg"
"#;
/// Lists what is to be downloaded, at `/build/asked`.
const ASKS: &str = r"
run ${from:-} --pretend --fetchonly > /build/asked.txt 2> /build/asked.err || { cat /build/asked.txt /build/asked.err; exit 1; }
grep -E '^(https?|ftp|file)://' /build/asked.txt > /build/asked || true
# What Portage reserves for packages that it would fetch is in the way of them.
find /var/cache/binpkgs -name '*.gpkg.tar' -size 0 -delete
";
/// Installs them.
const INSTALL: &str = r"
run || {
    code=$?
    for log in /var/tmp/portage/*/*/temp/build.log; do
        [ -f $log ] || continue
        echo ----- $log -----
        cat $log
    done
    exit $code
}
rm -rf /var/tmp/portage/* /var/cache/edb /var/lib/portage/config
if command -v ldconfig >/dev/null; then ldconfig; fi
rm -f /var/cache/ldconfig/aux-cache
";
/// LLVM's programs lie in directories of their versions, which only a login shell knows: the newest of each is put where all look.
const LINKS: &str = r#"
mkdir -p /usr/local/bin
for dir in $(ls -dv /usr/lib/llvm/*/bin 2>/dev/null); do
    for program in "$dir"/clang "$dir"/clang++ "$dir"/ld.lld "$dir"/lld "$dir"/llvm-*; do
        [ ! -x "$program" ] || ln -sf "$program" /usr/local/bin/
    done
done
"#;
/// All that is installed: `CATEGORY/PACKAGE VERSION`.
const PACKAGES: &str = r#"
for dir in /var/db/pkg/*/*/; do
    [ -f "$dir/PF" ] || continue
    echo "$(cat "$dir/CATEGORY")/$(cat "$dir/PF")"
done | sed 's/-\([0-9][^/]*\)$/ \1/' | sort > /build/packages
profile=$(readlink /etc/portage/make.profile || true)
echo "profile ${profile##*/profiles/}" >> /build/facts
"#;

/// How emerge is run, and what it sees.
pub(super) fn adding(packages: &[String], settings: &BTreeMap<String, String>) -> Adding {
    let mut adding = Adding {
        script: LINKS.to_owned(),
        facts: PACKAGES.to_owned(),
        ..Adding::default()
    };
    if !packages.is_empty() {
        adding.tree = Some(REPOSITORY);
        let binhost = if settings.contains_key(BINHOST) {
            ASKS_BINHOST
        } else {
            ""
        };
        adding.asks = Some([COMMON, binhost, ASKS].concat());
        adding.script = [COMMON, INSTALL, LINKS].concat();
    }
    adding
}

/// Lines of make.conf(5). Values have none of the marks that it gives a meaning to.
pub(super) fn settings(settings: &BTreeMap<String, String>) -> String {
    let mut text = "\n# From the definitions.\n".to_owned();
    for (name, value) in settings {
        let _ = writeln!(text, "{name}=\"{value}\"");
    }
    text
}

/// Kept between runs: what is downloaded, and packages that were built, for images of one profile and equal settings.
pub(super) fn volumes(base: &Path, settings: &BTreeMap<String, String>) -> Vec<Volume> {
    let profile = fs::read_link(base.join("etc/portage/make.profile")).unwrap_or_default();
    let mut of = profile.to_string_lossy().into_owned();
    // Where files come from makes no other packages.
    for (name, value) in settings.iter().filter(|(name, _)| *name != MIRRORS) {
        let _ = write!(of, "\n{name}={value}");
    }
    let kind = Digest::of(of.as_bytes()).short();
    let volume = |name: String, target| Volume { name, target };
    vec![
        volume("gentoo/distfiles".to_owned(), "/var/cache/distfiles"),
        volume(format!("gentoo/binpkgs/{kind}"), "/var/cache/binpkgs"),
    ]
}

/// Downloads what Portage asked for: a line per file, of the places that have it, or of its path below the binhost.
///
/// Portage checks a source against the Manifest of the repository before it uses it; a binary package is checked here, by its signature.
pub(super) fn supply(
    asked: &str,
    settings: &BTreeMap<String, String>,
    keys: Option<&str>,
    volumes: &[PathBuf],
    means: &Means<'_>,
) -> Result<(), OriginError> {
    let [distfiles, binpkgs] = volumes else {
        return Ok(());
    };
    let http = Http::new(means)?;
    let setting = |name| settings.get(name).map(String::as_str).unwrap_or_default();
    let mirrors: Vec<String> = setting(MIRRORS)
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    for line in asked.lines() {
        if let Some(path) = line.trim().strip_prefix(FILES) {
            if !path.split('/').all(is_plain) {
                return Err(OriginError::Fetch {
                    url: setting(BINHOST).to_owned(),
                    why: format!("its index has a package at `{path}`"),
                });
            }
            let url = format!("{}/{path}", setting(BINHOST));
            let dest = binpkgs.join(path);
            if !dest.exists() {
                (means.note)(&format!("takes `{path}` from the binhost"));
                binary(&http, &places(&mirrors, &url), keys, &dest)?;
            }
            continue;
        }
        let places: Vec<&str> = line
            .split_whitespace()
            .filter(|word| word.starts_with("http"))
            .collect();
        let Some(name) = places
            .first()
            .map(|url| name_of(url))
            .filter(|name| is_plain(name))
        else {
            continue;
        };
        let path = distfiles.join(name);
        if path.exists() {
            continue;
        }
        let hashed = Checksum::of(Algorithm::Blake2b, name.as_bytes());
        // `layout.conf` of the mirrors: filename-hash BLAKE2B 8.
        let hash = &hashed.hex()[..2];
        let mut urls: Vec<String> = mirrors
            .iter()
            .map(|mirror| format!("{mirror}/distfiles/{hash}/{name}"))
            .collect();
        urls.extend(places.into_iter().map(str::to_owned));
        urls.dedup();
        let part = distfiles.join(format!(".{name}.part"));
        let _ = fs::remove_file(&part);
        http.large(&urls, &part)?;
        fs::rename(&part, &path).map_err(at("move", &part))?;
    }
    Ok(())
}

/// Downloads one binary package, and puts it where Portage finds it once its signature was checked.
fn binary(
    http: &Http<'_>,
    urls: &[String],
    keys: Option<&str>,
    dest: &Path,
) -> Result<(), OriginError> {
    let dir = dest.parent().unwrap_or(dest);
    fs::create_dir_all(dir).map_err(at("make", dir))?;
    // Portage takes no name that begins with a dot.
    let part = dir.join(format!(".{}.part", name_of(&dest.to_string_lossy())));
    let _ = fs::remove_file(&part);
    let url = http.large(urls, &part)?;
    if let Some(keys) = keys
        && let Err(error) = gpkg::check(&part, keys)
    {
        let _ = fs::remove_file(&part);
        let why = error.to_string();
        return Err(OriginError::Fetch { url, why });
    }
    fs::rename(&part, dest).map_err(at("move", &part))
}

/// Whether a word names a file of the directory it stands in.
fn is_plain(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "+_.-~@%".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(fine)
}

/// What emerge says of a failure, in its own words.
pub(super) fn telling(log: &str) -> Option<String> {
    let lines = || log.lines().map(str::trim);
    let failed = lines().find_map(|line| line.strip_prefix("* ERROR: "));
    let unsatisfied = || lines().find(|line| line.starts_with("emerge: there are no"));
    let told = || lines().find_map(|line| line.strip_prefix("!!! "));
    failed.or_else(unsatisfied).or_else(told).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_emerges_words() {
        let log = ">>> Emerging (1 of 1) sys-devel/bc\n * ERROR: sys-devel/bc-1.07.1::gentoo failed (compile phase):\n *   emake failed\n";
        insta::assert_snapshot!(telling(log).unwrap(), @"sys-devel/bc-1.07.1::gentoo failed (compile phase):");
        let log = "\nemerge: there are no ebuilds to satisfy \"sys-devel/bcc\".\n";
        insta::assert_snapshot!(telling(log).unwrap(), @r#"emerge: there are no ebuilds to satisfy "sys-devel/bcc"."#);
        assert_eq!(telling("fine\n"), None);
    }

    #[test]
    fn settings_are_lines_of_make_conf() {
        let map = BTreeMap::from([("USE".to_owned(), "-nls static-libs".to_owned())]);
        insta::assert_snapshot!(settings(&map), @r#"

        # From the definitions.
        USE="-nls static-libs"
        "#);
    }
}
