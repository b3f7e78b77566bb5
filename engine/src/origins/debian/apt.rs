//! Debian's apt, asked with its own isolated state: resolving pins, fetching and indexing packages.
//!
//! The machine's apt configuration (proxies, certificates) counts; its sources, preferences and
//! installed packages do not, so an answer depends on the mirror alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use store::Algorithm;
use store::Checksum;

use super::request::ALL;
use super::request::DebianRequest;
use crate::lock::PinnedFile;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::error::file as at;
use crate::origins::family::is_stored;
use crate::origins::program::errors;
use crate::origins::program::run;
use crate::spec::FetchFile;
use crate::text::counted;
use crate::text::did_you_mean;
use crate::text::size;

const MIRROR: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "http://deb.debian.org/debian-security";
const UNSTABLE: [&str; 2] = ["sid", "unstable"];
pub(super) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
pub(super) const HELPER: &str = "/usr/lib/apt/apt-helper";

/// How many files one run of apt-helper is given: its arguments must fit a command line.
const BATCH: usize = 100;

/// apt, which keeps lists and caches below a directory of the store's.
pub(super) struct Apt<'a> {
    state: PathBuf,
    means: &'a Means<'a>,
}

impl<'a> Apt<'a> {
    /// Nothing is made before it is needed.
    pub(super) fn new(means: &'a Means<'a>) -> Self {
        let state = means.store.root().join("apt");
        Self { state, means }
    }

    /// Asks the mirror what answers a request today.
    pub(super) fn resolve(&self, request: &DebianRequest) -> Result<Vec<PinnedFile>, OriginError> {
        let arch = if request.arch == ALL {
            "amd64"
        } else {
            &request.arch
        };
        let root = self.prepare(&request.suite, arch)?;
        self.output(
            &root,
            arch,
            "apt-get",
            &["-qq".to_owned(), "update".to_owned()],
        )?;
        let error = match self.packages(request, &root, arch) {
            Ok(files) => return Ok(files),
            Err(error) => error,
        };
        let OriginError::Failed { message, .. } = &error else {
            return Err(error);
        };
        let Some(package) = no_package(message) else {
            return Err(error);
        };
        let names = self.output(&root, arch, "apt-cache", &["pkgnames".to_owned()]);
        let names = names.unwrap_or_default();
        Err(OriginError::NoPackage {
            similar: did_you_mean(package, names.lines()).map(str::to_owned),
            package: package.to_owned(),
            of: format!("Debian {}", request.suite),
        })
    }

    fn packages(
        &self,
        request: &DebianRequest,
        root: &Path,
        arch: &str,
    ) -> Result<Vec<PinnedFile>, OriginError> {
        if !request.closure {
            return Ok(self
                .describe(root, arch, &request.packages)?
                .into_values()
                .collect());
        }
        let mut names = vec!["?essential".to_owned(), "apt".to_owned()];
        let mut below = BTreeMap::new();
        if let Some(beyond) = &request.beyond {
            names.extend(beyond.iter().cloned());
            below = self.closure(root, arch, &names)?;
        }
        names.extend(request.packages.iter().cloned());
        let mut files = self.closure(root, arch, &names)?;
        files.retain(|package, _| !below.contains_key(package));
        Ok(files.into_values().collect())
    }

    /// Downloads those of the pinned files that the store lacks, and notes how much that is. What came
    /// before a failure is stored too.
    pub(super) fn obtain(&self, files: &[FetchFile]) -> Result<(), OriginError> {
        let store = self.means.store;
        let lacks = |file: &&FetchFile| !is_stored(file, store);
        let missing: Vec<&FetchFile> = files.iter().filter(lacks).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let packages = counted(missing.len(), "package", "packages");
        let total = size(missing.iter().filter_map(|file| file.size).sum());
        (self.means.note)(&format!("downloads {packages}, {total}"));
        let work = store.work_dir("apt")?;
        let result = self.download(&missing, work.path());
        for file in missing {
            let path = work.path().join(&file.name);
            if path.is_file() {
                store.put_file_named(&path, &[Algorithm::Sha256])?;
                fs::remove_file(&path).map_err(at("remove", &path))?;
            }
        }
        result
    }

    /// Downloads pinned files into `dest`, checking size and SHA-256.
    fn download(&self, files: &[&FetchFile], dest: &Path) -> Result<(), OriginError> {
        let state = self.state.join("download");
        for dir in ["lists/partial", "cache/archives/partial"] {
            let dir = state.join(dir);
            fs::create_dir_all(&dir).map_err(at("make", &dir))?;
        }
        for batch in files.chunks(BATCH) {
            let mut command = Command::new(HELPER);
            command.args(["-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=3"]);
            let patience = self.means.network.patience.as_secs();
            for protocol in ["http", "https"] {
                command
                    .arg("-o")
                    .arg(format!("Acquire::{protocol}::Timeout={patience}"));
            }
            command
                .arg("-o")
                .arg(format!("Dir::State={}", state.display()));
            command
                .arg("-o")
                .arg(format!("Dir::Cache={}", state.join("cache").display()));
            command.arg("download-file");
            for file in batch {
                // apt knows its mirrors: a pin has one place.
                let url = file.urls.first().map_or("", String::as_str);
                command.arg(url).arg(dest.join(&file.name));
                let sha256 = file.checksums.iter();
                let sha256 = sha256.filter(|sum| sum.algorithm() == Algorithm::Sha256);
                command.args(sha256.map(|sha256| format!("SHA256:{}", sha256.hex())));
            }
            let said = run(command, "apt-helper", "apt", self.means.cancel)?;
            let text = format!("{}{}", said.out, said.err);
            let mut log = self.means.log;
            let _ = log.write_all(text.as_bytes());
            for file in batch {
                if !dest.join(&file.name).is_file() {
                    return Err(missing(file, &text));
                }
            }
        }
        Ok(())
    }

    /// Writes the `Packages` index of a directory of packages, so that it is a repository.
    pub(super) fn index(&self, dir: &Path) -> Result<(), OriginError> {
        const PROGRAM: &str = "apt-ftparchive";
        let mut command = Command::new(PROGRAM);
        command.args(["packages", "."]).current_dir(dir);
        let said = run(command, PROGRAM, "apt-utils", self.means.cancel)?;
        let path = dir.join("Packages");
        fs::write(&path, said.output(PROGRAM)?).map_err(at("write", &path))
    }

    /// An apt root for one suite and architecture.
    fn prepare(&self, suite: &str, arch: &str) -> Result<PathBuf, OriginError> {
        let root = self.state.join(format!("{suite}-{arch}"));
        for dir in ["state/lists/partial", "cache/archives/partial"] {
            let dir = root.join(dir);
            fs::create_dir_all(&dir).map_err(at("make", &dir))?;
        }
        for (name, text) in [("sources.list", sources(suite)), ("status", String::new())] {
            let path = root.join(name);
            fs::write(&path, text).map_err(at("write", &path))?;
        }
        Ok(root)
    }

    /// What installing packages on an empty system takes, by package.
    fn closure(
        &self,
        root: &Path,
        arch: &str,
        names: &[String],
    ) -> Result<BTreeMap<String, PinnedFile>, OriginError> {
        let mut args = vec![
            "-qq".to_owned(),
            "install".to_owned(),
            "--print-uris".to_owned(),
        ];
        args.extend(names.iter().cloned());
        let text = self.output(root, arch, "apt-get", &args)?;
        let mut files = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with('\'')) {
            let file = printed_uri(line).ok_or_else(|| OriginError::Incomplete {
                command: "apt",
                package: line.to_owned(),
                what: "SHA-256",
            })?;
            files.insert(file.package.clone(), file);
        }
        Ok(files)
    }

    /// The newest version of each package, without dependencies.
    fn describe(
        &self,
        root: &Path,
        arch: &str,
        packages: &[String],
    ) -> Result<BTreeMap<String, PinnedFile>, OriginError> {
        let mut files = BTreeMap::new();
        for package in packages {
            let args = ["-qq", "download", "--print-uris", package.as_str()]
                .map(str::to_owned)
                .to_vec();
            let text = self.output(root, arch, "apt-get", &args)?;
            let file =
                text.lines()
                    .find_map(printed_uri)
                    .ok_or_else(|| OriginError::Incomplete {
                        command: "apt",
                        package: package.clone(),
                        what: "SHA-256",
                    })?;
            files.insert(package.clone(), file);
        }
        Ok(files)
    }

    fn output(
        &self,
        root: &Path,
        arch: &str,
        program: &'static str,
        args: &[String],
    ) -> Result<String, OriginError> {
        let mut command = Command::new(program);
        let path = |name: &str| root.join(name).display().to_string();
        let patience = self.means.network.patience.as_secs().to_string();
        let options = [
            ("Dir::State", path("state")),
            ("Dir::State::status", path("status")),
            ("Dir::Cache", path("cache")),
            ("Dir::Etc::SourceList", path("sources.list")),
            ("Dir::Etc::SourceParts", "/dev/null".to_owned()),
            ("Dir::Etc::Preferences", "/dev/null".to_owned()),
            ("Dir::Etc::PreferencesParts", "/dev/null".to_owned()),
            ("APT::Architecture", arch.to_owned()),
            ("APT::Architectures", arch.to_owned()),
            ("APT::Install-Recommends", "false".to_owned()),
            ("APT::Sandbox::User", String::new()),
            ("Acquire::ForceHash", "SHA256".to_owned()),
            ("Acquire::http::Timeout", patience.clone()),
            ("Acquire::https::Timeout", patience),
            ("Acquire::Languages", "none".to_owned()),
        ];
        for (name, value) in options {
            command.arg("-o").arg(format!("{name}={value}"));
        }
        command.args(args);
        run(command, program, "apt", self.means.cancel)?.output(program)
    }
}

/// Reads `'URL' NAME_VERSION_ARCH.deb SIZE SHA256:HEX`, which apt-get prints for `--print-uris`.
fn printed_uri(line: &str) -> Option<PinnedFile> {
    let mut fields = line.split(' ');
    let url = fields.next()?.trim_matches('\'');
    let name = fields.next()?;
    let size = fields.next()?.parse().ok()?;
    let sha256 = fields.next()?.strip_prefix("SHA256:")?;
    let sha256 = Checksum::new(Algorithm::Sha256, sha256).ok()?;
    let (package, rest) = name.split_once('_')?;
    let (version, _) = rest.rsplit_once('_')?;
    Some(PinnedFile {
        package: package.to_owned(),
        version: version.replace("%3a", ":"),
        size,
        checksums: vec![sha256],
        url: url.to_owned(),
    })
}

/// The package that apt says it does not know.
fn no_package(message: &str) -> Option<&str> {
    let rest = message.split("Unable to locate package ").nth(1);
    let rest = rest.or_else(|| {
        let quoted = message.split("Package '").nth(1)?;
        quoted
            .split_once("' has no installation candidate")
            .map(|(name, _)| name)
    })?;
    rest.split([';', ' ', '\n'])
        .next()
        .filter(|name| !name.is_empty())
}

/// Why apt-helper left out a file.
fn missing(file: &FetchFile, text: &str) -> OriginError {
    let about = text.lines().filter(|line| line.contains("404"));
    if about
        .clone()
        .any(|line| file.urls.iter().any(|url| line.contains(url)) || line.contains(&file.name))
        || (about.count() > 0 && !text.contains("Could not resolve"))
    {
        return OriginError::Gone {
            file: file.name.clone(),
        };
    }
    OriginError::Failed {
        command: "apt-helper",
        message: errors(text),
    }
}

/// The sources.list of a suite. Unstable gets its fixes itself; every other suite has them in two more.
fn sources(suite: &str) -> String {
    let mut suites = vec![(MIRROR, suite.to_owned())];
    if !UNSTABLE.contains(&suite) {
        suites.push((MIRROR, format!("{suite}-updates")));
        suites.push((SECURITY, format!("{suite}-security")));
    }
    let line = |(mirror, suite)| format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n");
    suites.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_printed_uri() {
        let line = format!(
            "'http://deb.debian.org/debian/pool/main/f/foo/foo_1%3a2.0-1_amd64.deb' foo_1%3a2.0-1_amd64.deb 37596 SHA256:{}",
            "0".repeat(64)
        );
        let file = printed_uri(&line).unwrap();
        assert_eq!(
            (file.package.as_str(), file.version.as_str()),
            ("foo", "1:2.0-1")
        );
        assert_eq!(file.file_name(), "foo_1%3a2.0-1_amd64.deb");
    }

    #[test]
    fn a_404_is_told_from_a_network_fault() {
        let file = printed_uri(&format!(
            "'http://m/a_1_all.deb' a_1_all.deb 1 SHA256:{}",
            "0".repeat(64)
        ));
        let file = file.unwrap().to_fetch();
        let gone = missing(
            &file,
            "Err:1 http://m/a_1_all.deb\n  404  Not Found [IP: 1]\nE: Download Failed",
        );
        insta::assert_snapshot!(gone, @"the mirror no longer carries `a_1_all.deb`; `engine update` pins what it carries now");
        let fault = missing(&file, "E: Could not resolve 'm'\nE: Download Failed");
        insta::assert_snapshot!(fault, @"`apt-helper` failed: Could not resolve 'm'; Download Failed");
    }

    #[test]
    fn apts_words_for_what_it_does_not_know() {
        for said in [
            "Unable to locate package libelf-dve",
            "Package 'libelf-dve' has no installation candidate",
            "Unable to locate package libelf-dve; Unable to locate package b",
        ] {
            assert_eq!(no_package(said), Some("libelf-dve"));
        }
        assert_eq!(
            no_package("Temporary failure resolving 'deb.debian.org'"),
            None
        );
    }

    #[test]
    fn only_a_released_suite_has_updates() {
        insta::assert_snapshot!([sources("bookworm"), sources("sid")].concat(), @"
        deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
        deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-updates main
        deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main
        deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main
        ");
    }
}
