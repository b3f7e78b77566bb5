//! Patches that come as mails: their text as it was meant (RFC 2045).

use std::borrow::Cow;

use mailparse::MailHeaderMap as _;

/// The content of a patch: of a mail whose body is encoded, the mail with its body decoded; all else as it is.
pub(super) fn decoded(patch: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if !is_encoded_mail(patch) {
        return Ok(Cow::Borrowed(patch));
    }
    let mail = mailparse::parse_mail(patch).map_err(|error| error.to_string())?;
    let part = match mail.subparts.as_slice() {
        [] => &mail,
        // What is attached comes last.
        [.., last] => last,
    };
    let body = part.get_body_raw().map_err(|error| error.to_string())?;
    let subject = mail.headers.get_first_value("Subject").unwrap_or_default();
    let mut text = format!("Subject: {subject}\n\n").into_bytes();
    // A mail's lines end in CR LF.
    let mut rest = body.as_slice();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        text.extend_from_slice(&rest[..end]);
        text.push(b'\n');
        rest = &rest[end + 2..];
    }
    text.extend_from_slice(rest);
    Ok(Cow::Owned(text))
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
    fn a_patch_that_only_speaks_of_it_stays_as_it_is() {
        let patch = format!("Subject: x\n\nContent-Transfer-Encoding: base64\n{DIFF}");
        assert_eq!(decoded(patch.as_bytes()).unwrap(), patch.as_bytes());
        let latin = b"Subject: M\xfcller\n\n--- a/x\n".as_slice();
        assert_eq!(decoded(latin).unwrap(), latin);
    }
}
