//! A compiled kernel.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::Accelerate;

/// Inputs `source`, `image`, `config`, and `native` where it is accelerated. Outputs `image`, `vmlinux`, `System.map`,
/// `modules.tar`, `metadata.json`, `objects.json` from Linux 6.1 on, and `dtbs.tar` where the arch has device trees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelSpec {
    /// The kernel's `ARCH=`.
    pub kernel_arch: String,
    /// Variables of the kernel's make line.
    pub make: BTreeMap<String, String>,
    /// Boot image below the build directory.
    pub image: String,
    /// Make targets that give it.
    pub targets: Vec<String>,
    /// Key and certificate (PEM) that sign modules where the `.config` would have the build make a random one; else the engine's own.
    pub signing_key: Option<String>,
    /// The native compiler that stands in for an emulated one.
    pub accelerate: Option<Accelerate>,
}
