//! Compilers: which image holds them and how the kernel's `make` is told to use them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::Base;
use super::Catalog;

/// A compiler as the kernel build sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toolchain {
    /// Last component of a build address, such as `gcc` or `clang`.
    pub name: String,
    /// What it is.
    pub kind: ToolchainKind,
    /// Name of the declared image it lives in.
    pub image: String,
    /// More variables for the kernel's make line, such as `LLVM_IAS` to `1`.
    pub make: BTreeMap<String, String>,
    /// Name of a cross toolchain of the host's architecture that compiles instead of an emulated gcc.
    pub accelerate: Option<String>,
    /// Builds with it run only when an address names it.
    pub manual: bool,
}

/// Whatever compiles with another gcc than `gcc` says so by this variable of the kernel's make.
pub const CROSS_COMPILE: &str = "CROSS_COMPILE";

/// The families of compilers kbuild knows (Documentation/kbuild/llvm.rst, kbuild.rst).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToolchainKind {
    /// The image's own gcc.
    Gcc,
    /// clang with LLVM's binutils: `LLVM=1`.
    Clang,
    /// A cross gcc: `CROSS_COMPILE=PREFIX`.
    Cross {
        /// Prefix with its trailing dash, such as `arm-linux-gnueabihf-`.
        prefix: String,
    },
}

impl Toolchain {
    /// The variables this toolchain adds to a kernel make line, by name.
    pub fn make_variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.make.clone();
        match &self.kind {
            ToolchainKind::Gcc => {}
            ToolchainKind::Clang => {
                variables.insert("LLVM".to_owned(), "1".to_owned());
            }
            ToolchainKind::Cross { prefix } => {
                variables.insert(CROSS_COMPILE.to_owned(), prefix.clone());
            }
        }
        variables
    }

    /// The cross toolchain that compiles instead, and its prefix.
    pub fn accelerator<'a>(&self, catalog: &'a Catalog) -> Option<(&'a Self, &'a str)> {
        let cross = catalog.toolchains.get(self.accelerate.as_ref()?)?;
        match &cross.kind {
            ToolchainKind::Cross { prefix } => Some((cross, prefix)),
            ToolchainKind::Gcc | ToolchainKind::Clang => None,
        }
    }

    /// The base of its image.
    pub fn base<'a>(&self, catalog: &'a Catalog) -> Option<&'a Base> {
        catalog.bases.get(&catalog.images.get(&self.image)?.base)
    }

    /// The C compiler's command inside the image.
    pub fn c_compiler(&self) -> String {
        match &self.kind {
            ToolchainKind::Gcc => "gcc".to_owned(),
            ToolchainKind::Clang => "clang".to_owned(),
            ToolchainKind::Cross { prefix } => format!("{prefix}gcc"),
        }
    }
}
