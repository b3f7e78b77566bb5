//! Small files of Gentoo's mirrors, with their signatures checked.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use super::request::GentooRequest;
use crate::model;
use crate::origins::Means;
use crate::origins::OriginError;
use crate::origins::http::Http;
use crate::origins::openpgp::SignatureError;
use crate::origins::openpgp::Trust;

/// No list, signature or bundle of keys is larger.
pub(super) const SMALL: usize = 4 << 20;

/// The mirrors of one request, and the keys that vouch for them.
pub(super) struct Mirror<'a> {
    pub http: Http<'a>,
    pub mirrors: &'a [String],
    keys: Option<Trust>,
}

/// A small file.
pub(super) struct Small {
    /// Where it was.
    pub url: String,
    pub content: Vec<u8>,
}

impl<'a> Mirror<'a> {
    /// Gets the keys, where the request asks for signatures.
    pub(super) fn new(
        request: &'a GentooRequest,
        means: &'a Means<'a>,
    ) -> Result<Self, OriginError> {
        let http = Http::new(means)?;
        let keys = match &request.trust {
            model::Trust::Unsigned { .. } => None,
            model::Trust::Signed { keys, urls } => {
                let (url, material) = http.small(urls, SMALL)?;
                let trust = Trust::new(&material, keys, Some(now()));
                Some(trust.map_err(content(&url))?)
            }
        };
        Ok(Self {
            http,
            mirrors: &request.mirrors,
            keys,
        })
    }

    /// The keys; nothing where no signature is asked for.
    pub(super) fn keys(&self) -> Option<&Trust> {
        self.keys.as_ref()
    }

    /// A path on every mirror.
    pub(super) fn urls(&self, path: &str) -> Vec<String> {
        urls(self.mirrors, path)
    }

    /// A file of the first mirror that has it.
    pub(super) fn small(&self, path: &str) -> Result<Small, OriginError> {
        let (url, content) = self.http.small(&self.urls(path), SMALL)?;
        Ok(Small { url, content })
    }

    /// The text of a file that is signed in clear, and whose key signed it.
    pub(super) fn signed(
        &self,
        path: &str,
    ) -> Result<(Small, String, Option<String>), OriginError> {
        let small = self.small(path)?;
        let Some(keys) = &self.keys else {
            let text = Trust::unchecked(&small.content);
            return Ok((small, text, None));
        };
        let (text, signed) = keys
            .cleartext(&small.content)
            .map_err(content(&small.url))?;
        Ok((small, text, Some(signed.signer)))
    }
}

/// A path on every mirror.
pub(super) fn urls(mirrors: &[String], path: &str) -> Vec<String> {
    mirrors
        .iter()
        .map(|mirror| format!("{mirror}/{path}"))
        .collect()
}

/// Where else a file of one of the mirrors is.
pub(super) fn places(mirrors: &[String], url: &str) -> Vec<String> {
    let below = |mirror: &String| url.strip_prefix(mirror.as_str())?.strip_prefix('/');
    match mirrors.iter().find_map(below) {
        Some(path) => urls(mirrors, path),
        None => vec![url.to_owned()],
    }
}

/// What a signature's error says of what was downloaded.
pub(super) fn content(url: &str) -> impl FnOnce(SignatureError) -> OriginError {
    let url = url.to_owned();
    move |error| OriginError::Content(format!("`{url}`: {error}"))
}

/// Seconds since 1970, for as long as OpenPGP's four bytes hold them.
#[expect(
    clippy::disallowed_methods,
    reason = "whether a key has expired is asked of today, by `engine update` alone"
)]
fn now() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u32::try_from(now.as_secs()).unwrap_or(u32::MAX))
}
