//! Patches that come as mails: their text as it was meant (RFC 2045).

use std::borrow::Cow;

use mailparse::MailHeaderMap as _;

/// The content of a patch: of a mail whose body is encoded, the mail with its body decoded; all else as it is, but that a text all of whose
/// lines end in CR LF, as mailers have them, loses these.
pub(super) fn decoded(patch: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let patch = unix(patch);
    if !is_encoded_mail(&patch) {
        return Ok(patch);
    }
    let mail = mailparse::parse_mail(&patch).map_err(|error| error.to_string())?;
    let part = match mail.subparts.as_slice() {
        [] => &mail,
        // What is attached comes last.
        [.., last] => last,
    };
    let body = part.get_body_raw().map_err(|error| error.to_string())?;
    let subject = mail.headers.get_first_value("Subject").unwrap_or_default();
    let mut text = format!("Subject: {subject}\n\n").into_bytes();
    text.extend_from_slice(&unix(&body));
    Ok(Cow::Owned(text))
}

/// A text with its lines ended as Unix does, where all of them end in CR LF: one that has some of both means them.
fn unix(text: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let all = lines.all(|line| line.ends_with(b"\r\n") || !line.ends_with(b"\n"));
    if !all || !text.contains(&b'\n') {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let lines = lines.flat_map(|line| match line.strip_suffix(b"\r\n") {
        Some(line) => [line, b"\n"],
        None => [line, b""],
    });
    Cow::Owned(lines.collect::<Vec<_>>().concat())
}

/// Whether a header before the first blank line says that the body is not as it reads.
fn is_encoded_mail(patch: &[u8]) -> bool {
    let lines = patch.split(|byte| *byte == b'\n');
    let mut head = lines.take_while(|line| !line.trim_ascii().is_empty());
    head.any(|line| {
        let line = String::from_utf8_lossy(line).to_ascii_lowercase();
        let encoding = line.strip_prefix("content-transfer-encoding:");
        let encoding = encoding.map(str::trim);
        matches!(encoding, Some("quoted-printable" | "base64"))
            || line.starts_with("content-type: multipart/")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-VERSION = 6\n+VERSION = 7\n";

    #[test]
    fn bodies_as_they_were_meant() {
        assert_eq!(decoded(DIFF.as_bytes()).unwrap(), DIFF.as_bytes());
        let quoted = "From 1234 Mon Sep 17 00:00:00 2001\nSubject: x\nContent-Type: text/plain; charset=UTF-8\n\
                      Content-Transfer-Encoding: quoted-printable\n\n--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-VERSION =3D 6\n+VERSI=\nON =3D 7\n";
        let text = decoded(quoted.as_bytes()).unwrap();
        assert!(
            text.ends_with(DIFF.as_bytes()),
            "{}",
            String::from_utf8_lossy(&text)
        );
        let base64 = "Subject: x\nContent-Transfer-Encoding: base64\n\nLS0tIGEvTWFrZWZpbGUKKysrIGIvTWFrZWZpbGUKQEAgLTEgKzEgQEAKLVZFUlNJT04gPSA2CitW\nRVJTSU9OID0gNwo=\n";
        let text = decoded(base64.as_bytes()).unwrap();
        assert!(
            text.ends_with(DIFF.as_bytes()),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }

    #[test]
    fn line_ends_of_mailers_go_and_those_that_are_meant_stay() {
        let dos = DIFF.replace('\n', "\r\n");
        assert_eq!(decoded(dos.as_bytes()).unwrap(), DIFF.as_bytes());
        let meant = DIFF.replace(" 6\n", " 6\r\n").replace(" 7\n", " 7\r\n");
        assert_eq!(decoded(meant.as_bytes()).unwrap(), meant.as_bytes());
    }

    #[test]
    fn a_patch_that_only_speaks_of_it_stays_as_it_is() {
        let patch = format!("Subject: x\n\nContent-Transfer-Encoding: base64\n{DIFF}");
        assert_eq!(decoded(patch.as_bytes()).unwrap(), patch.as_bytes());
        let latin = b"Subject: M\xfcller\n\n--- a/x\n".as_slice();
        assert_eq!(decoded(latin).unwrap(), latin);
    }
}
