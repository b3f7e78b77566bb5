//! A lab's token: read when a lab is used, never shown.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use thiserror::Error;

use crate::model::TokenFrom;

/// A token of a LAVA user. It has no way to be printed, serialised or hashed.
#[derive(Clone)]
pub struct Token(String);

/// Why there is no token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// The variable is not set.
    #[error("`${0}` is not set: it must hold the token of the lab's user")]
    NotSet(String),
    /// The file cannot be read.
    #[error("cannot read the token in `{path}`: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// Others may read the file.
    #[error("`{path}` may be read by others (mode {mode:o}): `chmod 600 {path}`")]
    Open {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be a token.
    #[error("{0} holds no token: LAVA's are 1 to 128 letters and digits")]
    Odd(String),
}

/// More than any token.
const MOST_BYTES: u64 = 4096;

impl Token {
    /// Reads a token from where it is; `environment` gives variables.
    pub fn read(
        from: &TokenFrom,
        environment: fn(&str) -> Option<OsString>,
    ) -> Result<Self, TokenError> {
        match from {
            TokenFrom::Env(name) => {
                let value = environment(name).ok_or_else(|| TokenError::NotSet(name.clone()))?;
                Self::of(&value.to_string_lossy(), &format!("`${name}`"))
            }
            TokenFrom::File(path) => Self::of_file(path),
        }
    }

    fn of_file(path: &str) -> Result<Self, TokenError> {
        let unreadable = |reason: &dyn fmt::Display| TokenError::Unreadable {
            path: path.to_owned(),
            reason: reason.to_string(),
        };
        let facts = fs::metadata(path).map_err(|error| unreadable(&error))?;
        if !facts.is_file() || facts.len() > MOST_BYTES {
            return Err(unreadable(&"it is no small file"));
        }
        if facts.mode() & 0o077 != 0 {
            let (path, mode) = (path.to_owned(), facts.mode() & 0o777);
            return Err(TokenError::Open { path, mode });
        }
        let text = fs::read_to_string(path).map_err(|error| unreadable(&error))?;
        Self::of(&text, &format!("`{path}`"))
    }

    fn of(text: &str, place: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if text.is_empty() || text.len() > 128 || !plain {
            return Err(TokenError::Odd(place.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The value of the header `Authorization`.
    pub(super) fn header(&self) -> String {
        format!("Token {}", self.0)
    }

    /// As a password.
    pub(super) fn password(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
