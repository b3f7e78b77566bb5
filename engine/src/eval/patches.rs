//! Patches as people have them: files, mailboxes, quilt series, directories of those, compressed or not. Pure.

use std::io;
use std::io::Read;

use mailparse::MailHeaderMap as _;

use super::mail::decoded;
use crate::model::Patch;
use crate::model::ProjectFile;
use crate::sandbox;

/// Most bytes of one file of patches once it is decompressed.
const MOST_BYTES: u64 = 64 << 20;
/// Leading directories that paths in patches have and the source has not.
pub(super) const STRIP: u8 = 1;

/// The file of a directory that gives the order (quilt(1)).
pub(super) const SERIES: &str = "series";

/// How names of files end that a directory's patches have, before how compressed ones end.
const ENDS: [&str; 5] = [".patch", ".diff", ".mbox", ".mbx", ".eml"];
const COMPRESSED: [&str; 3] = [".gz", ".xz", ".zst"];

/// Whether a file of a directory is one of its patches, by its name.
pub(super) fn is_patch_name(name: &str) -> bool {
    let plain = COMPRESSED.iter().find_map(|end| name.strip_suffix(end));
    let name = plain.unwrap_or(name);
    ENDS.iter().any(|end| name.ends_with(end))
}

/// The patches in a file: one, or those of a mailbox in its order.
pub(super) fn patches(path: &str, bytes: &[u8], strip: u8) -> Result<Vec<Patch>, String> {
    let bytes = decompressed(bytes).map_err(|why| format!("cannot decompress `{path}`: {why}"))?;
    let mails = mails(&bytes);
    let of_series = mails.len() > 1;
    let mut patches = Vec::new();
    for (index, mail) in mails.iter().enumerate() {
        let name = if of_series {
            named(path, index, mail)
        } else {
            path.to_owned()
        };
        let text = decoded(mail).map_err(|why| format!("`{name}` is not readable: {why}"))?;
        patches.push(Patch {
            file: ProjectFile::of(&name, text.into_owned()),
            strip,
            of_series,
        });
    }
    Ok(patches)
}

/// What a mail of a mailbox is called: `fixes.mbox, 2: net: fix it`.
fn named(path: &str, index: usize, mail: &[u8]) -> String {
    let headers = mailparse::parse_headers(mail).map(|(headers, _)| headers);
    let subject = headers
        .ok()
        .and_then(|headers| headers.get_first_value("Subject"));
    let subject = subject.unwrap_or_default();
    let subject: String = subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{path}, {}: {}", index + 1, subject.trim())
}

/// The mails of a mailbox (mboxrd), without the lines that part them; of what is none, the whole.
fn mails(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut mails: Vec<Vec<u8>> = Vec::new();
    let mut blank = true;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if blank && is_from(line) {
            mails.push(Vec::new());
        } else if let Some(mail) = mails.last_mut() {
            mail.extend_from_slice(unquoted(line));
        } else if line.trim_ascii().is_empty() {
            // Before the first mail.
        } else {
            return vec![bytes.to_vec()];
        }
        blank = line.trim_ascii().is_empty();
    }
    if mails.is_empty() {
        vec![bytes.to_vec()]
    } else {
        mails
    }
}

/// Whether a line parts mails: `From `, somebody, and a date whose last words are a time and a year (mbox(5)).
fn is_from(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let Some(rest) = line.strip_prefix("From ") else {
        return false;
    };
    let mut words = rest.split_whitespace().rev();
    let year = words.next().unwrap_or_default();
    let time = words.next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    year.len() == 4 && digits(year) && time.split(':').all(digits) && time.contains(':')
}

/// A line of a mail as it was before a mailbox quoted it: `>From ` and `>>From ` lose a mark.
fn unquoted(line: &[u8]) -> &[u8] {
    let marks = line.iter().take_while(|byte| **byte == b'>').count();
    if marks > 0 && line[marks..].starts_with(b"From ") {
        &line[1..]
    } else {
        line
    }
}

/// The lines of a quilt series: paths beside it, and how many directories each strips.
pub(super) fn series(text: &str, strip: u8) -> Result<Vec<(String, u8)>, String> {
    let mut patches = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let refused = |word: &str| {
            format!(
                "line {}: `{word}` is no option of a series that is known: only `-pN` is",
                number + 1
            )
        };
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let mut strips = strip;
        while let Some(word) = words.next() {
            let number = match word.strip_prefix("-p") {
                Some("") => words.next(),
                Some("ab") => Some("1"),
                number => number,
            };
            let number = number.and_then(|number| number.parse().ok());
            strips = number.ok_or_else(|| refused(word))?;
        }
        patches.push((name.to_owned(), strips));
    }
    Ok(patches)
}

/// The content of a file that is plain or compressed by gzip, xz or zstd, told by how it begins.
fn decompressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    if let [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', ..] = bytes {
        return Err(io::Error::other(
            "it is compressed by bzip2; gzip, xz and zstd are read",
        ));
    }
    let reader = sandbox::decompressed(bytes)?;
    let mut content = Vec::new();
    reader.take(MOST_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        return Err(io::Error::other(format!("it is more than {most} MiB")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const DIFF: &str = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";

    fn told(bytes: &[u8]) -> String {
        let patches = patches("fix.mbox", bytes, 1).unwrap();
        let told = patches.iter().map(|patch| {
            let text = String::from_utf8_lossy(&patch.file.bytes()).into_owned();
            format!("[{}] {}", patch.file.path, text.replace('\n', "|"))
        });
        told.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_mailbox_is_its_mails() {
        let from = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n";
        let b4 = "From git@z Thu Jan  1 00:00:00 1970\n";
        let mailbox = format!(
            "{from}Subject: [PATCH 0/2] cover\n\nAll of it.\n\n{b4}Subject: =?utf-8?q?one_=C3=A9?=\n\n>From the top\nFrom here on\n{DIFF}\n{from}Subject:\n [PATCH 2/2]\n two\n\n{DIFF}"
        );
        insta::assert_snapshot!(told(mailbox.as_bytes()), @"
        [fix.mbox, 1: [PATCH 0/2] cover] Subject: [PATCH 0/2] cover||All of it.||
        [fix.mbox, 2: one é] Subject: =?utf-8?q?one_=C3=A9?=||From the top|From here on|--- a/x|+++ b/x|@@ -1 +1 @@|-a|+b||
        [fix.mbox, 3: [PATCH 2/2] two] Subject:| [PATCH 2/2]| two||--- a/x|+++ b/x|@@ -1 +1 @@|-a|+b|
        ");
        // One mail is one patch, and a plain one that speaks of mails is no mailbox.
        assert!(
            told(format!("{from}Subject: x\n\n{DIFF}").as_bytes())
                .starts_with("[fix.mbox] Subject")
        );
        assert!(told(format!("x\n\n{from}{DIFF}").as_bytes()).starts_with("[fix.mbox] x||From 01"));
    }

    #[test]
    fn compressed_patches_are_those_inside() {
        let plain = told(DIFF.as_bytes());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(DIFF.as_bytes()).unwrap();
        assert_eq!(told(&gzip.finish().unwrap()), plain);
        assert_eq!(told(&zstd::encode_all(DIFF.as_bytes(), 1).unwrap()), plain);
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(DIFF.as_bytes(), 6)
            .read_to_end(&mut xz)
            .unwrap();
        assert_eq!(told(&xz), plain);
        let wrong = |bytes: &[u8]| patches("a.patch.xz", bytes, 1).unwrap_err();
        let told = [wrong(&xz[..xz.len() - 9]), wrong(b"BZh91AY&SY")];
        insta::assert_snapshot!(told.join("\n"), @"
        cannot decompress `a.patch.xz`: premature eof
        cannot decompress `a.patch.xz`: it is compressed by bzip2; gzip, xz and zstd are read
        ");
        let bomb = zstd::encode_all(io::repeat(b' ').take(MOST_BYTES + 1), 1).unwrap();
        insta::assert_snapshot!(wrong(&bomb), @"cannot decompress `a.patch.xz`: it is more than 64 MiB");
    }

    #[test]
    fn a_series_names_patches_and_what_they_strip() {
        let text = "# those of ours\none.patch\n\ntwo.patch -p0 # old\ndir/three.patch -p 2\nfour.patch -pab\n";
        let told: Vec<String> = series(text, 1)
            .unwrap()
            .iter()
            .map(|(name, strip)| format!("{name} {strip}"))
            .collect();
        insta::assert_snapshot!(told.join(", "), @"one.patch 1, two.patch 0, dir/three.patch 2, four.patch 1");
        let wrong = |text| series(text, 1).unwrap_err();
        insta::assert_snapshot!(wrong("a.patch\nb.patch -R"), @"line 2: `-R` is no option of a series that is known: only `-pN` is");
        insta::assert_snapshot!(wrong("b.patch -px"), @"line 1: `-px` is no option of a series that is known: only `-pN` is");
    }

    #[test]
    fn files_of_a_directory_are_patches_by_their_names() {
        for name in [
            "0001-fix.patch",
            "a.diff",
            "v2.mbx",
            "1000_linux-6.1.1.patch.xz",
        ] {
            assert!(is_patch_name(name), "{name}");
        }
        for name in ["README", "0000_README", "v2.cover", "a.patch.bz2", "patch"] {
            assert!(!is_patch_name(name), "{name}");
        }
    }
}
