//! The text files of Gentoo's mirrors, without their signatures.

use store::Algorithm;
use store::Checksum;

/// What `latest-stage3-NAME.txt` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latest {
    /// Below `autobuilds/`, such as `20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz`.
    pub path: String,
    /// Such as `20260111T170053Z`.
    pub stamp: String,
    /// In bytes.
    pub size: u64,
}

/// Reads `latest-stage3-NAME.txt`: comments, then one line of a path and a size.
///
/// Written by `tools/latest` of gentoo/releng: `# Latest as of DATE`, `# ts=SECONDS`, `STAMP/stage3-NAME-STAMP.tar.xz BYTES`.
pub(super) fn latest(text: &str, name: &str) -> Result<Latest, String> {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or("it names no stage3")?;
    let wrong = || format!("`{line}` is not `STAMP/stage3-{name}-STAMP.tar.xz BYTES`");
    let (path, size) = line.split_once(' ').ok_or_else(wrong)?;
    let size = size.trim().parse().map_err(|_| wrong())?;
    let (stamp, file) = path.split_once('/').ok_or_else(wrong)?;
    let digits = |c: char| c.is_ascii_digit() || matches!(c, 'T' | 'Z');
    let expected = format!("stage3-{name}-{stamp}.tar.xz");
    if stamp.is_empty() || !stamp.chars().all(digits) || file != expected {
        return Err(wrong());
    }
    Ok(Latest {
        path: path.to_owned(),
        stamp: stamp.to_owned(),
        size,
    })
}

/// Reads a `.DIGESTS` file: the SHA-512 and `BLAKE2b` of one of the files it tells of.
///
/// Written by catalyst: `# SHA512 HASH`, then `HEX  NAME`, for each algorithm and file.
pub(super) fn digests(text: &str, file: &str) -> Result<Vec<Checksum>, String> {
    let mut algorithm = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            algorithm = match comment.split_whitespace().next() {
                Some("SHA512") => Some(Algorithm::Sha512),
                Some("BLAKE2B") => Some(Algorithm::Blake2b),
                _ => None,
            };
        } else if let (Some(algorithm), Some((hex, name))) = (algorithm, line.split_once("  "))
            && name.trim() == file
        {
            let checksum = Checksum::new(algorithm, &hex.to_lowercase());
            found.push(checksum.map_err(|error| error.to_string())?);
        }
    }
    found.sort();
    found.dedup();
    for (algorithm, name) in [
        (Algorithm::Sha512, "SHA512"),
        (Algorithm::Blake2b, "BLAKE2B"),
    ] {
        let count = found
            .iter()
            .filter(|checksum| checksum.algorithm() == algorithm);
        match count.count() {
            1 => {}
            0 => return Err(format!("it has no {name} of `{file}`")),
            _ => return Err(format!("it has two {name}s of `{file}`")),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_stage3_is_read() {
        let text = "# Latest as of Sun, 11 Jan 2026 17:00:53 +0000\n# ts=1768150853\n\
                    20260111T170053Z/stage3-amd64-openrc-20260111T170053Z.tar.xz 302195456\n";
        let read = latest(text, "amd64-openrc").unwrap();
        assert_eq!(
            (read.stamp.as_str(), read.size),
            ("20260111T170053Z", 302_195_456)
        );
        for (bad, name) in [
            ("", "amd64-openrc"),
            (text, "amd64-systemd"),
            ("1/stage3-a-openrc-2.tar.xz 1", "a-openrc"),
            ("../../stage3-a-...tar.xz 1", "a"),
            ("1/stage3-a-1.tar.xz x", "a"),
            ("1/stage3-a-1.tar.xz", "a"),
        ] {
            assert!(latest(bad, name).is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_are_those_of_the_file() {
        let (one, two) = ("1".repeat(128), "2".repeat(128));
        let text = format!(
            "# BLAKE2B HASH\n{one}  a.tar.xz\n# SHA512 HASH\n{two}  a.tar.xz\n# BLAKE2B HASH\n{two}  a.CONTENTS.gz\n# MD5 HASH\nab  a.tar.xz\n"
        );
        let read = digests(&text, "a.tar.xz").unwrap();
        let texts: Vec<String> = read.iter().map(Checksum::to_string).collect();
        assert_eq!(texts, [format!("blake2b:{one}"), format!("sha512:{two}")]);
        insta::assert_snapshot!(digests(&text, "a.CONTENTS.gz").unwrap_err(), @"it has no SHA512 of `a.CONTENTS.gz`");
        let twice = format!("{text}# SHA512 HASH\n{one}  a.tar.xz\n");
        insta::assert_snapshot!(digests(&twice, "a.tar.xz").unwrap_err(), @"it has two SHA512s of `a.tar.xz`");
    }
}
