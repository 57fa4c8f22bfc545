//! The lines of one app on disk: two files, of which the older goes when the newer is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where lines are written.
const FILE: &str = "lines.ndjson";
/// Those before them.
const BEFORE: &str = "lines.before.ndjson";
/// Bytes that are read at once, from the end.
const BLOCK_BYTES: u64 = 64 << 10;

/// The lines of an app, while its newer file is open.
pub(super) struct Journal {
    folder: PathBuf,
    file: File,
    bytes: u64,
}

impl Journal {
    /// The journal in a folder, made if it is not there.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let file = OpenOptions::new().create(true).append(true).read(true).open(folder.join(FILE))?;
        let end = file.metadata()?.len();
        // A crash or a full disk may have left a part of a line.
        let bytes = whole(&file, end)?;
        if bytes < end {
            file.set_len(bytes)?;
        }
        Ok(Self { folder, file, bytes })
    }

    /// Adds a line, which has its end. Both files together have at most twice `bytes_max`, and a line.
    pub(super) fn write(&mut self, line: &[u8], bytes_max: u64) -> io::Result<()> {
        let length = line.len() as u64;
        if self.bytes > 0 && self.bytes + length > bytes_max {
            fs::rename(self.folder.join(FILE), self.folder.join(BEFORE))?;
            *self = Self::open(std::mem::take(&mut self.folder))?;
        }
        self.file.write_all(line)?;
        self.bytes += length;
        Ok(())
    }
}

/// The lines of an app as of one moment, to be read later.
pub(super) struct Lines(Vec<(File, u64)>);

impl Lines {
    /// Those in a folder. While nobody writes there: a file may be renamed, but what it has now stays.
    pub(super) fn now(folder: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for name in [FILE, BEFORE] {
            match File::open(folder.join(name)) {
                Ok(file) => {
                    let end = file.metadata()?.len();
                    files.push((file, end));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(files))
    }

    /// The last of them, the oldest first.
    pub(super) fn last(self, lines_max: usize) -> io::Result<Vec<u8>> {
        let mut left = lines_max;
        let mut parts = Vec::new();
        for (file, end) in self.0 {
            let (part, lines) = last(&file, whole(&file, end)?, left)?;
            parts.push(part);
            left -= lines;
        }
        parts.reverse();
        Ok(parts.concat())
    }
}

/// Where the last whole line of a file ends.
fn whole(file: &File, mut end: u64) -> io::Result<u64> {
    while end > 0 {
        let block = block_before(file, end)?;
        if let Some(found) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(end - (block.len() - found - 1) as u64);
        }
        end -= block.len() as u64;
    }
    Ok(0)
}

/// The last `lines_max` of the lines that end at `end`, and how many they are.
fn last(file: &File, mut end: u64, lines_max: usize) -> io::Result<(Vec<u8>, usize)> {
    let mut blocks = Vec::new();
    let mut ends = 0;
    while end > 0 {
        let mut block = block_before(file, end)?;
        end -= block.len() as u64;
        for place in (0..block.len()).rev().filter(|place| block[*place] == b'\n').collect::<Vec<_>>() {
            ends += 1;
            if ends > lines_max {
                block.drain(..=place);
                end = 0;
                break;
            }
        }
        blocks.push(block);
    }
    blocks.reverse();
    Ok((blocks.concat(), ends.min(lines_max)))
}

fn block_before(file: &File, end: u64) -> io::Result<Vec<u8>> {
    let start = end.saturating_sub(BLOCK_BYTES);
    let mut block = vec![0; (end - start) as usize];
    file.read_exact_at(&mut block, start)?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(folder: &Path, lines_max: usize) -> String {
        String::from_utf8(Lines::now(folder).unwrap().last(lines_max).unwrap()).unwrap()
    }

    fn bytes(folder: &Path) -> u64 {
        [FILE, BEFORE].iter().filter_map(|name| Some(fs::metadata(folder.join(name)).ok()?.len())).sum()
    }

    #[test]
    fn the_last_lines_are_read_across_both_files_and_both_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ada/shop");
        assert_eq!(text(&folder, 3), "");
        let mut journal = Journal::open(folder.clone()).unwrap();
        for number in 100..200 {
            journal.write(format!("{number}\n").as_bytes(), 10).unwrap();
            assert!(bytes(&folder) <= 20);
            let first = (number - 3).max(100);
            let expected: String = (first..=number).map(|number| format!("{number}\n")).collect();
            assert!(expected.ends_with(&text(&folder, 4)), "{}", text(&folder, 4));
        }
        assert_eq!(text(&folder, 3), "197\n198\n199\n");
        assert_eq!(text(&folder, 0), "");
    }

    /// Against the obvious way, over blocks that end anywhere.
    #[test]
    fn any_number_of_last_lines_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path().to_owned()).unwrap();
        let lines: Vec<String> = (0..900).map(|number| format!("{number:0$}\n", number + 1)).collect();
        for line in &lines {
            journal.write(line.as_bytes(), u64::MAX).unwrap();
        }
        for wanted in [0, 1, 2, 73, 500, 899, 900, 901, 10_000] {
            let expected = lines[lines.len().saturating_sub(wanted)..].concat();
            assert!(text(folder.path(), wanted) == expected, "{wanted}");
        }
    }

    #[test]
    fn a_line_that_was_cut_is_neither_told_nor_continued() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "one\ntwo\nthr").unwrap();
        assert_eq!(text(folder.path(), 2), "one\ntwo\n");
        let mut journal = Journal::open(folder.path().to_owned()).unwrap();
        journal.write(b"four\n", 100).unwrap();
        assert_eq!(text(folder.path(), 2), "two\nfour\n");
        fs::write(folder.path().join(FILE), "never an end").unwrap();
        assert_eq!(text(folder.path(), 2), "");
    }
}
