//! A root filesystem made of a static `/init` and one suite.

use serde::Deserialize;
use serde::Serialize;

use crate::model::Abi;
use crate::model::RootfsFormat;

/// Input `image`. Output `initrd`, `disk` or `nfsroot`, as the format says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootfsSpec {
    /// The C compiler's command in the image.
    pub cc: String,
    /// What the programs must be compiled for.
    pub abi: Abi,
    /// C source of `/init`.
    pub init: String,
    /// C source of `/suite`; without one `/init` starts the shell.
    pub suite: Option<String>,
    /// A static busybox in the image.
    pub shell: Option<String>,
    /// C source that takes the place of the toolchain's C library.
    pub libc: Option<String>,
    /// What it is packed as.
    pub format: RootfsFormat,
}
