//! One pass over the text: checks it, and finds rows and keys.

mod parts;
mod shape;

use super::key::Key;
use super::lex::{Lexer, Step, Text, starts_value};
use super::{number, string};
use crate::memory::reserve;
use crate::{KernelError, Work};
use shape::Shape;

/// What a row's key is. The order of the variants is the order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    /// Not there, or `null`.
    Missing,
    /// A number: [`number::ordered`].
    Number,
    /// A string without escapes: where its text begins, and in the upper half where it ends.
    Text,
    /// As `Text`, with escapes; ordered among those without.
    Escaped,
    /// `false`.
    False,
    /// `true`.
    True,
    /// An array or an object.
    Nested,
}

/// Rows in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) starts: Vec<u32>,
    pub(super) ends: Vec<u32>,
    pub(super) kinds: Vec<Kind>,
    /// By kind: see there; 0 for the others.
    pub(super) values: Vec<u64>,
}

/// Finds the rows of a JSON array of objects.
pub(super) fn rows(bytes: &[u8], key: &Key, work: &Work<'_>) -> Step<Rows> {
    let mut start = Lexer::new(bytes);
    start.array_start()?;
    if start.array_ends() {
        return start.end().map(|()| Rows::default());
    }
    parts::rows(bytes, start.at, key, work)
}

impl Lexer<'_> {
    fn array_start(&mut self) -> Step<()> {
        self.space();
        match self.peek() {
            b'[' => {
                self.at += 1;
                self.space();
                Ok(())
            }
            byte if starts_value(byte) => {
                Err(KernelError::NotRows { offset: self.at, reason: "expected an array of objects" })
            }
            _ => self.wrong("expected an array"),
        }
    }

    /// Reads the end of an array without rows, if it is there.
    fn array_ends(&mut self) -> bool {
        let is_end = self.peek() == b']';
        self.at += usize::from(is_end);
        is_end
    }

    /// Reads one row, the comma behind it and the space behind that; `false` after the last of the array.
    /// `shapes` are those of the rows before, one for each segment of the key.
    fn row(&mut self, key: &Key, shapes: &mut [Shape], rows: &mut Rows) -> Step<bool> {
        if self.peek() != b'{' {
            return self.no_row();
        }
        let start = self.at;
        self.at += 1;
        let (kind, value);
        (self.at, kind, value) = self.members(key.segments(), shapes, 2)?;
        rows.push(start, self.at, kind, value)?;
        self.space();
        match self.peek() {
            b',' => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            b']' => {
                self.at += 1;
                Ok(false)
            }
            _ => self.wrong("expected a comma or the end of the array"),
        }
    }

    #[cold]
    #[inline(never)]
    fn no_row(self) -> Step<bool> {
        match starts_value(self.peek()) {
            true => {
                Err(KernelError::NotRows { offset: self.at, reason: "expected every row to be an object" })
            }
            false => self.wrong("expected a row"),
        }
    }

    /// Reads what follows the array.
    pub(super) fn end(&mut self) -> Step<()> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { self.wrong("expected nothing after the array") }
    }

    /// Reads an object after its brace. Answers where it ends and what is at `path` in it.
    fn members(mut self, path: &[Box<[u8]>], shapes: &mut [Shape], depth: usize) -> Step<(usize, Kind, u64)> {
        let mut found = (Kind::Missing, 0);
        let Some((shape, inner)) = shapes.split_first_mut() else {
            return self.wrong("a segment has a shape");
        };
        let mut place = 0;
        loop {
            let is_it;
            if let Some(known) = shape.skip(place, self) {
                (self.at, is_it) = known;
                self.space(); // There may be more of it than in the row before.
            } else {
                let start = self.at;
                self.space();
                if place == 0 && self.peek() == b'}' {
                    return Ok((self.at + 1, found.0, found.1));
                }
                is_it = self.name_is(&path[0])?;
                shape.learn(place, &self.bytes[start..self.at], is_it)?;
            }
            place += 1;
            if !is_it {
                self.value(depth)?;
            } else if path.len() == 1 {
                found = self.key_value(depth)?;
            } else if self.peek() == b'{' {
                self.at += 1;
                let (at, kind, value) = self.members(&path[1..], inner, depth + 1)?;
                (self.at, found) = (at, (kind, value));
            } else {
                self.value(depth)?;
                found = (Kind::Missing, 0);
            }
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => return Ok((self.at + 1, found.0, found.1)),
                _ => return self.wrong("expected a comma or the end of the object"),
            }
        }
    }

    /// Reads a name and its colon. Whether it is `name`.
    #[inline(always)]
    fn name_is(&mut self, name: &[u8]) -> Step<bool> {
        let text = self.name()?;
        if text.escaped {
            return self.escaped_is(text, name);
        }
        Ok(self.bytes[text.start..text.end] == *name)
    }

    #[cold]
    #[inline(never)]
    fn escaped_is(self, text: Text, name: &[u8]) -> Step<bool> {
        let mut plain = Vec::new();
        reserve(&mut plain, text.end - text.start)?;
        string::unescape(&self.bytes[text.start..text.end], &mut plain);
        Ok(plain == name)
    }

    /// Reads the value that is a row's key.
    #[inline(always)]
    fn key_value(&mut self, depth: usize) -> Step<(Kind, u64)> {
        let start = self.at;
        match self.peek() {
            b'"' => {
                let text = self.string()?;
                let kind = if text.escaped { Kind::Escaped } else { Kind::Text };
                Ok((kind, text.start as u64 | (text.end as u64) << 32))
            }
            b'-' | b'0'..=b'9' => {
                let (point, end) = self.number()?;
                let short = match self.bytes[start] {
                    b'0'..=b'9' if end == self.at => number::short(self.bytes, start, point, end),
                    _ => None,
                };
                let value = short.unwrap_or_else(|| number::value(&self.bytes[start..self.at]));
                Ok((Kind::Number, number::ordered(value)))
            }
            first => {
                self.value(depth)?;
                let kind = match first {
                    b'n' => Kind::Missing,
                    b'f' => Kind::False,
                    b't' => Kind::True,
                    _ => Kind::Nested,
                };
                Ok((kind, 0))
            }
        }
    }
}

impl Rows {
    /// Makes room for `more` further rows.
    pub(super) fn reserve(&mut self, more: usize) -> Step<()> {
        reserve(&mut self.starts, more)?;
        reserve(&mut self.ends, more)?;
        reserve(&mut self.kinds, more)?;
        reserve(&mut self.values, more)
    }

    fn push(&mut self, start: usize, end: usize, kind: Kind, value: u64) -> Step<()> {
        if self.starts.len() == self.starts.capacity() {
            self.reserve(self.starts.len().max(1024))?;
        }
        self.starts.push(start as u32);
        self.ends.push(end as u32);
        self.kinds.push(kind);
        self.values.push(value);
        Ok(())
    }

    /// Adds the rows that follow.
    pub(super) fn append(&mut self, other: &Self) -> Step<()> {
        self.reserve(other.starts.len())?;
        self.starts.extend_from_slice(&other.starts);
        self.ends.extend_from_slice(&other.ends);
        self.kinds.extend_from_slice(&other.kinds);
        self.values.extend_from_slice(&other.values);
        Ok(())
    }
}
