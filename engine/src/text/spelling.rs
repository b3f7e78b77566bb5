//! How words are spelt that go on to other programs, where a stray letter would be a command.

use std::fmt;

/// Most bytes of a word: what a file's name may have.
const MOST: usize = 255;

/// How one kind of word is spelt: `begins`, then a letter or digit, then letters, digits and `marks`, the last of which is a letter, a
/// digit or `+`, then `ends`. Where `marks` has `/`, the word is a path that may end with `/`, and none of its parts is empty, `.` or `..`.
#[derive(Debug, PartialEq, Eq)]
pub struct Spelling {
    /// What such a word is, with its article: `a make target`.
    pub noun: &'static str,
    /// One that is right.
    pub example: &'static str,
    /// What it begins with.
    pub begins: &'static str,
    /// Whether upper-case letters are letters of it.
    pub upper: bool,
    /// What it may have beside letters and digits.
    pub marks: &'static str,
    /// What it ends with.
    pub ends: &'static str,
}

impl Spelling {
    /// Whether a word is spelt so.
    pub fn fits(&self, word: &str) -> bool {
        let stem = word.strip_prefix(self.begins);
        let Some(stem) = stem.and_then(|stem| stem.strip_suffix(self.ends)) else {
            return false;
        };
        let is_path = self.marks.contains('/');
        // A directory: kbuild makes all that is in it.
        let dir = stem.strip_suffix('/').filter(|_| is_path);
        let (stem, word) = dir.map_or((stem, word), |dir| (dir, &word[..word.len() - 1]));
        let letter = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || self.upper && c.is_ascii_uppercase()
        };
        word.len() <= MOST
            && stem.starts_with(letter)
            && stem.ends_with(|c| letter(c) || c == '+')
            && stem.chars().all(|c| letter(c) || self.marks.contains(c))
            && (!is_path || word.trim_start_matches('/').split('/').all(is_part))
    }
}

/// Whether a part of a path names something in the directory it stands in.
fn is_part(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
}

/// The rule, as a sentence without its full stop.
impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = if self.upper { "" } else { "lower-case " };
        let blanks = if self.marks.contains(' ') {
            ", blanks"
        } else {
            ""
        };
        let marks: Vec<String> = self
            .marks
            .chars()
            .filter(|mark| *mark != ' ')
            .map(String::from)
            .collect();
        write!(
            f,
            "{} has {case}letters, digits{blanks} and `{}`",
            self.noun,
            marks.join(" ")
        )?;
        match (self.begins, self.ends) {
            ("", "") => f.write_str(", and a letter or digit at both ends")?,
            ("", ends) => write!(f, ", begins with a letter or digit and ends with `{ends}`")?,
            (begins, _) => write!(f, ", and begins with `{begins}`")?,
        }
        write!(f, ": such as `{}`", self.example)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Spelling = Spelling {
        noun: "a file of the build",
        example: "arch/x86/boot/bzImage",
        begins: "",
        upper: true,
        marks: "_.+-/",
        ends: "",
    };
    const PREFIX: Spelling = Spelling {
        noun: "a prefix",
        example: "arm-linux-gnueabihf-",
        begins: "",
        upper: false,
        marks: "-",
        ends: "-",
    };

    #[test]
    fn words_fit_or_not() {
        for good in ["a", "A/b.c", "9", "kernel/locking/", PATH.example] {
            assert!(PATH.fits(good), "{good}");
        }
        for bad in [
            "", ".", "a-", "a/../b", "/a", "a//b", "a//", "/", "-a", "a b", "a\n", "ä", "a/.",
        ] {
            assert!(!PATH.fits(bad), "{bad}");
        }
        assert!(PREFIX.fits(PREFIX.example));
        for bad in ["-", "--", "arm", "Arm-", "x$(id)-"] {
            assert!(!PREFIX.fits(bad), "{bad}");
        }
        assert!(PATH.fits(&"a".repeat(255)) && !PATH.fits(&"a".repeat(256)));
    }

    #[test]
    fn rules_are_told() {
        insta::assert_snapshot!(PATH, @"a file of the build has letters, digits and `_ . + - /`, and a letter or digit at both ends: such as `arch/x86/boot/bzImage`");
        insta::assert_snapshot!(PREFIX, @"a prefix has lower-case letters, digits and `-`, begins with a letter or digit and ends with `-`: such as `arm-linux-gnueabihf-`");
    }
}
