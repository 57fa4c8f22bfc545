//! Room on a disk, and what of it a node keeps for itself.
//!
//! A registry that cannot be written takes no rollback and removes no app, so a node takes nothing more of others
//! while there is still room for its own.

use std::path::Path;

use crate::error::{StoreError, at};

/// What is kept of a disk: this part of it, or so many bytes where that is less.
const FLOOR_PERCENT: u64 = 5;
/// See [`FLOOR_PERCENT`].
const FLOOR_BYTES_MAX: u64 = 512 << 20;

/// Room on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub free: u64,
    /// What of them is the node's own.
    pub floor: u64,
    /// Whether the disk, which has room for so many files, has nearly as many.
    pub is_short_of_files: bool,
}

impl Space {
    /// That of the disk which holds `folder`.
    ///
    /// # Errors
    ///
    /// If the disk does not say.
    pub fn of(folder: &Path) -> Result<Self, StoreError> {
        let disk = rustix::fs::statvfs(folder).map_err(|error| at("look at", folder)(error.into()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        let space = Self::new(bytes(disk.f_blocks), bytes(disk.f_bavail));
        // One that makes them as they are needed says that it has none.
        Ok(Self { is_short_of_files: disk.f_favail < disk.f_files / 100 * FLOOR_PERCENT, ..space })
    }

    fn new(total: u64, free: u64) -> Self {
        let floor = (total / 100 * FLOOR_PERCENT).min(FLOOR_BYTES_MAX);
        Self { free, floor, is_short_of_files: false }
    }

    /// Whether so many bytes more leave the node its own.
    ///
    /// # Errors
    ///
    /// If not.
    pub fn check(self, bytes: u64) -> Result<(), StoreError> {
        let Self { free, floor, is_short_of_files } = self;
        if is_short_of_files {
            return Err(StoreError::NoFiles);
        }
        match free.checked_sub(floor).is_some_and(|room| room >= bytes) {
            true => Ok(()),
            false => Err(StoreError::NoRoom { free, floor }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_small_disk_is_kept_and_no_more_of_a_large_one() {
        let (mib, tib) = (1 << 20, 1 << 40);
        assert_eq!(Space::new(100 * mib, 7 * mib).floor, 5 * mib);
        assert_eq!(Space::new(tib, tib).floor, 512 * mib);
        assert!(Space::new(100 * mib, 7 * mib).check(2 * mib).is_ok());
        assert!(Space::new(100 * mib, 7 * mib).check(2 * mib + 1).is_err());
        assert!(Space::new(100 * mib, 4 * mib).check(0).is_err(), "it is below already");
        let full_of_small_ones = Space { is_short_of_files: true, ..Space::new(tib, tib) };
        assert!(full_of_small_ones.check(1).is_err());
    }

    #[test]
    fn a_disk_is_asked() {
        let space = Space::of(&std::env::temp_dir()).unwrap();
        assert!(space.free > 0 && space.floor > 0 && space.floor <= FLOOR_BYTES_MAX);
        assert!(Space::of(Path::new("/none")).is_err());
    }
}
