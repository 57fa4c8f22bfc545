//! Tokens of JSON, checked against RFC 8259.

use super::block::{BYTES, Block};
use crate::KernelError;

/// How deep arrays and objects may stand in each other, the outer array included.
pub const NESTING_MAX: usize = 512;

/// What a token is, or why it is none.
pub(super) type Step<T> = Result<T, KernelError>;

/// A place in a text. Everything before it was checked.
///
/// What is not compiled into its caller takes and answers places by value, so that the place of a scan
/// stays in a register: a third of the time, where each token is a few bytes.
#[derive(Clone, Copy)]
pub(super) struct Lexer<'j> {
    pub(super) bytes: &'j [u8],
    pub(super) at: usize,
}

/// The text between two quotes.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether there is a backslash in it.
    pub(super) escaped: bool,
}

/// Whether a value may begin with this byte.
pub(super) fn starts_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

impl<'j> Lexer<'j> {
    pub(super) fn new(bytes: &'j [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn wrong<T>(self, reason: &'static str) -> Step<T> {
        Err(KernelError::Json { offset: self.at, reason })
    }

    /// The next byte; 0 at the end, where no token has one.
    #[inline(always)]
    pub(super) fn peek(self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Skips white space.
    #[inline(always)]
    pub(super) fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Reads a name of an object, its colon and the space after it.
    #[inline(always)]
    pub(super) fn name(&mut self) -> Step<Text> {
        if self.peek() != b'"' {
            return self.wrong("expected a name in quotes");
        }
        let text = self.string()?;
        self.space();
        if self.peek() != b':' {
            return self.wrong("expected a colon");
        }
        self.at += 1;
        self.space();
        Ok(text)
    }

    /// Reads a string from its first quote on.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Step<Text> {
        let start = self.at + 1;
        // Most strings are short and plain: they end in the first block.
        if let Some(block) = self.block(start) {
            let ends = block.text_ends();
            let length = ends.trailing_zeros() as usize;
            if length < BYTES && self.bytes[start + length] == b'"' {
                self.at = start + length + 1;
                return Ok(Text { start, end: start + length, escaped: false });
            }
        }
        let text = self.long_string(start)?;
        self.at = text.end + 1;
        Ok(text)
    }

    /// Reads a string of any kind, from `start` behind its quote on.
    #[inline(never)]
    fn long_string(mut self, start: usize) -> Step<Text> {
        let (mut escaped, mut ascii) = (false, true);
        self.at = start;
        loop {
            if let Some(block) = self.block(self.at) {
                let above = block.not_ascii();
                let length = (block.text_ends() & !above).trailing_zeros().min(BYTES as u32);
                ascii &= above & ((1 << length) - 1) == 0;
                self.at += length as usize;
                if length as usize == BYTES {
                    continue;
                }
            }
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at = self.escape()?;
                }
                ..0x20 if self.at >= self.bytes.len() => return self.wrong("the text ends within a string"),
                ..0x20 => return self.wrong("a control character in a string must be escaped"),
                byte => {
                    ascii &= byte < 0x80;
                    self.at += 1;
                }
            }
        }
        let end = self.at;
        if !ascii {
            self.utf8(start, end)?;
        }
        Ok(Text { start, end, escaped })
    }

    /// The sixteen bytes from `at` on, if there are so many.
    #[inline(always)]
    pub(super) fn block(self, at: usize) -> Option<Block> {
        self.bytes.get(at..).and_then(|rest| rest.first_chunk::<BYTES>()).map(Block::load)
    }

    #[cold]
    #[inline(never)]
    fn utf8(mut self, start: usize, end: usize) -> Step<()> {
        if let Err(error) = std::str::from_utf8(&self.bytes[start..end]) {
            self.at = start + error.valid_up_to();
            return self.wrong("the bytes are not UTF-8");
        }
        Ok(())
    }

    /// Reads an escape from its backslash on. Answers where it ends.
    fn escape(mut self) -> Step<usize> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.peek().is_ascii_hexdigit() {
                        return self.wrong("expected four hexadecimal digits");
                    }
                }
                self.at += 1;
            }
            _ => return self.wrong("no such escape"),
        }
        Ok(self.at)
    }

    /// Reads a number. Answers where its digits before the point end, and those behind it, if there is one.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Step<(usize, usize)> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return self.wrong("expected a digit"),
        }
        let point = self.at;
        if self.peek() == b'.' {
            self.at += 1;
            self.some_digits()?;
        }
        let end = self.at;
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok((point, end))
    }

    #[inline(always)]
    fn digits(&mut self) {
        if let Some(block) = self.block(self.at) {
            let length = block.not_digits().trailing_zeros();
            self.at += length.min(BYTES as u32) as usize;
            if (length as usize) < BYTES {
                return;
            }
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn some_digits(&mut self) -> Step<()> {
        if !self.peek().is_ascii_digit() {
            return self.wrong("expected a digit");
        }
        self.digits();
        Ok(())
    }

    /// Reads `true` or `false`, without a branch that depends on which it is: nothing foretells it.
    #[inline(always)]
    fn truth(&mut self) -> Step<()> {
        let is_false = self.peek() == b'f';
        let start = self.at + usize::from(is_false);
        let word = u32::from_le_bytes(if is_false { *b"alse" } else { *b"true" });
        if self.bytes[start..].first_chunk().map(|four| u32::from_le_bytes(*four)) == Some(word) {
            self.at = start + 4;
            return Ok(());
        }
        self.no_word(if is_false { b"false" } else { b"true" })
    }

    #[inline(always)]
    fn word<const LENGTH: usize>(&mut self, word: &[u8; LENGTH]) -> Step<()> {
        if self.bytes[self.at..].first_chunk() == Some(word) {
            self.at += LENGTH;
            return Ok(());
        }
        self.no_word(word)
    }

    #[cold]
    #[inline(never)]
    fn no_word(mut self, word: &[u8]) -> Step<()> {
        self.at += self.bytes[self.at..].iter().zip(word).take_while(|(byte, of)| byte == of).count();
        self.wrong("expected true, false or null")
    }

    /// Reads any value that stands in `depth` arrays and objects.
    #[inline(always)]
    pub(super) fn value(&mut self, depth: usize) -> Step<()> {
        match self.peek() {
            b'{' | b'[' => self.at = self.nested(depth)?,
            _ => self.scalar()?,
        }
        Ok(())
    }

    #[inline(always)]
    fn scalar(&mut self) -> Step<()> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            b't' | b'f' => self.truth(),
            b'n' => self.word(b"null"),
            _ => self.wrong("expected a value"),
        }
    }

    /// Reads an array or an object and all that is in it, which `above` others are around.
    /// Answers where it ends.
    #[inline(never)]
    fn nested(mut self, above: usize) -> Step<usize> {
        let mut open = Open { objects: [0; NESTING_MAX / 64], depth: 0 };
        loop {
            if !self.enters(&mut open, above)? {
                continue;
            }
            loop {
                let Some(in_object) = open.innermost_is_object() else { return Ok(self.at) };
                self.space();
                match (self.peek(), in_object) {
                    (b',', _) => break,
                    (b'}', true) | (b']', false) => open.depth -= 1,
                    (_, true) => return self.wrong("expected a comma or the end of the object"),
                    (_, false) => return self.wrong("expected a comma or the end of the array"),
                }
                self.at += 1;
            }
            self.at += 1;
            self.space();
            if open.innermost_is_object() == Some(true) {
                self.name()?;
            }
        }
    }

    /// Reads a value whole, and answers `true`; or opens one that is not empty, up to its first value.
    #[inline(always)]
    fn enters(&mut self, open: &mut Open, above: usize) -> Step<bool> {
        let is_object = match self.peek() {
            b'{' => true,
            b'[' => false,
            _ => return self.scalar().map(|()| true),
        };
        if above + open.depth >= NESTING_MAX {
            return self.wrong("nested more than 512 deep");
        }
        self.at += 1;
        self.space();
        if self.peek() == if is_object { b'}' } else { b']' } {
            self.at += 1;
            return Ok(true);
        }
        open.push(is_object);
        if is_object {
            self.name()?;
        }
        Ok(false)
    }
}

/// Which of the arrays and objects that are open are objects.
struct Open {
    objects: [u64; NESTING_MAX / 64],
    depth: usize,
}

impl Open {
    #[inline(always)]
    fn push(&mut self, is_object: bool) {
        let bit = 1 << (self.depth % 64);
        let word = &mut self.objects[self.depth / 64];
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
    }

    #[inline(always)]
    fn innermost_is_object(&self) -> Option<bool> {
        let at = self.depth.checked_sub(1)?;
        Some(self.objects[at / 64] >> (at % 64) & 1 == 1)
    }
}
