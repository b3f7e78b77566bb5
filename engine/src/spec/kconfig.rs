//! kconfig's host program for one source and toolchain.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::Accelerate;

/// Inputs `source`, `image`, and `native` where it is accelerated. Output `tar`: the program, how the kernel's make runs it, and
/// what the Kconfig files ask of the shell with the answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KconfigSpec {
    /// The kernel's `ARCH=`.
    pub kernel_arch: String,
    /// Variables of the kernel's make line.
    pub make: BTreeMap<String, String>,
    /// The native compiler that stands in for an emulated one.
    pub accelerate: Option<Accelerate>,
}
