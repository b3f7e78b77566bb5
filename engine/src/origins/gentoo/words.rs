//! How Gentoo spells its names.

use crate::text::Spelling;

/// Package Manager Specification, sections 3.1.1 and 3.1.2: a category, `/`, a package; upper case is allowed in both.
pub const PACKAGE: Spelling = Spelling {
    noun: "a Gentoo package with its category",
    example: "sys-devel/bc",
    begins: "",
    upper: true,
    marks: "+_.-/",
    ends: "",
};
