//! OpenPGP signatures (RFC 9580) by keys that a definition trusts, named by the fingerprints of their primary keys.
//!
//! Key material may come from anywhere: only what hangs by valid self-signatures on a primary key of a trusted fingerprint counts.

use std::io;
use std::io::Read;

use pgp::composed::ArmorOptions;
use pgp::composed::CleartextSignedMessage;
use pgp::composed::Deserializable;
use pgp::composed::DetachedSignature;
use pgp::composed::SignedPublicKey;
use pgp::composed::SignedPublicSubKey;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::RevocationCode;
use pgp::packet::Signature;
use pgp::packet::SignatureType;
use pgp::types::Duration;
use pgp::types::KeyDetails;
use pgp::types::Tag;
use pgp::types::Timestamp;
use thiserror::Error;

use crate::text::date;

/// The library's own words tell of its parser.
const DAMAGED: &str = "it is cut off, damaged or something else";
const KEY_BLOCK: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// There is none.
    #[error("it carries no OpenPGP signature")]
    Unsigned,
    /// It is no signature, or the key is no key.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// What.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// By a key that nobody named.
    #[error("it is signed by the key {signer}, which the definition does not trust")]
    Foreign {
        /// Fingerprint or id.
        signer: String,
    },
    /// The trusted key is not in the key file.
    #[error("none of the trusted keys is among the keys at hand; trusted: {trusted}")]
    NoKey {
        /// The fingerprints.
        trusted: String,
    },
    /// The content is another than was signed.
    #[error("its signature by the key {signer} is bad: it is not what was signed")]
    Bad {
        /// Fingerprint of the primary key.
        signer: String,
    },
    /// Made by a hash that can be forged, or by a key that may not sign.
    #[error("its signature by the key {signer} does not count: {why}")]
    Weak {
        /// Fingerprint of the primary key.
        signer: String,
        /// Why.
        why: String,
    },
    /// The key or the signature had an end.
    #[error("{what} {signer} expired on {on}")]
    Expired {
        /// The key, or the signature by it.
        what: &'static str,
        /// Fingerprint of the primary key.
        signer: String,
        /// The day.
        on: String,
    },
    /// The key was called back.
    #[error("the key {signer} was revoked on {on}{why}")]
    Revoked {
        /// Fingerprint of the primary key.
        signer: String,
        /// The day.
        on: String,
        /// Its owner's reason, after a colon.
        why: String,
    },
}

/// Public keys, and which of them count.
pub(super) struct Trust {
    keys: Vec<SignedPublicKey>,
    /// Seconds since 1970 at which keys must be valid; without it, when the signature was made.
    now: Option<u32>,
}

/// A signature that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// Fingerprint of the primary key, in upper case.
    pub signer: String,
    /// Seconds since 1970.
    pub at: u32,
}

impl Trust {
    /// The keys of the trusted fingerprints (hexadecimal digits, of either case) among `material`: any number of keys, in armour or not.
    pub(super) fn new(
        material: &[u8],
        fingerprints: &[String],
        now: Option<u32>,
    ) -> Result<Self, SignatureError> {
        let mut keys = Vec::new();
        for key in read_keys(material)? {
            let fingerprint = fingerprint(&key);
            if fingerprints
                .iter()
                .any(|trusted| trusted.eq_ignore_ascii_case(&fingerprint))
            {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            let trusted = fingerprints.join(", ");
            return Err(SignatureError::NoKey { trusted });
        }
        Ok(Self { keys, now })
    }

    /// Keys as [`Self::armoured`] gave them: all count, and are judged at the time of the signature.
    pub(super) fn pinned(armoured: &str) -> Result<Self, SignatureError> {
        let keys = read_keys(armoured.as_bytes())?;
        Ok(Self { keys, now: None })
    }

    /// The keys in armour, one block after the other, without what others say of them.
    pub(super) fn armoured(&self) -> Result<String, SignatureError> {
        let mut text = String::new();
        for key in &self.keys {
            let mut key = key.clone();
            let primary = key.primary_key.clone();
            for user in &mut key.details.users {
                user.signatures
                    .retain(|signature| issued(signature, &primary));
            }
            let armoured = key.to_armored_string(ArmorOptions::default());
            text += &armoured.map_err(|error| SignatureError::Unreadable {
                what: "the key",
                why: error.to_string(),
            })?;
        }
        Ok(text)
    }

    /// The text of a message signed in clear (RFC 9580, section 7), and by whom.
    pub(super) fn cleartext(&self, message: &[u8]) -> Result<(String, Signed), SignatureError> {
        let unreadable = || SignatureError::Unreadable {
            what: "its signature",
            why: DAMAGED.to_owned(),
        };
        let message = str::from_utf8(message).map_err(|_| unreadable())?;
        if !message.trim_start().starts_with(BEGIN) {
            return Err(SignatureError::Unsigned);
        }
        let (message, _) =
            CleartextSignedMessage::from_string(message).map_err(|_| unreadable())?;
        let text = message.signed_text();
        let signed = self.any(message.signatures(), &|| Ok(Box::new(text.as_bytes())))?;
        Ok((text.replace("\r\n", "\n"), signed))
    }

    /// The text of a message without its frame, whoever signed it, if anybody.
    pub(super) fn unchecked(message: &[u8]) -> String {
        let text = String::from_utf8_lossy(message).into_owned();
        match CleartextSignedMessage::from_string(&text) {
            Ok((message, _)) => message.signed_text().replace("\r\n", "\n"),
            Err(_) => text,
        }
    }

    /// Checks a signature that lies beside what it signs, in armour or not; `content` opens that.
    pub(super) fn detached(
        &self,
        signature: &[u8],
        content: &dyn Fn() -> io::Result<Box<dyn Read>>,
    ) -> Result<Signed, SignatureError> {
        let signatures = read(
            signature,
            "its signature",
            DetachedSignature::from_bytes_many,
            |text| DetachedSignature::from_string_many(text).map(|(all, _)| all),
        )?;
        let signatures: Vec<Signature> = signatures.into_iter().map(|one| one.signature).collect();
        self.any(&signatures, content)
    }

    /// The first signature that counts; else why the first does not.
    fn any<'a>(
        &self,
        signatures: &[Signature],
        content: &dyn Fn() -> io::Result<Box<dyn Read + 'a>>,
    ) -> Result<Signed, SignatureError> {
        let mut first = None;
        for signature in signatures {
            match self.one(signature, content) {
                Ok(signed) => return Ok(signed),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or(SignatureError::Unsigned))
    }

    fn one<'a>(
        &self,
        signature: &Signature,
        content: &dyn Fn() -> io::Result<Box<dyn Read + 'a>>,
    ) -> Result<Signed, SignatureError> {
        let found = self.keys.iter().find_map(|key| {
            let subkey = key
                .public_subkeys
                .iter()
                .find(|subkey| issued(signature, &subkey.key));
            (subkey.is_some() || issued(signature, &key.primary_key)).then_some((key, subkey))
        });
        let Some((key, subkey)) = found else {
            return Err(SignatureError::Foreign {
                signer: issuer(signature),
            });
        };
        let signer = fingerprint(key);
        let weak = |why: &str| SignatureError::Weak {
            signer: signer.clone(),
            why: why.to_owned(),
        };
        let unreadable = |error: io::Error| SignatureError::Unreadable {
            what: "what is signed",
            why: error.to_string(),
        };
        let content = content().map_err(unreadable)?;
        let verified = match subkey {
            Some(subkey) => signature.verify(&subkey.key, content),
            None => signature.verify(&key.primary_key, content),
        };
        if verified.is_err() {
            return Err(SignatureError::Bad { signer });
        }
        if !matches!(
            signature.typ(),
            Some(SignatureType::Binary | SignatureType::Text)
        ) {
            return Err(weak("it is no signature of a document"));
        }
        match signature.hash_alg() {
            Some(
                HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512,
            ) => {}
            _ => return Err(weak("its hash can be forged")),
        }
        let made = signature.created().map(Timestamp::as_secs);
        let made = made.ok_or_else(|| weak("it does not say when it was made"))?;
        let at = self.now.unwrap_or(made);
        if made > at.saturating_add(CLOCKS_DIFFER) {
            return Err(weak("it was made in the future; is the clock right?"));
        }
        expired(
            "the signature by",
            &signer,
            made,
            signature.signature_expiration_time(),
            at,
        )?;
        valid(key, &signer, made, at)?;
        if let Some(subkey) = subkey {
            subkey_valid(key, subkey, &signer, made, at)?;
        } else if !newest_self_signature(key).is_some_and(|own| own.key_flags().sign()) {
            return Err(weak("the key may not sign"));
        }
        Ok(Signed { signer, at: made })
    }
}

/// By how many seconds clocks may differ.
const CLOCKS_DIFFER: u32 = 24 * 60 * 60;

/// Whether a signature says it is by a key.
fn issued(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        return signature.issuer_key_id().contains(&&key.legacy_key_id());
    }
    fingerprints.contains(&&key.fingerprint())
}

fn issuer(signature: &Signature) -> String {
    let fingerprint = signature
        .issuer_fingerprint()
        .first()
        .map(ToString::to_string);
    let id = || signature.issuer_key_id().first().map(ToString::to_string);
    let name = fingerprint
        .or_else(id)
        .unwrap_or_else(|| "of no name".to_owned());
    name.to_uppercase()
}

fn fingerprint(key: &SignedPublicKey) -> String {
    key.fingerprint().to_string().to_uppercase()
}

/// The newest signature by which a primary key says something about itself.
fn newest_self_signature(key: &SignedPublicKey) -> Option<&Signature> {
    let primary = &key.primary_key;
    let users = key.details.users.iter().flat_map(|user| {
        let own = user.signatures.iter();
        own.filter(|signature| {
            signature.typ() != Some(SignatureType::CertRevocation)
                && issued(signature, primary)
                && signature
                    .verify_certification(primary, Tag::UserId, &user.id)
                    .is_ok()
        })
    });
    let direct = key.details.direct_signatures.iter();
    let direct = direct.filter(|signature| signature.verify_key(primary).is_ok());
    users
        .chain(direct)
        .max_by_key(|signature| signature.created())
}

/// Whether a primary key holds at a time.
fn valid(key: &SignedPublicKey, signer: &str, made: u32, at: u32) -> Result<(), SignatureError> {
    let primary = &key.primary_key;
    for revocation in &key.details.revocation_signatures {
        if revocation.verify_key(primary).is_ok() {
            revoked(revocation, signer, made)?;
        }
    }
    let own = newest_self_signature(key).ok_or_else(|| SignatureError::Unreadable {
        what: "the key",
        why: format!("{signer} has no valid signature of its own"),
    })?;
    let created = key.created_at().as_secs();
    expired("the key", signer, created, own.key_expiration_time(), at)
}

/// Whether a subkey belongs to its primary key, and holds at a time.
fn subkey_valid(
    key: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    signer: &str,
    made: u32,
    at: u32,
) -> Result<(), SignatureError> {
    let primary = &key.primary_key;
    let own = |signature: &&Signature| {
        signature
            .verify_subkey_binding(primary, &subkey.key)
            .is_ok()
    };
    let (revocations, bindings): (Vec<&Signature>, Vec<&Signature>) = subkey
        .signatures
        .iter()
        .filter(own)
        .partition(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation));
    for revocation in revocations {
        revoked(revocation, signer, made)?;
    }
    let binding = bindings
        .into_iter()
        .max_by_key(|signature| signature.created());
    let may_sign = binding.filter(|binding| {
        let back = binding.embedded_signature();
        binding.key_flags().sign()
            && back.is_some_and(|back| {
                back.verify_primary_key_binding(&subkey.key, primary)
                    .is_ok()
            })
    });
    let binding = may_sign.ok_or_else(|| SignatureError::Weak {
        signer: signer.to_owned(),
        why: "the subkey may not sign for it".to_owned(),
    })?;
    let created = subkey.key.created_at().as_secs();
    expired(
        "the signing subkey of",
        signer,
        created,
        binding.key_expiration_time(),
        at,
    )
}

/// Refuses what ended before a time; no duration, or one of zero, is for ever.
fn expired(
    what: &'static str,
    signer: &str,
    from: u32,
    lasts: Option<Duration>,
    at: u32,
) -> Result<(), SignatureError> {
    let lasts = lasts.map_or(0, Duration::as_secs);
    let end = from.saturating_add(lasts);
    if lasts == 0 || at < end {
        return Ok(());
    }
    Err(SignatureError::Expired {
        what,
        signer: signer.to_owned(),
        on: date(u64::from(end)),
    })
}

/// Refuses what a valid revocation covers: all signatures, or those since it where the key was only replaced or retired.
fn revoked(revocation: &Signature, signer: &str, made: u32) -> Result<(), SignatureError> {
    let when = revocation.created().map_or(0, Timestamp::as_secs);
    let soft = matches!(
        revocation.revocation_reason_code(),
        Some(RevocationCode::KeySuperseded | RevocationCode::KeyRetired)
    );
    if soft && made < when {
        return Ok(());
    }
    let why = revocation.revocation_reason_string();
    let why = why.map(|why| String::from_utf8_lossy(why).trim().to_owned());
    let why = why.filter(|why| !why.is_empty());
    Err(SignatureError::Revoked {
        signer: signer.to_owned(),
        on: date(u64::from(when)),
        why: why.map_or_else(String::new, |why| format!(": {why}")),
    })
}

/// All keys of a file that can be read, whatever others lie beside them: in armour, any number of blocks.
fn read_keys(material: &[u8]) -> Result<Vec<SignedPublicKey>, SignatureError> {
    let one = |material| {
        read(
            material,
            "the file of keys",
            SignedPublicKey::from_bytes_many,
            |text| SignedPublicKey::from_string_many(text).map(|(all, _)| all),
        )
    };
    let text = str::from_utf8(material).unwrap_or_default();
    let starts: Vec<usize> = text.match_indices(KEY_BLOCK).map(|(at, _)| at).collect();
    if starts.len() < 2 {
        return one(material);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let mut keys = Vec::new();
    for (start, end) in starts.iter().zip(ends) {
        keys.extend(one(&text.as_bytes()[*start..end])?);
    }
    Ok(keys)
}

type Many<'a, T> = pgp::errors::Result<Box<dyn Iterator<Item = pgp::errors::Result<T>> + 'a>>;

/// Objects in armour or without. Those that this library does not know are passed over, unless there is no other.
fn read<'a, T>(
    material: &'a [u8],
    what: &'static str,
    bytes: impl Fn(&'a [u8]) -> Many<'a, T>,
    armoured: impl Fn(&'a str) -> Many<'a, T>,
) -> Result<Vec<T>, SignatureError> {
    let unreadable = || SignatureError::Unreadable {
        what,
        why: DAMAGED.to_owned(),
    };
    let all = match str::from_utf8(material) {
        Ok(text) if text.contains("-----BEGIN PGP") => armoured(text),
        _ => bytes(material),
    };
    let all = all.map_err(|_| unreadable())?;
    let good: Vec<T> = all.filter_map(Result::ok).collect();
    if good.is_empty() {
        return Err(unreadable());
    }
    Ok(good)
}
