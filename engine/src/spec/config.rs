//! A resolved .config: how it is begun, and the fixups on top.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Value;
use crate::model::Abi;
use crate::model::ConfigRecipe;
use crate::model::Strength;

/// Inputs `source`, `image`, `kconfig`, `native` where it is accelerated, and `parent` for a mutant. Outputs `config` and `fixups.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigSpec {
    /// The kernel's `ARCH=`.
    pub kernel_arch: String,
    /// Variables of the kernel's make line.
    pub make: BTreeMap<String, String>,
    /// How the .config is begun.
    pub recipe: ConfigRecipe,
    /// The last word on every symbol.
    #[serde(serialize_with = "super::text::fixups")]
    pub fixups: BTreeMap<String, (Strength, Value)>,
    /// The native compiler that stands in for an emulated one.
    pub accelerate: Option<Accelerate>,
}

/// A cross gcc and the programs that builds call most, out of another image (input `native`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accelerate {
    /// The cross gcc's prefix, such as `aarch64-linux-gnu-`.
    pub prefix: String,
    /// What the image it comes from is for.
    pub native: Abi,
    /// What the image it goes into is for.
    pub emulated: Abi,
    /// Where its libraries lie.
    pub libraries: Libraries,
}

/// Where shared libraries and their loader lie in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Libraries {
    /// The directory.
    pub dir: String,
    /// The dynamic linker.
    pub linker: String,
}
