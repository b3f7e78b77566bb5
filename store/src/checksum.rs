//! Digests by which others name a content. The store's own name of it is its BLAKE3.

use std::fmt;
use std::io;
use std::io::Read;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use sha2::digest::DynDigest;

/// How others hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `BLAKE2b` with 512 bits (RFC 7693).
    Blake2b,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
}

/// A digest of a content, with how it was made: `sha256:` and 64 lower-case hexadecimal digits, `sha512:` or `blake2b:` and 128.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum {
    algorithm: Algorithm,
    hex: String,
}

/// A text that is not a checksum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no checksum: `sha256:` and 64 lower-case hexadecimal digits, or `sha512:` or `blake2b:` and 128"
)]
pub struct ChecksumError(pub String);

impl Algorithm {
    /// Every algorithm, by name.
    pub const ALL: [Self; 3] = [Self::Blake2b, Self::Sha256, Self::Sha512];

    /// Its name: what a checksum begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blake2b => "blake2b",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Hexadecimal digits of one digest.
    fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Blake2b | Self::Sha512 => 128,
        }
    }

    pub(crate) fn hasher(self) -> Box<dyn DynDigest + Send> {
        match self {
            Self::Blake2b => Box::new(blake2::Blake2b512::default()),
            Self::Sha256 => Box::new(sha2::Sha256::default()),
            Self::Sha512 => Box::new(sha2::Sha512::default()),
        }
    }
}

impl Checksum {
    /// A digest in lower-case hexadecimal digits, as many as the algorithm gives.
    pub fn new(algorithm: Algorithm, hex: &str) -> Result<Self, ChecksumError> {
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != algorithm.digits() || !hex.bytes().all(digit) {
            return Err(ChecksumError(format!("{}:{hex}", algorithm.word())));
        }
        let hex = hex.to_owned();
        Ok(Self { algorithm, hex })
    }

    /// The digest of bytes.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = algorithm.hasher();
        hasher.update(bytes);
        Self::of_bytes(algorithm, &hasher.finalize())
    }

    /// The digests of all that a reader gives, by each of the algorithms.
    pub fn of_reader<const N: usize>(
        reader: &mut dyn Read,
        algorithms: [Algorithm; N],
    ) -> io::Result<[Self; N]> {
        let mut hashers = algorithms.map(|algorithm| (algorithm, algorithm.hasher()));
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                return Ok(hashers
                    .map(|(algorithm, hasher)| Self::of_bytes(algorithm, &hasher.finalize())));
            }
            for (_, hasher) in &mut hashers {
                hasher.update(&buffer[..count]);
            }
        }
    }

    pub(crate) fn of_bytes(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hex = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        Self { algorithm, hex }
    }

    /// How it was made.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.word(), self.hex)
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let found = text.split_once(':').and_then(|(word, hex)| {
            let mut all = Algorithm::ALL.into_iter();
            let algorithm = all.find(|algorithm| algorithm.word() == word)?;
            Self::new(algorithm, hex).ok()
        });
        found.ok_or_else(|| ChecksumError(text.to_owned()))
    }
}

impl TryFrom<String> for Checksum {
    type Error = ChecksumError;

    fn try_from(text: String) -> Result<Self, ChecksumError> {
        text.parse()
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_nothing_else_is_read() {
        for algorithm in Algorithm::ALL {
            let text = Checksum::of(algorithm, b"").to_string();
            assert_eq!(text.parse::<Checksum>().unwrap().to_string(), text);
            for bad in [
                format!("{text}0"),
                text.to_uppercase(),
                text.replace(':', ""),
            ] {
                assert!(bad.parse::<Checksum>().is_err(), "{bad}");
            }
        }
        assert!("sha256:../../format".parse::<Checksum>().is_err());
    }
}
