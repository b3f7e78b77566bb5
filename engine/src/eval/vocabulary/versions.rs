//! `by_version`, `since` and `before`: what depends on the kernel's version.

use std::collections::BTreeMap;

use rhai::Dynamic;
use rhai::Map;

use crate::kconfig::Predicate;
use crate::kconfig::Version;
use crate::model::Arch;
use crate::model::Defconfig;
use crate::model::Fixup;

use super::super::handle::Cases;
use super::super::handle::Kind;
use super::super::mistake::Mistake;
use super::super::mistake::Site;
use super::super::schema::Shape;
use super::super::schema::check_version;
use super::super::state::State;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "by_version",
        method: false,
        params: &[Param {
            name: "cases",
            shape: Shape::Map,
        }],
        gives: "a value by kernel version",
        doc: "A value for each source, by the version of its kernel: `by_version(#{ \"0\": A, \"6.5\": B })` is `B` since 6.5. \
              There must be a case `\"0\"`. An arch's `kernel_image` and `make_targets` and a defconfig's `recipe` may be one.",
        run: by_version,
    },
    Function {
        name: "since",
        method: false,
        params: &[Param {
            name: "version",
            shape: Shape::Version,
        }],
        gives: "a predicate",
        doc: "The .config is of this kernel version or a later one; `!since(\"6.5\")` is before 6.5.",
        run: |_, mut arguments| Ok(Dynamic::from(Predicate::Since(arguments.required()?))),
    },
    Function {
        name: "since",
        method: true,
        params: &FIXUP_AND_VERSION,
        gives: "a fixup",
        doc: "The same fixup, for sources of this kernel version and later ones only: `must(#{ … }).since(\"6.4\")`.",
        run: |_, mut arguments| {
            let mut fixup: Fixup = arguments.required()?;
            let since: Version = arguments.required()?;
            fixup.versions.since = fixup.versions.since.max(Some(since));
            in_order(fixup)
        },
    },
    Function {
        name: "before",
        method: true,
        params: &FIXUP_AND_VERSION,
        gives: "a fixup",
        doc: "The same fixup, for sources of a kernel before this version only: `must(#{ … }).since(\"6.4\").before(\"6.8\")`.",
        run: |_, mut arguments| {
            let mut fixup: Fixup = arguments.required()?;
            let before: Version = arguments.required()?;
            let earlier = fixup.versions.before.take();
            fixup.versions.before = earlier.into_iter().chain([before]).min();
            in_order(fixup)
        },
    },
];

const FIXUP_AND_VERSION: [Param; 2] = [
    Param {
        name: "fixup",
        shape: Shape::Fixup,
    },
    Param {
        name: "version",
        shape: Shape::Version,
    },
];

fn by_version(_: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let map: Dynamic = arguments.required()?;
    let mut cases = BTreeMap::new();
    for (key, value) in map.try_cast::<Map>().unwrap_or_default() {
        let path = ["0".to_owned(), key.to_string()];
        let version = check_version(&key, &path)?;
        if cases.insert(version.clone(), value).is_some() {
            return Err(Mistake::at(
                &path,
                format!("the case `{version}` is there twice"),
            ));
        }
    }
    if !cases.contains_key(&Version::default()) {
        let mistake = Mistake::at(&["0".to_owned()], "`by_version` needs the case `\"0\"`");
        return Err(mistake.help("it holds for every kernel before the next case"));
    }
    Ok(Dynamic::from(Cases(cases)))
}

fn in_order(fixup: Fixup) -> Result<Dynamic, Mistake> {
    match (&fixup.versions.since, &fixup.versions.before) {
        (Some(since), Some(before)) if since >= before => Err(Mistake::at(
            &["0".to_owned()],
            format!("no kernel is since {since} and before {before}"),
        )),
        _ => Ok(Dynamic::from(fixup)),
    }
}

/// Refuses a source whose version is not known well enough for what depends on it.
pub(in crate::eval) fn check_versions(state: &State) -> Result<(), Mistake> {
    let catalog = &state.catalog;
    for build in catalog.builds() {
        let key = (build.arch, build.defconfig);
        let (Some(source), Some(arch), Some(defconfig)) = (
            catalog.sources.get(&build.source),
            catalog.arches.get(&key.0),
            catalog.defconfigs.get(&key),
        ) else {
            continue;
        };
        for (what, version) in turning(arch, defconfig) {
            let name = &source.name;
            let (message, help) = match &source.version {
                None => (
                    format!("the source `{name}` says no kernel version, and {what} depends on it"),
                    "say it: `version: \"6.1\"`; it is compared with the source's Makefile"
                        .to_owned(),
                ),
                Some(known) if known.leaves_open(version) => (
                    format!(
                        "the source `{name}` says kernel {known}, and {what} turns on {version}"
                    ),
                    format!("say more of it: `version: \"{version}\"`, or what it is"),
                ),
                Some(_) => continue,
            };
            let declared = state.declared.get(&(Kind::Source, name.clone()));
            let (site, path) = declared
                .cloned()
                .unwrap_or_else(|| (Site::none(), Vec::new()));
            let mistake = Mistake::at(&path, message).help(help);
            return Err(Mistake { site, ..mistake });
        }
    }
    Ok(())
}

/// What of a defconfig or its arch depends on the kernel's version, with each version it turns on.
fn turning<'a>(arch: &'a Arch, defconfig: &'a Defconfig) -> Vec<(String, &'a Version)> {
    let named = |field: &str, noun: &str, name: &str| format!("`{field}` of the {noun} `{name}`");
    let own = format!("{}/{}", arch.name, defconfig.name);
    let mut found = Vec::new();
    for version in arch.kernel_image.versions() {
        found.push((named("kernel_image", "arch", &arch.name), version));
    }
    for version in arch.make_targets.versions() {
        found.push((named("make_targets", "arch", &arch.name), version));
    }
    for version in defconfig.recipe.versions() {
        found.push((named("recipe", "defconfig", &own), version));
    }
    for fixup in &defconfig.fixups {
        let range = &fixup.versions;
        for version in range.since.iter().chain(&range.before) {
            found.push((format!("a fixup of the defconfig `{own}`"), version));
        }
    }
    found
}
