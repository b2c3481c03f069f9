//! Signs messages and checks the signatures of those that come in.
//!
//! A signature is an HMAC-SHA256 over header, parent header, metadata and content, written in hexadecimal digits.
//! Anybody on the machine can connect to the ports, so a message that was read off the wire must not work a second time
//! either.

use std::collections::{HashSet, VecDeque};

use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use sha2::Sha256;

/// The scheme of a connection file. Jupyter's own programs use no other.
pub(crate) const SCHEME: &str = "hmac-sha256";

/// How many of the latest signatures are remembered; as many as `jupyter_client` remembers.
const REMEMBERED: usize = 1 << 16;

/// The key of a connection, and the signatures that came in with it.
pub(crate) struct Signer {
    keyed: Hmac<Sha256>,
    seen: Mutex<Seen>,
}

/// The signature of a message that was signed with the key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signature(Vec<u8>);

/// Why a message is not acted on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the signature is wrong")]
    Wrong,
    #[error("a message with this signature has come before")]
    Repeated,
}

impl Signer {
    pub(crate) fn new(key: &[u8]) -> Self {
        let keyed = Hmac::new_from_slice(key).expect("an HMAC takes a key of any length");
        Self { keyed, seen: Mutex::default() }
    }

    /// The signature of a message's parts.
    pub(crate) fn sign<T: AsRef<[u8]>>(&self, parts: &[T]) -> String {
        format!("{:x}", self.over(parts).finalize().into_bytes())
    }

    /// Checks that a message was signed with the key, in a time that does not depend on where the signature is wrong.
    pub(crate) fn check<T: AsRef<[u8]>>(&self, parts: &[T], signature: &[u8]) -> Result<Signature, SignatureError> {
        let signature = from_hexadecimal(signature).ok_or(SignatureError::Wrong)?;
        self.over(parts).verify_slice(&signature).map_err(|_| SignatureError::Wrong)?;
        Ok(Signature(signature))
    }

    fn over<T: AsRef<[u8]>>(&self, parts: &[T]) -> Hmac<Sha256> {
        parts.iter().fold(self.keyed.clone(), |mac, part| mac.chain_update(part))
    }

    /// Checks that a signature comes for the first time, and remembers it.
    pub(crate) fn take(&self, signature: &Signature) -> Result<(), SignatureError> {
        let mut seen = self.seen.lock();
        if seen.insert(&signature.0) { Ok(()) } else { Err(SignatureError::Repeated) }
    }
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
        // The digest has 32 bytes.
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
        let signer = Signer::new(b"key");
        let signature = signer.sign(&["one", "two"]);
        // hmac.new(b"key", b"onetwo", "sha256").hexdigest(), its first eight digits.
        assert_eq!(signature[..8], *"ecb19a59");
        assert_eq!(check(&signer, &["one", "two"], signature.as_bytes()), Ok(()));
    }

    #[test]
    fn what_was_not_signed_with_the_key_is_wrong() {
        let signer = Signer::new(b"key");
        let forged = Signer::new(b"another").sign(&["one"]);
        let signature = signer.sign(&["one"]);
        for wrong in ["", "0", "xy", &forged, &signature[..62], &format!("{signature}00")] {
            assert_eq!(check(&signer, &["one"], wrong.as_bytes()), Err(SignatureError::Wrong), "{wrong:?}");
        }
        assert_eq!(check(&signer, &["two"], signature.as_bytes()), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_message_is_taken_once() {
        let signer = Signer::new(b"key");
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
