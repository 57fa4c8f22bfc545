//! Whether a folder can be used, without changing it.

use std::fs::File;
use std::io;
use std::path::Path;

use tombolo_store::Registry;
use tombolo_store::registry::Found;

use crate::control::{ControlError, KEY_FILE, REGISTRY_FILE};
use crate::seal::KEY_BYTES;

/// Whether a control plane could be opened on `folder`, as far as that can be told without changing it.
///
/// # Errors
///
/// What is wrong there.
pub fn check(folder: &Path) -> Result<Found, ControlError> {
    check_key(folder)?;
    Ok(Registry::check(&folder.join(REGISTRY_FILE))?)
}

/// Whether the key is one, if it is there.
pub(crate) fn check_key(folder: &Path) -> Result<(), ControlError> {
    let path = folder.join(KEY_FILE);
    let key = File::open(&path).and_then(|file| Ok(file.metadata()?.len()));
    match key {
        Ok(bytes) if bytes == KEY_BYTES as u64 => Ok(()),
        Ok(_) => {
            let source = io::Error::new(io::ErrorKind::InvalidData, "expected a key of 32 bytes");
            Err(ControlError::Key { path, source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ControlError::Key { path, source }),
    }
}
