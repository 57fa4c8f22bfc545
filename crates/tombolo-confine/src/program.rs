//! What it takes to run this very program once more.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// This program: the file that runs, wherever it was moved since.
pub(crate) const FILE: &str = "/proc/self/exe";

/// Paths longer than the kernel takes are not paths.
const PATH_BYTES_MAX: u64 = 4096;

/// The files mapped now, which are the program's libraries, and the folder of the C library: modules
/// that look up host names lie beside it and are loaded at the first look-up.
pub(crate) fn libraries() -> BTreeSet<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    libraries_in(&maps)
}

fn libraries_in(maps: &str) -> BTreeSet<PathBuf> {
    let is_c = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("libc.so") || name.starts_with("libc-") || name.starts_with("ld-musl-")
    };
    let mapped = maps.lines().filter_map(|line| line.find('/').map(|from| PathBuf::from(&line[from..])));
    let mapped: BTreeSet<PathBuf> = mapped.collect();
    let beside = mapped.iter().filter(|path| is_c(path)).filter_map(|path| Some(path.parent()?.to_owned()));
    let beside: Vec<PathBuf> = beside.collect();
    // What the loader reads to find them.
    mapped.into_iter().chain(beside).chain([PathBuf::from("/etc/ld.so.cache")]).collect()
}

/// The loader that the kernel runs for this program; `None` if it is linked statically.
pub(crate) fn interpreter() -> Option<PathBuf> {
    interpreter_of(&File::open(FILE).ok()?)
}

/// Reads the ELF header and the program headers of a 64-bit file (elf(5)): little-endian, as both
/// processors we filter system calls for are.
fn interpreter_of(file: &File) -> Option<PathBuf> {
    const INTERPRETER: u32 = 3;
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).ok()?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = u64::from_le_bytes(header[32..40].try_into().ok()?);
    let size = u64::from(u16::from_le_bytes(header[54..56].try_into().ok()?));
    let count = u64::from(u16::from_le_bytes(header[56..58].try_into().ok()?));
    for index in 0..count {
        let mut entry = [0; 56];
        file.read_exact_at(&mut entry, table.checked_add(index * size)?).ok()?;
        if u32::from_le_bytes(entry[0..4].try_into().ok()?) != INTERPRETER {
            continue;
        }
        let offset = u64::from_le_bytes(entry[8..16].try_into().ok()?);
        let bytes = u64::from_le_bytes(entry[32..40].try_into().ok()?).min(PATH_BYTES_MAX);
        let mut path = vec![0; usize::try_from(bytes).ok()?];
        file.read_exact_at(&mut path, offset).ok()?;
        path.retain(|byte| *byte != 0);
        return Some(std::ffi::OsString::from_vec(path).into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_are_the_mapped_files_and_the_folder_of_the_c_library() {
        let maps = "7f00-7f01 r-xp 00000000 fe:00 1 /opt/c/libc.so.6\n\
            7f01-7f02 r-xp 00000000 fe:00 1 /opt/m/libm.so.6\n\
            7f02-7f03 rw-p 00000000 00:00 0 [heap]\n7f03-7f04 rw-p 00000000 00:00 0\n";
        let expected = ["/etc/ld.so.cache", "/opt/c", "/opt/c/libc.so.6", "/opt/m/libm.so.6"];
        assert_eq!(libraries_in(maps), expected.map(PathBuf::from).into());
    }

    #[test]
    fn the_interpreter_of_this_test_is_there() {
        if cfg!(target_feature = "crt-static") {
            return assert_eq!(interpreter(), None);
        }
        let interpreter = interpreter().unwrap();
        assert!(interpreter.exists(), "{}", interpreter.display());
    }

    #[test]
    fn what_is_no_program_has_no_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let wild = [b"\x7fELF\x02\x01".as_slice(), &[0xff; 200]].concat();
        for bytes in [b"#!/bin/sh".as_slice(), b"\x7fELF\x02\x01", &wild] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(interpreter_of(&File::open(&path).unwrap()), None);
        }
    }
}
