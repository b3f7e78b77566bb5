//! What a definition says about one build: what depends on the kernel's version is decided.

use std::collections::BTreeMap;

use thiserror::Error;

use super::Arch;
use super::BuildAddress;
use super::Catalog;
use super::ConfigRecipe;
use super::Defconfig;
use super::Derived;
use super::DerivedError;
use super::Image;
use super::Start;
use super::Strength;
use super::Toolchain;
use crate::kconfig;
use crate::kconfig::Unmet;
use crate::kconfig::Value;
use crate::kconfig::Version;
use crate::text::did_you_mean;

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
    pub recipe: ConfigRecipe,
    /// The last word of the fixups on every symbol.
    pub fixups: BTreeMap<String, (Strength, Value)>,
    /// The configuration whose resolved .config is changed, for a mutant: the third component of its address.
    pub parent: Option<Derived>,
    /// The configuration whose kernel says which symbols that leaves alone, on which too many objects depend.
    pub measured: Option<Derived>,
    /// The compiler.
    pub toolchain: &'a Toolchain,
    /// Name of the image it is built in: the toolchain's, or that with what the defconfig needs.
    pub image: String,
}

/// Why an address that is no declared build's is that of no other build either.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// It has not four components.
    #[error("the address of a build is SOURCE/ARCH/DEFCONFIG/TOOLCHAIN")]
    Components,
    /// A component names nothing.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// The most similar name there is.
        similar: Option<String>,
    },
    /// The configuration is not written as such.
    #[error(transparent)]
    Derived(#[from] DerivedError),
    /// A board for which no symbols can be set.
    #[error("no symbols make a .config fit `{0}`: {1}")]
    Unmet(String, Unmet),
    /// A definition that depends on a version that is not known; evaluation refuses it.
    #[error("what is declared says nothing for this kernel version")]
    Version,
}

/// A declared thing by its name, or the mistake that there is none.
fn find<'a, T>(
    what: &'static str,
    name: &str,
    all: &'a BTreeMap<String, T>,
) -> Result<&'a T, BuildError> {
    all.get(name)
        .ok_or_else(|| unknown(what, name, all.keys().map(String::as_str)))
}

fn unknown<'n>(
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> BuildError {
    BuildError::Unknown {
        what,
        name: name.to_owned(),
        similar: did_you_mean(name, known).map(str::to_owned),
    }
}

type Fixups = BTreeMap<String, (Strength, Value)>;

impl Catalog {
    /// Every build address that is declared, sorted.
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

    /// The build at an address: a declared one, or one whose configuration is derived ([`Derived`]).
    pub fn build(&self, address: &str) -> Result<Build<'_>, BuildError> {
        let names: Vec<&str> = address.split('/').collect();
        let [source, arch, configuration, toolchain] = names[..] else {
            return Err(BuildError::Components);
        };
        let derived = if Derived::is_meant(configuration) {
            configuration.parse()?
        } else {
            Derived::declared(configuration)
        };
        self.build_of(source, arch, &derived, toolchain)
    }

    /// The build of a configuration.
    pub fn build_of(
        &self,
        source: &str,
        arch: &str,
        derived: &Derived,
        toolchain: &str,
    ) -> Result<Build<'_>, BuildError> {
        let version = find("source", source, &self.sources)?.version.as_ref();
        let arch = find("arch", arch, &self.arches)?;
        let defconfig = match &derived.start {
            Start::Declared(name) => Some(self.defconfig(arch, name)?),
            Start::Random { .. } => None,
        };
        let toolchains = defconfig.map_or(&arch.toolchains[..], |defconfig| {
            defconfig.toolchains_in(arch)
        });
        if !toolchains.iter().any(|name| name == toolchain) {
            let known = toolchains.iter().map(String::as_str);
            return Err(unknown("toolchain", toolchain, known));
        }
        let toolchain = find("toolchain", toolchain, &self.toolchains)?;
        let (recipe, fixups) = self.configuration(derived, defconfig, version)?;
        Ok(Build {
            image: defconfig.map_or_else(
                || toolchain.image.clone(),
                |defconfig| self.image_of(defconfig, toolchain),
            ),
            kernel_arch: &arch.kernel_arch,
            signing_key: arch.signing_key.as_ref().map(|key| &*key.text),
            kernel_image: arch.kernel_image.at(version).ok_or(BuildError::Version)?,
            make_targets: arch.make_targets.at(version).ok_or(BuildError::Version)?,
            recipe,
            fixups,
            parent: derived.parent(),
            measured: derived.measured(),
            toolchain,
        })
    }

    fn defconfig(&self, arch: &Arch, name: &str) -> Result<&Defconfig, BuildError> {
        let found = self.defconfigs.get(&(arch.name.clone(), name.to_owned()));
        found.ok_or_else(|| {
            let of_arch = self.defconfigs.keys().filter(|(of, _)| *of == arch.name);
            unknown("defconfig", name, of_arch.map(|(_, name)| name.as_str()))
        })
    }

    /// How a .config is begun, and what is set on top.
    fn configuration(
        &self,
        derived: &Derived,
        defconfig: Option<&Defconfig>,
        version: Option<&Version>,
    ) -> Result<(ConfigRecipe, Fixups), BuildError> {
        let mut fixups = Fixups::new();
        if let Some(mutation) = derived.mutations.last() {
            self.satisfy(mutation.keep.as_deref(), version, &mut fixups)?;
            let recipe = ConfigRecipe::Mutant {
                seed: mutation.seed,
                share: mutation.share,
                spare: mutation.spare,
            };
            return Ok((recipe, fixups));
        }
        let recipe = match (&derived.start, defconfig) {
            (Start::Random { seed, probability }, _) => ConfigRecipe::Randconfig {
                seed: *seed,
                probability: probability.clone(),
            },
            (Start::Declared(_), defconfig) => {
                let defconfig = defconfig.ok_or(BuildError::Components)?;
                let of_version = defconfig.fixups.iter();
                let of_version = of_version.filter(|fixup| fixup.versions.contains(version));
                fixups.extend(of_version.flat_map(|fixup| {
                    let symbols = fixup.symbols.iter();
                    symbols.map(|(symbol, value)| (symbol.clone(), (fixup.strength, value.clone())))
                }));
                let recipe = defconfig.recipe.at(version);
                recipe.ok_or(BuildError::Version)?.clone()
            }
        };
        self.satisfy(derived.boots.as_deref(), version, &mut fixups)?;
        let wanted = derived.symbols.iter();
        fixups.extend(
            wanted.map(|(symbol, value)| (symbol.clone(), (Strength::Want, value.clone()))),
        );
        Ok((recipe, fixups))
    }

    /// Puts in what makes a .config fit a board.
    fn satisfy(
        &self,
        board: Option<&str>,
        version: Option<&Version>,
        fixups: &mut Fixups,
    ) -> Result<(), BuildError> {
        let Some(board) = board else {
            return Ok(());
        };
        let needs = self.requires(find("board", board, &self.boards)?);
        let parts = kconfig::satisfy(&needs);
        let parts = parts.map_err(|unmet| BuildError::Unmet(board.to_owned(), unmet))?;
        let parts = parts.into_iter();
        for part in parts.filter(|part| part.versions.contains(version)) {
            let symbols = part.symbols.into_iter();
            fixups.extend(symbols.map(|(symbol, value)| (symbol, (Strength::Satisfy, value))));
        }
        Ok(())
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
