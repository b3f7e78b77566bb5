//! Address globs as the command line takes them: `linux-6.1/*/*/clang`, `image:kbuild`, `*/qemu-pc/*`.

use std::fmt;

use thiserror::Error;

/// A parsed glob. `*` matches within one component, `**` any number of whole components; a pattern
/// without wildcards at its end also covers everything below the address it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<String>,
}

/// What is wrong with a pattern.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    /// A component is empty.
    #[error("address pattern `{0}` has an empty component")]
    EmptyComponent(String),
}

impl Pattern {
    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        let parts: Vec<String> = trimmed.split('/').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) {
            return Err(PatternError::EmptyComponent(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// Whether `address` is named by the pattern or lies below what it names.
    pub fn covers(&self, address: &str) -> bool {
        let components: Vec<&str> = address.split('/').collect();
        covers_parts(&self.parts, &components)
    }

    /// Whether the pattern names something below `address`, such as a boot below a build.
    pub fn leads_below(&self, address: &str) -> bool {
        let components: Vec<&str> = address.split('/').collect();
        (1..self.parts.len()).any(|cut| {
            self.parts[cut - 1] == "**" || matches_whole(&self.parts[..cut], &components)
        })
    }

    /// Whether the pattern covers `address` or names something below it.
    pub fn covers_or_leads_to(&self, address: &str) -> bool {
        self.covers(address) || self.leads_below(address)
    }

    /// Whether these components of an address, by index, stand in the pattern without wildcards. The
    /// pattern must cover the address or lead below it.
    pub fn names(&self, address: &str, indices: &[usize]) -> bool {
        let components: Vec<(&str, bool)> = address
            .split('/')
            .enumerate()
            .map(|(index, component)| (component, indices.contains(&index)))
            .collect();
        names_parts(&self.parts, &components)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn covers_parts(parts: &[String], components: &[&str]) -> bool {
    let Some((first, rest)) = parts.split_first() else {
        return true;
    };
    if first == "**" {
        return (0..=components.len()).any(|skip| covers_parts(rest, &components[skip..]));
    }
    let Some((component, below)) = components.split_first() else {
        return false;
    };
    component_matches(first.as_bytes(), component.as_bytes()) && covers_parts(rest, below)
}

/// Whether the parts match along the components, those to be named by the very word.
fn names_parts(parts: &[String], components: &[(&str, bool)]) -> bool {
    let named = |components: &[(&str, bool)]| components.iter().all(|(_, named)| !named);
    let Some(((component, must), below)) = components.split_first() else {
        return true;
    };
    let Some((first, rest)) = parts.split_first() else {
        return named(components);
    };
    if first == "**" {
        let skips = 0..=components.len();
        return skips
            .take_while(|skip| named(&components[..*skip]))
            .any(|skip| names_parts(rest, &components[skip..]));
    }
    let matches = component_matches(first.as_bytes(), component.as_bytes());
    let word = !must || first == component;
    matches && word && names_parts(rest, below)
}

fn matches_whole(parts: &[String], components: &[&str]) -> bool {
    parts.len() == components.len()
        && parts
            .iter()
            .zip(components)
            .all(|(part, component)| component_matches(part.as_bytes(), component.as_bytes()))
}

/// Matches `*` within one component; linear in the text for each star.
fn component_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            p = star_p + 1;
            t = star_t + 1;
            star = Some((star_p, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, address: &str) -> bool {
        Pattern::parse(pattern).unwrap().covers(address)
    }

    #[test]
    fn star_stays_in_its_component() {
        assert!(covers(
            "linux-6.1/*/*/clang",
            "linux-6.1/arm/sunxi_defconfig/clang"
        ));
        assert!(!covers(
            "linux-6.1/*/clang",
            "linux-6.1/arm/sunxi_defconfig/clang"
        ));
        assert!(covers(
            "linux-*/a*m/*",
            "linux-6.1/arm/sunxi_defconfig/clang"
        ));
    }

    #[test]
    fn a_pattern_covers_what_lies_below() {
        assert!(covers(
            "linux-6.1/arm",
            "linux-6.1/arm/tiny/gcc/qemu/general"
        ));
        assert!(!covers("linux-6.1/arm", "linux-6.1/arm64/tiny/gcc"));
    }

    #[test]
    fn two_stars_skip_components() {
        assert!(covers(
            "**/qemu-pc",
            "linux-6.1/x86_64/tiny/gcc/qemu-pc/general"
        ));
        assert!(!covers("**/qemu-pc", "linux-6.1/x86_64/tiny/gcc"));
    }

    #[test]
    fn a_boot_pattern_leads_through_its_build() {
        let pattern = Pattern::parse("linux-6.1/*/tiny/gcc/qemu-pc/panic").unwrap();
        assert!(pattern.leads_below("linux-6.1/x86_64/tiny/gcc"));
        assert!(!pattern.leads_below("linux-6.1/x86_64/tiny/clang"));
        assert!(
            Pattern::parse("**/panic")
                .unwrap()
                .leads_below("linux-6.1/x86_64/tiny/gcc")
        );
    }

    #[test]
    fn a_name_counts_only_where_it_stands_literally() {
        let names = |pattern: &str, indices: &[usize]| {
            let address = "linux-6.1/x86/boot/gcc/pc/boot";
            Pattern::parse(pattern).unwrap().names(address, indices)
        };
        assert!(names("linux-6.1/*/boot", &[2]));
        assert!(names("linux-6.1/*/boot/*/pc/*", &[2]));
        assert!(names("**/boot/gcc", &[2, 3]) && names("**/boot", &[2]) && names("**/boot", &[5]));
        assert!(names("*/x86", &[]) && names("**", &[]));
        assert!(!names("**/boot", &[2, 5]) && names("**/boot/**/boot", &[2, 5]));
        assert!(!names("linux-6.1/x86", &[2]));
        assert!(!names("linux-6.1/*/b*", &[2]) && !names("linux-6.1/*/*/gcc", &[2]));
        assert!(!names("linux-6.1/*/boot", &[3]) && !names("**/gcc/pc", &[2]));
    }

    #[test]
    fn an_empty_component_is_refused() {
        assert_eq!(
            Pattern::parse("a//b").unwrap_err().to_string(),
            "address pattern `a//b` has an empty component"
        );
    }
}
