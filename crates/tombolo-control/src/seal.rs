//! Values at rest: sealed with the node's key, so that a copy of the registry alone tells none.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use tombolo_model::AppKey;

pub(crate) const KEY_BYTES: usize = 32;

/// The node's key.
pub(crate) struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

/// A value that this node did not seal, or that was moved to another place or damaged.
#[derive(Debug)]
pub(crate) struct Broken;

impl Seal {
    /// The key in the file `path`, made for this user alone if it is not there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let random = SystemRandom::new();
        let mut bytes = [0; KEY_BYTES];
        match fs::File::open(path) {
            Ok(mut file) => {
                file.read_exact(&mut bytes)?;
                let is_longer = file.read(&mut [0])? > 0;
                if is_longer {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "expected a key of 32 bytes"));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                random.fill(&mut bytes).map_err(|_| io::Error::other("the system has no random numbers"))?;
                // Whole or not there: half a key would be no key, and what it sealed lost.
                let temporary = path.with_extension("new");
                let mut file = fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&temporary)?;
                file.write_all(&bytes)?;
                file.sync_all()?;
                fs::rename(&temporary, path)?;
                if let Some(folder) = path.parent() {
                    fs::File::open(folder)?.sync_all()?;
                }
            }
            Err(error) => return Err(error),
        }
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| io::Error::other("not a key"))?;
        Ok(Self { key: LessSafeKey::new(key), random })
    }

    /// Seals a value for one place: it cannot be opened as another app's, or as another variable.
    pub(crate) fn seal(&self, app: &AppKey, name: &str, value: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).expect("the system had random numbers when the node started");
        let mut sealed = value.as_bytes().to_vec();
        let place = Aad::from(format!("{app}/{name}"));
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place, &mut sealed)
            .expect("a value in memory is shorter than 64 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for this place.
    pub(crate) fn open_value(&self, app: &AppKey, name: &str, sealed: &[u8]) -> Result<String, Broken> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
        let mut sealed = sealed.to_vec();
        let place = Aad::from(format!("{app}/{name}"));
        let value = self.key.open_in_place(nonce, place, &mut sealed).map_err(|_| Broken)?;
        String::from_utf8(value.to_vec()).map_err(|_| Broken)
    }
}

/// 32 random bytes.
pub(crate) fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has random numbers: the node's key was made of them");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_value_is_opened_only_where_it_was_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        let seal = Seal::open(&path).unwrap();
        let (shop, other): (AppKey, AppKey) = ("a/shop".parse().unwrap(), "b/shop".parse().unwrap());
        let sealed = seal.seal(&shop, "password", "hunter2");
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(sealed, seal.seal(&shop, "password", "hunter2"), "the same value twice tells nothing");
        let again = Seal::open(&path).unwrap();
        assert_eq!(again.open_value(&shop, "password", &sealed).unwrap(), "hunter2");
        assert!(again.open_value(&other, "password", &sealed).is_err(), "moved to another app");
        assert!(again.open_value(&shop, "colour", &sealed).is_err(), "moved to another variable");
        for cut in 0..sealed.len() {
            assert!(again.open_value(&shop, "password", &sealed[..cut]).is_err());
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "short").unwrap();
        assert!(Seal::open(&path).is_err());
        fs::write(&path, [0; 33]).unwrap();
        assert!(Seal::open(&path).is_err());
    }
}
