//! Names inside the store: what a tree may call its files, so that none escapes.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

/// A name or path that would not stay inside its directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {why}", path.display())]
pub struct NameError {
    /// The path.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Checks one name: not empty, not `.` or `..`, no `/`, no NUL, at most 255 bytes (`NAME_MAX`).
pub fn check_name(name: &[u8]) -> Result<(), &'static str> {
    match name {
        b"" => Err("has an empty name"),
        b"." | b".." => Err("has a name that leaves its directory"),
        _ if name.contains(&b'/') => Err("has a slash in a name"),
        _ if name.contains(&0) => Err("has a NUL byte in a name"),
        _ if name.len() > 255 => Err("has a name longer than 255 bytes"),
        _ => Ok(()),
    }
}

/// Checks a relative path: one or more good names between single slashes.
pub fn check_relative(path: &Path) -> Result<(), NameError> {
    for name in path.as_os_str().as_bytes().split(|&b| b == b'/') {
        check_name(name).map_err(|why| NameError {
            path: path.to_owned(),
            why,
        })?;
    }
    Ok(())
}

/// Compares paths so that a directory comes directly before what it holds.
pub(crate) fn order(a: &Path, b: &Path) -> std::cmp::Ordering {
    fn names(path: &Path) -> impl Iterator<Item = &[u8]> {
        path.as_os_str().as_bytes().split(|&b| b == b'/')
    }
    names(a).cmp(names(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_leave_are_refused() {
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a/.",
            "a\0b",
        ] {
            assert!(check_relative(Path::new(bad)).is_err(), "{bad:?}");
        }
        assert!(check_relative(Path::new(&"x".repeat(256))).is_err());
        for good in [
            "a",
            "a/b",
            "...",
            "a/..b",
            ".config",
            "lib/modules/6.1.0/kernel",
        ] {
            assert_eq!(check_relative(Path::new(good)), Ok(()), "{good:?}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_inside(text in "[./a]{0,8}") {
            if check_relative(Path::new(&text)).is_ok() {
                let normal = Path::new(&text).components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)));
                prop_assert!(normal && !text.is_empty());
            }
        }
    }
}
