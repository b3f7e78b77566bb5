//! What a definition says about one build: what depends on the kernel's version is decided.

use std::collections::BTreeMap;

use super::BuildAddress;
use super::Catalog;
use super::ConfigRecipe;
use super::Defconfig;
use super::Image;
use super::Strength;
use super::Toolchain;
use crate::kconfig::Value;

/// A build as its source's kernel version makes it.
#[derive(Clone, Debug)]
pub struct Build<'a> {
    /// The kernel's `ARCH=`.
    pub kernel_arch: &'a str,
    /// Boot image below the build directory.
    pub kernel_image: &'a str,
    /// Make targets that give it.
    pub make_targets: &'a [String],
    /// What signs modules, where it is not the engine's own key.
    pub signing_key: Option<&'a str>,
    /// How the .config is begun.
    pub recipe: &'a ConfigRecipe,
    /// The last word of the fixups on every symbol.
    pub fixups: BTreeMap<&'a str, (Strength, &'a Value)>,
    /// The compiler.
    pub toolchain: &'a Toolchain,
    /// Name of the image it is built in: the toolchain's, or that with what the defconfig needs.
    pub image: String,
}

impl Catalog {
    /// Every build address there is, sorted.
    pub fn builds(&self) -> Vec<BuildAddress> {
        let mut builds = Vec::new();
        for defconfig in self.defconfigs.values() {
            let Some(arch) = self.arches.get(&defconfig.arch) else {
                continue;
            };
            let toolchains = defconfig.toolchains_in(arch);
            for source in self.sources.keys() {
                if !arch.sources.is_empty() && !arch.sources.contains(source) {
                    continue;
                }
                builds.extend(toolchains.iter().map(|toolchain| BuildAddress {
                    source: source.clone(),
                    arch: arch.name.clone(),
                    defconfig: defconfig.name.clone(),
                    toolchain: toolchain.clone(),
                }));
            }
        }
        builds.sort();
        builds
    }

    /// The build at an address; `None` where a name is not declared or, as evaluation refuses, a
    /// value depends on a version that is not known.
    pub fn build(&self, address: &str) -> Option<Build<'_>> {
        let mut names = address.split('/');
        let version = self.sources.get(names.next()?)?.version.as_ref();
        let arch = self.arches.get(names.next()?)?;
        let key = (arch.name.clone(), names.next()?.to_owned());
        let defconfig = self.defconfigs.get(&key)?;
        let fixups = defconfig.fixups.iter();
        let fixups = fixups.filter(|fixup| fixup.versions.contains(version));
        let toolchain = self.toolchains.get(names.next()?)?;
        Some(Build {
            image: self.image_of(defconfig, toolchain),
            kernel_arch: &arch.kernel_arch,
            signing_key: arch.signing_key.as_ref().map(|key| &*key.text),
            kernel_image: arch.kernel_image.at(version)?,
            make_targets: arch.make_targets.at(version)?,
            recipe: defconfig.recipe.at(version)?,
            fixups: fixups
                .flat_map(|fixup| {
                    let symbols = fixup.symbols.iter();
                    symbols.map(|(symbol, value)| (symbol.as_str(), (fixup.strength, value)))
                })
                .collect(),
            toolchain,
        })
    }

    /// Name of the image in which a toolchain builds a defconfig.
    fn image_of(&self, defconfig: &Defconfig, toolchain: &Toolchain) -> String {
        let needed = self.needed(defconfig, toolchain);
        if needed.is_empty() {
            return toolchain.image.clone();
        }
        format!("{}+{}+{}", toolchain.image, defconfig.arch, defconfig.name)
    }

    /// What a defconfig needs beside what is in a toolchain's image.
    fn needed<'a>(&self, defconfig: &'a Defconfig, toolchain: &Toolchain) -> &'a [String] {
        let family = toolchain.base(self).map(|base| base.origin.family());
        let packages = family.and_then(|family| defconfig.packages.get(&family));
        packages.map(Vec::as_slice).unwrap_or_default()
    }

    /// Declares the images in which a defconfig is built that needs more packages than its toolchains' images have.
    pub fn declare_images(&mut self, defconfig: &Defconfig) {
        let arch = self.arches.get(&defconfig.arch);
        let toolchains = arch.map(|arch| defconfig.toolchains_in(arch).to_vec());
        for toolchain in &toolchains.unwrap_or_default() {
            let Some(toolchain) = self.toolchains.get(toolchain) else {
                continue;
            };
            let needed = self.needed(defconfig, toolchain);
            let Some(image) = self
                .images
                .get(&toolchain.image)
                .filter(|_| !needed.is_empty())
            else {
                continue;
            };
            let mut image = Image {
                name: self.image_of(defconfig, toolchain),
                ..image.clone()
            };
            image.packages.extend(needed.iter().cloned());
            image.packages.sort();
            image.packages.dedup();
            self.images.insert(image.name.clone(), image);
        }
    }

    /// Which components of a build's or boot's address are declared `manual`, by index: it runs only
    /// when a pattern names each of them.
    pub fn manual(&self, address: &str) -> Vec<usize> {
        let names: Vec<&str> = address.split('/').collect();
        let name = |index: usize| names.get(index).copied().unwrap_or_default();
        let defconfig = self
            .defconfigs
            .get(&(name(1).to_owned(), name(2).to_owned()));
        let manual = [
            (2, defconfig.is_some_and(|defconfig| defconfig.manual)),
            (
                3,
                self.toolchains
                    .get(name(3))
                    .is_some_and(|toolchain| toolchain.manual),
            ),
            (
                5,
                self.suites.get(name(5)).is_some_and(|suite| suite.manual),
            ),
        ];
        let manual = manual.into_iter().filter(|(_, manual)| *manual);
        manual.map(|(index, _)| index).collect()
    }
}
