//! Digests of contents and of keys: the only hashing in the workspace.

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;
use sha2::digest::DynDigest;

use crate::checksum::Algorithm;
use crate::checksum::Checksum;

/// A BLAKE3 digest: of a content, or of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// A text that is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest of 64 lower-case hexadecimal digits")]
pub struct DigestError(pub String);

impl Digest {
    /// The digest of a content: plain BLAKE3, the number `b3sum` prints.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of `parts` in `context`, each part length-prefixed; see [`KeyHasher`].
    pub fn derive<'a>(context: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        parts
            .into_iter()
            .fold(KeyHasher::new(context), KeyHasher::bytes)
            .finish()
    }

    /// The first 12 hexadecimal digits, for people.
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(12);
        hex
    }

    /// Reads exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let bad = || DigestError(text.to_owned());
        // blake3 takes upper case too; one digest has one spelling here.
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(bad());
        }
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| bad())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(DigestVisitor)
        } else {
            deserializer.deserialize_bytes(DigestVisitor)
        }
    }
}

struct DigestVisitor;

impl de::Visitor<'_> for DigestVisitor {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest (64 hexadecimal digits, or 32 bytes)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
        Digest::from_slice(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
    }
}

/// Hashes the preimage of a key: BLAKE3 in its derive-key mode, so that a key never equals the
/// digest of a content, over an encoding in which no two lists of parts look alike.
///
/// Every part is a tag byte, a length (8 bytes, little endian) and its bytes.
#[derive(Clone, Debug)]
pub struct KeyHasher(blake3::Hasher);

impl KeyHasher {
    /// Starts a key; `context` names its kind and the version of its encoding.
    pub fn new(context: &str) -> Self {
        Self(blake3::Hasher::new_derive_key(context))
    }

    /// Adds a text.
    #[must_use]
    pub fn str(self, text: &str) -> Self {
        self.part(b's', text.as_bytes())
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.part(b'b', bytes)
    }

    /// Adds a digest.
    #[must_use]
    pub fn digest(self, digest: &Digest) -> Self {
        self.part(b'd', &digest.0)
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.part(b'n', &number.to_le_bytes())
    }

    /// The key.
    pub fn finish(self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }

    fn part(mut self, tag: u8, bytes: &[u8]) -> Self {
        // `usize` is at most 64 bits wide on every target of Rust.
        self.0
            .update(&[tag])
            .update(&(bytes.len() as u64).to_le_bytes())
            .update(bytes);
        self
    }
}

/// Hashes a content as it passes: BLAKE3 always, and what else is asked for.
pub(crate) struct ContentHasher {
    blake3: blake3::Hasher,
    others: Vec<(Algorithm, Box<dyn DynDigest + Send>)>,
    size: u64,
}

impl ContentHasher {
    pub(crate) fn new(algorithms: &[Algorithm]) -> Self {
        let hasher = |algorithm: &Algorithm| (*algorithm, algorithm.hasher());
        Self {
            blake3: blake3::Hasher::new(),
            others: algorithms.iter().map(hasher).collect(),
            size: 0,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        for (_, hasher) in &mut self.others {
            hasher.update(bytes);
        }
        self.size += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> Hashes {
        let digest = Digest(*self.blake3.finalize().as_bytes());
        let others = self.others.into_iter();
        let checksum = |(algorithm, hasher): (Algorithm, Box<dyn DynDigest + Send>)| {
            Checksum::of_bytes(algorithm, &hasher.finalize())
        };
        Hashes {
            digest,
            checksums: others.map(checksum).collect(),
            size: self.size,
        }
    }
}

/// What one pass over a content gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// BLAKE3 of the content.
    pub digest: Digest,
    /// What else was asked for, in the order it was asked for.
    pub checksums: Vec<Checksum>,
    /// Bytes read.
    pub size: u64,
}

/// Reads `reader` to its end in blocks of 256 KiB, handing each to `each`.
pub(crate) fn for_each_block<E: From<io::Error>>(
    mut reader: impl Read,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut block = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(n) => each(&block[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Hashes a file in one pass: by BLAKE3, and by others.
pub fn hash_file(path: &Path, others: &[Algorithm]) -> io::Result<Hashes> {
    let mut hasher = ContentHasher::new(others);
    for_each_block(File::open(path)?, |block| {
        hasher.update(block);
        Ok::<_, io::Error>(())
    })?;
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn contents_hash_as_b3sum_and_sha256sum_do() {
        // The empty input of the official test vectors, and FIPS 180's "abc".
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(Digest::of(b"").short(), "af1349b9f5f9");
        let mut content = ContentHasher::new(&Algorithm::ALL);
        content.update(b"a");
        content.update(b"bc");
        let hashes = content.finish();
        let texts: Vec<String> = hashes.checksums.iter().map(Checksum::to_string).collect();
        // RFC 7693, appendix A, and FIPS 180's examples.
        let abc = [
            "blake2b:ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ];
        assert_eq!(texts, abc);
        assert_eq!((hashes.digest, hashes.size), (Digest::of(b"abc"), 3));
    }

    #[test]
    fn a_key_is_not_the_digest_of_a_content() {
        assert_ne!(KeyHasher::new("a 1").finish(), Digest::of(b""));
        assert_ne!(
            KeyHasher::new("a 1").finish(),
            KeyHasher::new("a 2").finish()
        );
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Digest::of(b"x");
        let upper = digest.to_string().to_uppercase();
        for bad in [
            "",
            "af13",
            upper.as_str(),
            &format!("{digest}0"),
            &format!(" {digest}"),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError(bad.to_owned())));
        }
    }

    #[derive(Clone, Debug, PartialEq)]
    enum Part {
        Str(String),
        Bytes(Vec<u8>),
        Digest(Digest),
        Number(u64),
    }

    fn key(parts: &[Part]) -> Digest {
        let hasher = parts
            .iter()
            .fold(KeyHasher::new("test"), |hasher, part| match part {
                Part::Str(text) => hasher.str(text),
                Part::Bytes(bytes) => hasher.bytes(bytes),
                Part::Digest(digest) => hasher.digest(digest),
                Part::Number(number) => hasher.number(*number),
            });
        hasher.finish()
    }

    fn part() -> impl Strategy<Value = Part> {
        // Short and alike on purpose: collisions, if any, are where parts join.
        prop_oneof![
            "[sb]{0,3}".prop_map(Part::Str),
            prop::collection::vec(prop_oneof![Just(0u8), Just(b's'), Just(1)], 0..4)
                .prop_map(Part::Bytes),
            (0u64..3).prop_map(Part::Number),
            prop_oneof![Just(0u8), Just(b's')].prop_map(|b| Part::Digest(Digest([b; 32]))),
        ]
    }

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(bytes: [u8; 32]) {
            let digest = Digest(bytes);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(&json, &format!("\"{digest}\""));
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
            let packed = postcard::to_allocvec(&digest).unwrap();
            prop_assert_eq!(packed.len(), 33);
            prop_assert_eq!(postcard::from_bytes::<Digest>(&packed).unwrap(), digest);
        }

        #[test]
        fn the_key_encoding_is_injective(
            a in prop::collection::vec(part(), 0..5),
            b in prop::collection::vec(part(), 0..5),
        ) {
            prop_assert_eq!(a == b, key(&a) == key(&b));
        }
    }
}
