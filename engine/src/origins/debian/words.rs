//! How Debian spells its names.

use crate::text::Spelling;

/// Debian Policy, section 5.6.7. apt takes a minus at the end for an order to remove.
pub const PACKAGE: Spelling = Spelling {
    noun: "a Debian package",
    example: "libelf-dev",
    begins: "",
    upper: false,
    marks: "+.-",
    ends: "",
};

/// A directory below `dists/`.
pub const SUITE: Spelling = Spelling {
    noun: "a Debian suite",
    example: "bookworm",
    begins: "",
    upper: false,
    marks: ".-",
    ends: "",
};

/// Debian Policy, section 11.1.
pub const ARCH: Spelling = Spelling {
    noun: "a Debian architecture",
    example: "amd64",
    begins: "",
    upper: false,
    marks: "-",
    ends: "",
};
