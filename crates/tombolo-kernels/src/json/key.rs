//! Which member of a row is the key.

use crate::KernelError;

/// Segments of a path.
const SEGMENTS_MAX: usize = 32;

/// A path into an object: `user.name` is member `name` of member `user`.
///
/// A dot within a name is written `\.`, a backslash `\\`. Arrays are not entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    segments: Vec<Box<[u8]>>,
}

impl Key {
    /// Reads a dotted path.
    ///
    /// # Errors
    ///
    /// [`KernelError::Key`] if a segment is empty, there are over 32, or a backslash stands before
    /// anything but a dot or a backslash.
    pub fn parse(path: &str) -> Result<Self, KernelError> {
        let mut segments = Vec::new();
        let mut segment = Vec::new();
        let mut bytes = path.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'.' => segments.push(Self::segment(&mut segment)?),
                b'\\' => match bytes.next() {
                    Some(byte @ (b'.' | b'\\')) => segment.push(byte),
                    _ => return Err(KernelError::Key("a backslash must stand before a dot or a backslash")),
                },
                byte => segment.push(byte),
            }
        }
        segments.push(Self::segment(&mut segment)?);
        if segments.len() > SEGMENTS_MAX {
            return Err(KernelError::Key("a path must have at most 32 segments"));
        }
        Ok(Self { segments })
    }

    fn segment(bytes: &mut Vec<u8>) -> Result<Box<[u8]>, KernelError> {
        match bytes.is_empty() {
            true => Err(KernelError::Key("no segment of a dotted path may be empty")),
            false => Ok(std::mem::take(bytes).into()),
        }
    }

    /// The names from the outer object to the inner; at least one.
    pub(crate) fn segments(&self) -> &[Box<[u8]>] {
        &self.segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &[&str]) {
        let key = Key::parse(path).unwrap();
        let segments = key.segments.iter().map(|segment| std::str::from_utf8(segment).unwrap());
        assert_eq!(segments.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn dots_separate_unless_escaped() {
        check("id", &["id"]);
        check("user.name", &["user", "name"]);
        check(r"a\.b.c\\", &["a.b", r"c\"]);
        check("größe", &["größe"]);
    }

    #[test]
    fn empty_segments_and_stray_backslashes_are_refused() {
        for path in ["", ".", "a.", ".a", "a..b", r"a\", r"a\n", &"a.".repeat(40)] {
            assert!(matches!(Key::parse(path), Err(KernelError::Key(_))), "{path}");
        }
    }
}
