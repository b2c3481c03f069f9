//! Signs messages and checks the signatures of those that come in, in every way that a connection file may name.
//!
//! The digest is an HMAC over header, parent header, metadata and content, written in hexadecimal digits. Anybody on the
//! machine can connect to the ports, so a message that was read off the wire must not work a second time either.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use blake2::{Blake2b512, Blake2s256};
use hmac::digest::core_api::BlockSizeUser;
use hmac::{Mac, SimpleHmac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// How many of the latest signatures are remembered; as many as `jupyter_client` remembers.
const REMEMBERED: usize = 1 << 16;

/// The key of a connection, and the signatures that came in with it.
pub(super) struct Signer {
    mac: Box<dyn Sign>,
    seen: Mutex<Seen>,
}

/// The signature of a message that was signed with the key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signature(Vec<u8>);

/// Why a message is not acted on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignatureError {
    #[error("the signature is wrong")]
    Wrong,
    #[error("a message with this signature has come before")]
    Repeated,
}

impl Signer {
    /// A signer for a scheme as a connection file names it: `hmac-` and the name of a digest in Python's `hashlib`.
    /// `None` for any other.
    pub(super) fn new(scheme: &str, key: &[u8]) -> Option<Self> {
        let mac = match scheme.strip_prefix("hmac-")? {
            "md5" => keyed::<Md5>(key),
            "sha1" => keyed::<Sha1>(key),
            "sha224" => keyed::<Sha224>(key),
            "sha256" => keyed::<Sha256>(key),
            "sha384" => keyed::<Sha384>(key),
            "sha512" => keyed::<Sha512>(key),
            "sha3_224" => keyed::<Sha3_224>(key),
            "sha3_256" => keyed::<Sha3_256>(key),
            "sha3_384" => keyed::<Sha3_384>(key),
            "sha3_512" => keyed::<Sha3_512>(key),
            "blake2b" => keyed::<Blake2b512>(key),
            "blake2s" => keyed::<Blake2s256>(key),
            _ => return None,
        };
        Some(Self { mac, seen: Mutex::default() })
    }

    /// The signature of a message's parts.
    pub(super) fn sign<T: AsRef<[u8]>>(&self, parts: &[T]) -> String {
        use std::fmt::Write;
        let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
        self.mac.sign(&parts).iter().fold(String::new(), |mut digits, byte| {
            let _ = write!(digits, "{byte:02x}");
            digits
        })
    }

    /// Checks that a message was signed with the key.
    pub(super) fn check<T: AsRef<[u8]>>(&self, parts: &[T], signature: &[u8]) -> Result<Signature, SignatureError> {
        let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
        let signature = from_hexadecimal(signature).ok_or(SignatureError::Wrong)?;
        if self.mac.verify(&parts, &signature) { Ok(Signature(signature)) } else { Err(SignatureError::Wrong) }
    }

    /// Checks that a signature comes for the first time, and remembers it.
    pub(super) fn take(&self, signature: &Signature) -> Result<(), SignatureError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.insert(&signature.0) { Ok(()) } else { Err(SignatureError::Repeated) }
    }
}

/// An HMAC whose digest is chosen while the program runs.
trait Sign: Send + Sync {
    fn sign(&self, parts: &[&[u8]]) -> Vec<u8>;

    /// In a time that does not depend on where the signature is wrong.
    fn verify(&self, parts: &[&[u8]], signature: &[u8]) -> bool;
}

impl<M: Mac + Clone + Send + Sync> Sign for M {
    fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        over(self, parts).finalize().into_bytes().to_vec()
    }

    fn verify(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        over(self, parts).verify_slice(signature).is_ok()
    }
}

fn over<M: Mac + Clone>(key: &M, parts: &[&[u8]]) -> M {
    parts.iter().fold(key.clone(), |mac, part| mac.chain_update(part))
}

fn keyed<D>(key: &[u8]) -> Box<dyn Sign>
where
    D: Digest + BlockSizeUser + Clone + Send + Sync + 'static,
{
    Box::new(<SimpleHmac<D> as Mac>::new_from_slice(key).expect("an HMAC takes a key of any length"))
}

fn from_hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect()
}

/// The latest signatures, by their first 16 bytes.
#[derive(Default)]
struct Seen {
    known: HashSet<u128>,
    order: VecDeque<u128>,
}

impl Seen {
    /// Whether a signature is new.
    fn insert(&mut self, signature: &[u8]) -> bool {
        // Every digest here has at least 16 bytes.
        let Some(first) = signature.first_chunk() else { return false };
        let signature = u128::from_ne_bytes(*first);
        if !self.known.insert(signature) {
            return false;
        }
        self.order.push_back(signature);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a message is, when it comes in.
    fn check(signer: &Signer, parts: &[&str], signature: &[u8]) -> Result<(), SignatureError> {
        signer.take(&signer.check(parts, signature)?)
    }

    #[test]
    fn signatures_are_those_of_pythons_hmac() {
        // hmac.new(b"key", b"onetwo", NAME).hexdigest(), its first eight digits.
        for (scheme, expected) in [
            ("hmac-md5", "7140099c"),
            ("hmac-sha1", "7b0e53d0"),
            ("hmac-sha224", "80501a4d"),
            ("hmac-sha256", "ecb19a59"),
            ("hmac-sha384", "1656ad96"),
            ("hmac-sha512", "4e9fb16a"),
            ("hmac-sha3_224", "3dead92e"),
            ("hmac-sha3_256", "f987efd4"),
            ("hmac-sha3_384", "d01c1ece"),
            ("hmac-sha3_512", "ad8ec1d1"),
            ("hmac-blake2b", "60584e8e"),
            ("hmac-blake2s", "ae6e9fef"),
        ] {
            let signer = Signer::new(scheme, b"key").expect("is known");
            let signature = signer.sign(&["one", "two"]);
            assert_eq!(signature[..8], *expected, "{scheme}");
            assert_eq!(check(&signer, &["one", "two"], signature.as_bytes()), Ok(()), "{scheme}");
        }
    }

    #[test]
    fn a_scheme_that_is_none_is_refused() {
        for scheme in ["", "sha256", "hmac-", "hmac-sha999", "HMAC-SHA256"] {
            assert!(Signer::new(scheme, b"key").is_none(), "{scheme:?}");
        }
    }

    #[test]
    fn what_was_not_signed_with_the_key_is_wrong() {
        let signer = Signer::new("hmac-sha256", b"key").expect("is known");
        let forged = Signer::new("hmac-sha256", b"another").expect("is known").sign(&["one"]);
        let signature = signer.sign(&["one"]);
        for wrong in ["", "0", "xy", &forged, &signature[..62], &format!("{signature}00")] {
            assert_eq!(check(&signer, &["one"], wrong.as_bytes()), Err(SignatureError::Wrong), "{wrong:?}");
        }
        assert_eq!(check(&signer, &["two"], signature.as_bytes()), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_message_is_taken_once() {
        let signer = Signer::new("hmac-sha256", b"key").expect("is known");
        let signature = signer.sign(&["one"]);
        assert_eq!(check(&signer, &["one"], signature.as_bytes()), Ok(()));
        assert_eq!(check(&signer, &["one"], signature.as_bytes()), Err(SignatureError::Repeated));
        let capitals = signature.to_uppercase();
        assert_eq!(check(&signer, &["one"], capitals.as_bytes()), Err(SignatureError::Repeated));
    }

    #[test]
    fn the_memory_for_signatures_is_bounded() {
        let mut seen = Seen::default();
        for count in 0..=REMEMBERED as u128 {
            assert!(seen.insert(&count.to_ne_bytes()));
        }
        assert_eq!((seen.known.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!seen.insert(&1u128.to_ne_bytes()), "the latest are remembered");
        assert!(seen.insert(&0u128.to_ne_bytes()), "the oldest was forgotten");
    }
}
