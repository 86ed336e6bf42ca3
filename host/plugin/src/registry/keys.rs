use super::folder;
use engine::{Error, Kind, Result, ResultExt};
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Write as _},
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    str::FromStr,
};

/// What a key's text begins with.
const SCHEME: &str = "ed25519:";
/// The most bytes of a file with a key.
const LARGEST: u64 = 4 << 10;

/// Who may vouch for plugins: `ed25519:` and 32 bytes in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = text.strip_prefix(SCHEME).and_then(from_hex);
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        key.map(PublicKey).ok_or_else(|| {
            let text = crate::text::shown(text, crate::text::NAME);
            Error::invalid(format!(
                "{text:?} is no public key; write {SCHEME} and 64 hexadecimal digits, as `streamhost key new` prints it"
            ))
        })
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|e: Error| e.report())
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What signs. It is never shown.
pub struct SigningKey(Ed25519KeyPair);

/// The file of a signing key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    public: PublicKey,
    /// PKCS#8 in hexadecimal.
    secret: String,
}

impl SigningKey {
    /// Makes a key and writes it to a new file that only this user can read.
    pub fn create(path: &Path) -> Result<PublicKey> {
        let doing = || format!("writing the key {}", path.display());
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let made = made.map_err(|_| Error::new(Kind::Unavailable, "the system gives no random numbers"))?;
        let secret = hex(made.as_ref());
        let key = SigningKey::decode(&secret).ok_or_else(|| Error::internal("a new key is no key"))?;
        let text =
            toml::to_string(&KeyFile { public: key.public()?, secret }).doing(Kind::Internal, doing)?;
        let text = format!("# Signs plugins. Whoever has this file can: keep it to yourself.\n{text}");
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.doing(Kind::Invalid, doing)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).doing(Kind::Unavailable, doing)?;
        key.public()
    }

    /// Reads the file of a key, which nobody else may be able to read.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = folder::read(path, LARGEST)?;
        let facts = std::fs::metadata(path).doing(Kind::Invalid, || format!("reading {}", path.display()))?;
        if facts.mode() & 0o077 != 0 {
            return Err(Error::invalid(format!(
                "the key {} can be read by others: chmod 600 it, and make a new one if others had access",
                path.display()
            )));
        }
        let none = || Error::invalid(format!("{} is no key that `streamhost key new` made", path.display()));
        let text = String::from_utf8(bytes).map_err(|_| none())?;
        let KeyFile { public, secret } = toml::from_str(&text).map_err(|_| none())?;
        let key = SigningKey::decode(&secret).ok_or_else(none)?;
        if key.public()? == public { Ok(key) } else { Err(none()) }
    }

    /// Whom others have to trust to trust what it signs.
    pub fn public(&self) -> Result<PublicKey> {
        let bytes: &[u8] = self.0.public_key().as_ref();
        <[u8; 32]>::try_from(bytes).map(PublicKey).doing(Kind::Internal, || "a public key")
    }

    pub(super) fn sign(&self, message: &[u8]) -> String {
        hex(self.0.sign(message).as_ref())
    }

    fn decode(secret: &str) -> Option<Self> {
        Ed25519KeyPair::from_pkcs8(&from_hex(secret)?).ok().map(SigningKey)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| (high << 4) | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_key_is_read_back_by_its_owner_alone_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let public = SigningKey::create(&path).unwrap();
        assert_eq!(SigningKey::read(&path).unwrap().public().unwrap(), public);
        assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
        assert!(SigningKey::create(&path).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = SigningKey::read(&path).err().unwrap().report();
        assert!(error.contains("can be read by others"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let other = SigningKey::create(&dir.path().join("other")).unwrap();
        let text = fs::read_to_string(&path).unwrap().replace(&public.to_string(), &other.to_string());
        fs::write(&path, text).unwrap();
        assert!(SigningKey::read(&path).is_err());
    }

    #[test]
    fn what_is_no_public_key_is_told() {
        for text in [
            "",
            "ed25519:",
            "ed25519:zz",
            &format!("rsa:{}", "0".repeat(64)),
            &format!("ed25519:{}", "0".repeat(63)),
        ] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }
}
