//! What writes the lines of the access log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tombolo_model::access_log::AccessLogTo;

/// Bytes that are written at once.
const BUFFER: usize = 64 << 10;
/// How often it is said that lines were lost.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// The file, or the stream, and what is not in it yet.
pub(super) struct Writer {
    to: To,
    buffer: Vec<u8>,
    /// Lines in it.
    lines: u64,
    /// Whether what was written ends within a line, as a full disk leaves it.
    is_torn: bool,
    lost: u64,
    /// Why the last write failed, if it did.
    failed: Option<io::Error>,
    said: Option<Instant>,
}

enum To {
    Stdout,
    File(PathBuf, File),
}

impl Writer {
    pub(super) fn open(to: &AccessLogTo) -> io::Result<Self> {
        let to = match to {
            AccessLogTo::Stdout => To::Stdout,
            AccessLogTo::File(path) => To::File(path.clone(), open(path)?),
        };
        Ok(Self {
            to,
            buffer: Vec::with_capacity(BUFFER),
            lines: 0,
            is_torn: false,
            lost: 0,
            failed: None,
            said: None,
        })
    }

    /// Opens the file by its name again.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let To::File(path, file) = &mut self.to {
            *file = open(path)?;
            self.is_torn = false;
        }
        Ok(())
    }

    /// Adds a line.
    pub(super) fn add(&mut self, line: &[u8]) {
        if self.buffer.len() + line.len() > BUFFER {
            self.write();
        }
        self.buffer.extend(line);
        self.lines += 1;
    }

    /// So many lines found no place.
    pub(super) fn lost(&mut self, lines: u64) {
        self.lost += lines;
    }

    /// Writes what was added. What cannot be written is lost.
    pub(super) fn write(&mut self) {
        if !self.buffer.is_empty() {
            match self.write_all() {
                Ok(()) => self.failed = None,
                Err(error) => {
                    self.lost += self.lines;
                    self.failed = Some(error);
                }
            }
            self.buffer.clear();
            self.lines = 0;
        }
        if self.said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
            self.say_lost();
        }
    }

    /// Writes the buffer. If that fails, `lines` are those that are not whole in the file.
    fn write_all(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.buffer.insert(0, b'\n');
        }
        let mut left = self.buffer.as_slice();
        while !left.is_empty() {
            let written = match &mut self.to {
                To::Stdout => io::stdout().lock().write_all(left).map(|()| left.len()),
                To::File(_, file) => file.write(left),
            };
            match written {
                Ok(length @ 1..) => {
                    self.is_torn = left[length - 1] != b'\n';
                    left = &left[length..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                failed => {
                    let left = left.iter().filter(|byte| **byte == b'\n').count() as u64;
                    self.lines = self.lines.min(left);
                    return failed.and(Err(io::ErrorKind::WriteZero.into()));
                }
            }
        }
        if let To::Stdout = self.to {
            io::stdout().lock().flush()?;
        }
        Ok(())
    }

    /// Tells the operator what was lost since that was last said.
    pub(super) fn say_lost(&mut self) {
        if self.lost == 0 {
            return;
        }
        let (lines, to) = (std::mem::take(&mut self.lost), self.name());
        match &self.failed {
            Some(error) => tracing::warn!("the access log `{to}` lost {lines} lines: {error}"),
            None => tracing::warn!(
                "the access log `{to}` lost {lines} lines: they came faster than it takes them"
            ),
        }
        self.said = Some(Instant::now());
    }

    fn name(&self) -> String {
        match &self.to {
            To::Stdout => "-".to_owned(),
            To::File(path, _) => path.display().to_string(),
        }
    }
}

/// For its user and its group: it says who asked for what.
fn open(path: &PathBuf) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full disk: what does not fit is lost and counted, and what comes later is whole again.
    #[test]
    fn what_cannot_be_written_is_counted() {
        let mut writer = Writer::open(&AccessLogTo::File("/dev/full".into())).unwrap();
        writer.add(b"one\n");
        writer.add(b"two\n");
        writer.said = Some(Instant::now());
        writer.write();
        assert_eq!((writer.lost, writer.lines, writer.buffer.len()), (2, 0, 0));
        assert!(writer.failed.is_some());
        writer.say_lost();
        assert_eq!(writer.lost, 0);
    }

    #[test]
    fn a_line_that_was_torn_stays_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut writer = Writer::open(&AccessLogTo::File(path.clone())).unwrap();
        writer.add(b"torn");
        writer.write();
        writer.add(b"whole\n");
        writer.add(&vec![b'x'; BUFFER]);
        writer.write();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.starts_with("torn\nwhole\nxxx"), "{}", &text[..20]);
        assert_eq!(text.len(), 11 + BUFFER);
    }
}
