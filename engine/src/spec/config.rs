//! A resolved .config: how it is begun, and the fixups on top.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::kconfig::Value;
use crate::model::ConfigRecipe;
use crate::model::Strength;

/// Inputs `source`, `image`, and `native` where it is accelerated. Outputs `config` and `fixups.json`.
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
    /// Debian's name of the architecture of the image it comes from.
    pub native: String,
    /// Debian's name of the architecture of the image it goes into.
    pub emulated: String,
}
