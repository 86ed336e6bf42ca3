//! Signatures: who vouches for which bytes, and since when.
//!
//! A signature is over the name, the version, the path and digest of every file, and a serial number that rises with every signature of
//! a key. The registry remembers the highest serial that it has seen of a key for a plugin, so that a release which was signed
//! before it, such as one with a known hole that has been removed, cannot be brought back by whoever kept a copy.

use super::{
    Registry, folder,
    keys::{PublicKey, SigningKey, from_hex},
    manifest::Manifest,
    name::Release,
    package,
};
use engine::{Error, Kind, Result, ResultExt, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

/// The file with the signatures of a package.
pub(super) const SIGNATURES: &str = "plugin.sig";
/// The most bytes of it.
const LARGEST: u64 = 64 << 10;
/// What every signed text begins with, so that none can be taken for anything else that the key has signed.
const PURPOSE: &str = "streamhost plugin release, format 1";

/// Who vouches for a package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signatures {
    #[serde(default)]
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signature {
    pub(super) key: PublicKey,
    /// Higher than that of every earlier signature of the key: the time, in microseconds since the Unix epoch.
    pub(super) serial: u64,
    signature: String,
}

/// Whose signatures a plugin needs: of each list, one.
#[derive(Clone, Debug, Default)]
pub struct Policy(Vec<BTreeSet<PublicKey>>);

impl Policy {
    /// One more list; an empty one asks for nothing.
    pub fn and(mut self, keys: impl IntoIterator<Item = PublicKey>) -> Self {
        let keys: BTreeSet<PublicKey> = keys.into_iter().collect();
        if !keys.is_empty() {
            self.0.push(keys);
        }
        self
    }

    /// Whether it asks for any signature.
    pub fn is_strict(&self) -> bool {
        !self.0.is_empty()
    }

    fn admit(&self, release: &Release, by: &[PublicKey]) -> Result<()> {
        let lacking = self.0.iter().find(|keys| !by.iter().any(|key| keys.contains(key)));
        let Some(keys) = lacking else { return Ok(()) };
        let is = match by {
            [] => "it is not signed".into(),
            by => format!("it is signed by {}", list(by)),
        };
        Err(Error::invalid(format!(
            "{release} may not be used: `require-signed-by` asks for a signature of {}, and {is}; sign it with `streamhost plugin sign`, \
             or use another version",
            list(keys)
        )))
    }
}

fn list<'k>(keys: impl IntoIterator<Item = &'k PublicKey>) -> String {
    keys.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Signatures {
    /// Those of a package; none if it has no such file.
    pub(super) fn read(package: &Path) -> Result<Self> {
        let path = package.join(SIGNATURES);
        let Some(text) = folder::read_text(&path, LARGEST)? else { return Ok(Self::default()) };
        toml::from_str(&text)
            .doing(Kind::Data, || format!("{} was damaged or changed by hand", path.display()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Signature> {
        self.signatures.iter()
    }

    pub(super) fn text(&self) -> Result<String> {
        toml::to_string(self).doing(Kind::Internal, || format!("writing {SIGNATURES}"))
    }

    /// Refuses a signature that is of other bytes, whether anybody asks for it or not: somebody has changed something.
    pub(super) fn check(&self, manifest: &Manifest) -> Result<Vec<PublicKey>> {
        let mut by = Vec::new();
        for Signature { key, serial, signature } in &self.signatures {
            let fits = |bytes: Vec<u8>| key.verifies(&message(manifest, *serial), &bytes);
            if !from_hex(signature).is_some_and(fits) {
                return Err(Error::data(format!(
                    "the signature of {key} is of other files, or of another name or version: {}@{} was changed after it was signed",
                    manifest.name, manifest.version
                )));
            }
            by.push(*key);
        }
        Ok(by)
    }

    /// Adds one, in the place of an earlier one of the key.
    pub(super) fn add(&mut self, manifest: &Manifest, key: &SigningKey, serial: u64) -> Result<()> {
        let public = key.public()?;
        self.signatures.retain(|other| other.key != public);
        let signature = key.sign(&message(manifest, serial));
        self.signatures.push(Signature { key: public, serial, signature });
        Ok(())
    }
}

/// The text that is signed. No name, version or path has a line break.
fn message(manifest: &Manifest, serial: u64) -> Vec<u8> {
    let mut text =
        format!("{PURPOSE}\nname {}\nversion {}\nserial {serial}\n", manifest.name, manifest.version);
    for (path, digest) in &manifest.files {
        let _ = writeln!(text, "file {digest} {path}");
    }
    text.into_bytes()
}

/// What a registry has seen of a key for one plugin.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// The highest serial.
    newest: u64,
    /// Version → the highest serial for it.
    versions: BTreeMap<String, u64>,
}

/// Key → what was seen of it, for one plugin.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ledger(BTreeMap<PublicKey, Seen>);

impl Ledger {
    /// Refuses signatures that are being replayed: of a release that is to be added, and was signed before another that is known.
    pub(super) fn refuse_replayed(&self, release: &Release, signatures: &Signatures) -> Result<()> {
        for Signature { key, serial, .. } in signatures.iter() {
            let Some(seen) = self.0.get(key) else { continue };
            let same = seen.versions.get(&release.version.to_string()) == Some(serial);
            if *serial < seen.newest || (*serial == seen.newest && !same) {
                return Err(Error::invalid(format!(
                    "{release} may not be added: its signature by {key} is older than one that this registry has seen of that key for \
                     `{}`, so it may be a release that was withdrawn; sign it again if it is meant",
                    release.name
                )));
            }
        }
        Ok(())
    }

    /// Refuses signatures that were replaced by newer ones: of a release that is to be used.
    fn refuse_replaced(&self, release: &Release, signatures: &Signatures) -> Result<()> {
        for Signature { key, serial, .. } in signatures.iter() {
            let newest = self.0.get(key).and_then(|seen| seen.versions.get(&release.version.to_string()));
            if newest.is_some_and(|newest| serial < newest) {
                return Err(Error::data(format!(
                    "the signature of {release} by {key} is an older one than was there before: somebody has put back older files; \
                     remove the version and add it again"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn note(&mut self, release: &Release, signatures: &Signatures) {
        for Signature { key, serial, .. } in signatures.iter() {
            let seen = self.0.entry(*key).or_default();
            seen.newest = seen.newest.max(*serial);
            seen.versions.insert(release.version.to_string(), *serial);
        }
    }
}

/// `registry.toml`: what the owner of a registry asks of what is in it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Rules {
    /// A plugin is used only if one of these has signed it; none: whoever.
    #[serde(default)]
    require_signed_by: Vec<PublicKey>,
}

impl Registry {
    /// Whose signatures this registry asks for.
    pub(super) fn policy(&self) -> Result<Policy> {
        let path = self.dir.join("registry.toml");
        let Some(text) = folder::read_text(&path, LARGEST)? else { return Ok(Policy::default()) };
        let rules: Rules =
            toml::from_str(&text).doing(Kind::Invalid, || format!("reading {}", path.display()))?;
        Ok(Policy::default().and(rules.require_signed_by))
    }

    pub(super) fn ledger(&self, of: &Release) -> Result<Ledger> {
        let path = self.ledger_path(of);
        let Some(text) = folder::read_text(&path, super::manifest::LARGEST_MANIFEST)? else {
            return Ok(Ledger::default());
        };
        serde_json::from_str(&text)
            .doing(Kind::Data, || format!("{} is damaged: put it back from a copy", path.display()))
    }

    pub(super) fn write_ledger(&self, of: &Release, ledger: &Ledger) -> Result<()> {
        let text = serde_json::to_vec_pretty(ledger).doing(Kind::Internal, || "writing serials")?;
        let path = self.ledger_path(of);
        path.parent().map_or(Ok(()), folder::make)?;
        folder::replace(&path, &text)
    }

    fn ledger_path(&self, of: &Release) -> std::path::PathBuf {
        self.dir.join(".signed").join(format!("{}.json", of.name))
    }

    /// Who has signed a release, all of whose signatures are in order, if this registry's policy and `policy` admit it.
    pub(super) fn admitted(
        &self,
        release: &Release,
        manifest: &Manifest,
        policy: &Policy,
    ) -> Result<Vec<PublicKey>> {
        let signatures = Signatures::read(&self.folder(release))?;
        let by = signatures.check(manifest)?;
        self.ledger(release)?.refuse_replaced(release, &signatures)?;
        self.policy()?.admit(release, &by)?;
        policy.admit(release, &by)?;
        Ok(by)
    }

    /// Refuses a package that could never be used here.
    pub(super) fn admit(
        &self,
        release: &Release,
        manifest: &Manifest,
        signatures: &Signatures,
    ) -> Result<()> {
        self.policy()?.admit(release, &signatures.check(manifest)?)
    }

    /// Signs a release that is there. Every file is looked at first: nobody vouches for what was changed by hand.
    pub fn sign(&self, release: &Release, key: &SigningKey, now: Timestamp) -> Result<()> {
        let _lock = self.lock()?;
        let folder = self.existing(release)?;
        let mut ledger = self.ledger(release)?;
        let seen = ledger.0.get(&key.public()?).map_or(0, |seen| seen.newest);
        let signatures = sign_in(&folder, Some(release), key, serial(now).max(seen + 1))?;
        ledger.note(release, &signatures);
        self.write_ledger(release, &ledger)
    }
}

/// Signs a package that is in no registry, such as a copy of a release that somebody else is given.
pub fn sign_package(folder: &Path, key: &SigningKey, now: Timestamp) -> Result<()> {
    sign_in(folder, None, key, serial(now)).map(drop)
}

pub(super) fn serial(now: Timestamp) -> u64 {
    u64::try_from(now.0).unwrap_or(0)
}

fn sign_in(folder: &Path, release: Option<&Release>, key: &SigningKey, serial: u64) -> Result<Signatures> {
    let (manifest, _) = Manifest::read(folder, release)?;
    package::refuse_others(folder, &manifest)?;
    for (path, digest) in &manifest.files {
        package::verified(folder, path, digest)?;
    }
    let mut signatures = Signatures::read(folder)?;
    signatures.check(&manifest)?;
    let newest = signatures.iter().filter(|s| Some(s.key) == key.public().ok()).map(|s| s.serial + 1).max();
    signatures.add(&manifest, key, serial.max(newest.unwrap_or(0)))?;
    folder::replace(&folder.join(SIGNATURES), signatures.text()?.as_bytes())?;
    Ok(signatures)
}
