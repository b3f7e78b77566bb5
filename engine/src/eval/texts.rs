//! Names and texts of definitions' maps, and URLs: what may stand in them.

use url::Url;

use super::mistake::Mistake;
use super::schema::place;

/// Refuses what is no address of a server; else it tells the next step.
pub(super) fn check_url(text: &str) -> Result<(), &'static str> {
    let url = match Url::parse(text) {
        Ok(url) if text.bytes().all(|b| b.is_ascii_graphic()) => url,
        _ => return Err("such as `https://example.org/linux-6.1.tar.xz`"),
    };
    if !matches!(url.scheme(), "https" | "http") {
        return Err("only `https://` and `http://` are fetched");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user and password are no part of a definition");
    }
    Ok(())
}

/// Variables that say to make what the engine says, or that make itself is led by.
const RESERVED: &[&str] = &[
    "ARCH",
    "INSTALL_DTBS_PATH",
    "INSTALL_MOD_PATH",
    "KBUILD_OUTPUT",
    "KBUILD_SRC",
    "KCONFIG_ALLCONFIG",
    "KCONFIG_CONFIG",
    "MAKE",
    "MAKECMDGOALS",
    "MAKEFILES",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MAKEOVERRIDES",
    "MFLAGS",
    "O",
    "SHELL",
    "VPATH",
];

pub(super) fn check_variable(name: &str, path: &[String]) -> Result<(), Mistake> {
    let spelt = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let mistake = Mistake::at(path, format!("`{name}` cannot be a make variable"));
    if !spelt {
        return Err(mistake.help("a variable has letters, digits and `_`"));
    }
    if RESERVED.contains(&name) {
        return Err(mistake.help("the engine sets it itself, or make is led by it"));
    }
    Ok(())
}

/// Settings of Portage that say where things lie in the sandbox.
const PORTAGE_RESERVED: &[&str] = &[
    "DISTDIR",
    "EPREFIX",
    "PKGDIR",
    "PORTAGE_TMPDIR",
    "PORTDIR",
    "ROOT",
    "SYSROOT",
];

pub(super) fn check_setting(name: &str, path: &[String]) -> Result<(), Mistake> {
    let spelt = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let mistake = Mistake::at(path, format!("`{name}` cannot be a setting of make.conf"));
    if !spelt {
        return Err(mistake.help("a setting has upper-case letters, digits and `_`"));
    }
    if PORTAGE_RESERVED.contains(&name) {
        return Err(mistake.help("the engine says where things lie"));
    }
    Ok(())
}

/// Refuses what make.conf(5) would expand or end a value at.
pub(super) fn check_setting_value(text: &str, path: &[String]) -> Result<(), Mistake> {
    match text.chars().find(|c| "\"'$`\\#".contains(*c)) {
        Some(wrong) => Err(Mistake::at(
            path,
            format!(
                "{} has {wrong:?}, which make.conf gives a meaning to",
                place(path)
            ),
        )
        .help("write the words alone")),
        None => Ok(()),
    }
}

/// Refuses what make would expand, and what the shells that it starts would not take as a word.
pub(super) fn check_make_value(text: &str, path: &[String]) -> Result<(), Mistake> {
    const MARKS: &str = "_.,:=/+-@%";
    if let Some(wrong) = text
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !MARKS.contains(*c))
    {
        let message = format!(
            "{} has {wrong:?}, which a make variable cannot have here",
            place(path)
        );
        return Err(Mistake::at(path, message)
            .help("a value has letters, digits and `_ . , : = / + - @ %`"));
    }
    Ok(())
}

/// A key of a map that goes on to LAVA.
pub(super) fn check_key(name: &str, path: &[String]) -> Result<(), Mistake> {
    let spelt = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if spelt {
        return Ok(());
    }
    Err(Mistake::at(path, format!("`{name}` cannot be a name here"))
        .help("a name has letters, digits and `_ - .`, and begins with a letter"))
}
