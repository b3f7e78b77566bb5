//! The compiler of a kernel build: the image's own, or a native one put into an emulated image.
//!
//! Accelerated, the image of the cross gcc lies at `/native` as a whole, so that its gcc finds its
//! other parts beside itself. Its libraries and dynamic linker lie at their own paths, where an image
//! of another architecture has nothing. The programs that builds call most are links to `/native` in a
//! directory that is first in `PATH`, and its shell is `/bin/sh`. All else is the image's own, also
//! the gcc that compiles programs for the build itself.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;

use store::Digest;
use store::Unpacked;
use store::WorkDir;

use super::Broken;
use super::Tools;
use super::config::make_words;
use super::step::bind;
use super::step::file;
use crate::graph::Slot;
use crate::model::Abi;
use crate::model::CROSS_COMPILE;
use crate::sandbox::Bind;
use crate::sandbox::Cancel;
use crate::sandbox::PATH;
use crate::sandbox::is_native;
use crate::spec::Accelerate;
use crate::spec::Libraries;

/// Where the native image lies.
const NATIVE: &str = "/native";
/// Where the links to its programs lie.
const LINKS: &str = "/native-bin";

/// Programs that do the same wherever they run; `uname` and `arch` tell of the machine, so they stay
/// the image's.
const PROGRAMS: &str = "make sed grep find xargs cmp diff gzip tar basename cat chmod comm cp cut date dd \
    dirname echo env expr false head install ln ls md5sum mkdir mktemp mv nproc od printf pwd readlink \
    realpath rm rmdir sha1sum sha256sum sleep sort stat tail tee test touch tr true truncate uniq wc [";

/// What a build step needs to compile.
pub(super) struct Compiler {
    /// `NAME=value` words for the make line.
    pub variables: String,
    /// `PATH` of the step.
    pub path: String,
    /// What the step must see.
    pub binds: Vec<Bind>,
    /// What the binds show, for as long as they are needed.
    _shown: Option<(Unpacked, WorkDir)>,
}

/// Refuses a host that does not run the native programs, or has no need of them.
fn check_host(native: Abi, emulated: Abi) -> Result<(), Broken> {
    if is_native(native) && !is_native(emulated) {
        return Ok(());
    }
    let (native, emulated) = (native.name(), emulated.name());
    Err(Broken::Infrastructure(format!(
        "an accelerated toolchain needs a host that runs `{native}` and emulates `{emulated}`; this one does not: leave out \
         `accelerate` here"
    )))
}

impl Tools {
    /// Gets the compiler of a toolchain ready; `note` takes a line for the user.
    pub(super) fn compiler(
        &self,
        make: &BTreeMap<String, String>,
        accelerate: Option<&Accelerate>,
        inputs: &BTreeMap<Slot, Digest>,
        cancel: &Cancel,
        note: &dyn Fn(&str),
    ) -> Result<Compiler, Broken> {
        let mut variables = make.clone();
        let Some(accelerate) = accelerate else {
            return Ok(Compiler {
                variables: make_words(&variables),
                path: PATH.to_owned(),
                binds: Vec::new(),
                _shown: None,
            });
        };
        check_host(accelerate.native, accelerate.emulated)?;
        let Libraries { dir, linker } = &accelerate.libraries;
        let digest = inputs.get(&Slot::Native);
        let digest = *digest.ok_or(Broken::Unresolved(Slot::Native.word()))?;
        let tree = self.unpacked(&digest, false, cancel, &|| {
            note(&format!("unpacks native {}", digest.short()));
        })?;
        let links = self.links(tree.path())?;
        let there = |path: &str| tree.path().join(path.trim_start_matches('/'));
        let linker_file = Path::new(linker).file_name().unwrap_or_default();
        let binds = vec![
            bind(tree.path(), NATIVE, true),
            bind(&there(dir), dir, true),
            bind(&there(dir).join(linker_file), linker, true),
            bind(&there("/bin/sh"), "/bin/sh", true),
            bind(links.path(), LINKS, true),
        ];
        variables.insert(
            CROSS_COMPILE.to_owned(),
            format!("{NATIVE}/usr/bin/{}", accelerate.prefix),
        );
        Ok(Compiler {
            variables: make_words(&variables),
            path: format!("{LINKS}:{PATH}"),
            binds,
            _shown: Some((tree, links)),
        })
    }

    /// A directory of links to the programs that the native image has.
    fn links(&self, tree: &Path) -> Result<WorkDir, Broken> {
        let links = self.build_dir("native")?;
        let names = PROGRAMS.split_whitespace().map(|name| (name, name));
        for (name, program) in names.chain([("awk", "mawk")]) {
            let program = Path::new("usr/bin").join(program);
            if tree.join(&program).is_file() {
                let link = links.path().join(name);
                symlink(Path::new(NATIVE).join(program), &link).map_err(file("make", &link))?;
            }
        }
        Ok(links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_cannot_says_so() {
        let error = check_host(Abi::M68k, Abi::Aarch64).unwrap_err();
        insta::assert_snapshot!(error, @"an accelerated toolchain needs a host that runs `m68k` and emulates `aarch64`; this one does not: leave out `accelerate` here");
        for abi in Abi::all() {
            // Nothing is emulated that the host runs itself.
            assert!(check_host(abi, abi).is_err());
            assert_eq!(check_host(abi, Abi::M68k).is_ok(), is_native(abi));
        }
    }
}
