//! Other texts from those that there are.

/// Bytes of one text: parsers are tried here, not bounds of bodies.
const BYTES_MAX: usize = 64 << 10;

/// What many formats give a meaning to.
const WORDS: &[&str] = &[
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    ",",
    ";",
    ":",
    "=",
    "/",
    "//",
    "..",
    "*",
    "?",
    "#",
    "@",
    "%",
    "%00",
    "%2f",
    "%ff",
    "[",
    "]",
    "{",
    "}",
    "{{",
    "}}",
    "(",
    ")",
    "<",
    ">",
    "-",
    "+",
    "_",
    "~",
    "true",
    "null",
    "[[",
    "]]",
    "\"\"\"",
    "é",
    "\u{202e}",
    "\u{feff}",
    "😀",
    "...",
    "::1",
    "0.0.0.0",
    "localhost",
];

/// What is at the end of some range.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999",
    "1e309",
    "0x10",
    "1.5",
    "0.1e-400",
];

/// Bytes that stand for a length, or for its end.
const EDGES: &[u8] = &[0, 1, 0x7f, 0x80, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];

/// Makes texts, the same ones from the same seed.
pub(crate) struct Change<'a> {
    state: u64,
    seeds: &'a [Vec<u8>],
}

impl<'a> Change<'a> {
    pub(crate) fn new(seed: u64, seeds: &'a [Vec<u8>]) -> Self {
        Self { state: seed, seeds }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        (self.random() % end as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A part of a text, of small parts more often than of large ones.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let room = length - start;
        let most = if self.below(3) > 0 { room.min(16) } else { room };
        start..start + self.below(most + 1)
    }

    fn seed(&mut self) -> &'a [u8] {
        &self.seeds[self.below(self.seeds.len())]
    }

    /// The next text: one of the seeds, changed in up to five places.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut text = self.seed().to_vec();
        for _ in 0..=self.below(5) {
            self.change(&mut text);
        }
        text.truncate(BYTES_MAX);
        text
    }

    fn change(&mut self, text: &mut Vec<u8>) {
        let at = self.below(text.len() + 1);
        let part = self.part(text.len());
        match self.below(11) {
            0 => text.truncate(at),
            1 => drop(text.drain(part)),
            2 => {
                let word = self.one(WORDS);
                text.splice(part, word.bytes());
            }
            3 => {
                let word = self.one(WORDS);
                text.splice(at..at, word.bytes());
            }
            4 => self.renumber(text),
            5 => {
                // What is nested or listed deeply.
                let times = 1 << self.below(13);
                let room = BYTES_MAX.saturating_sub(text.len());
                let unit = if self.below(2) == 0 {
                    self.one(WORDS).as_bytes().to_vec()
                } else {
                    text[part].to_vec()
                };
                let times = times.min(room / unit.len().max(1));
                text.splice(at..at, unit.repeat(times));
            }
            6 => {
                let other = self.seed();
                let of_other = self.part(other.len());
                text.splice(part, other[of_other].iter().copied());
            }
            7 => {
                let other = self.seed();
                text.truncate(at);
                text.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
            8 => {
                let to = self.part(text.len());
                let copy = text[part].to_vec();
                text.splice(to, copy);
            }
            9 if at < text.len() => {
                let bit = 1 << self.below(8);
                text[at] ^= bit;
            }
            _ => {
                let edge = self.one(EDGES);
                let count = self.one(&[1, 1, 2, 3, 4, 8]);
                let end = (at + count).min(text.len());
                text[at..end].fill(edge);
            }
        }
    }

    /// Another number in place of one that is written.
    fn renumber(&mut self, text: &mut Vec<u8>) {
        let starts_number =
            |at: &usize| text[*at].is_ascii_digit() && (*at == 0 || !text[*at - 1].is_ascii_digit());
        let starts: Vec<usize> = (0..text.len()).filter(starts_number).collect();
        if starts.is_empty() {
            return;
        }
        let start = self.one(&starts);
        let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = self.one(NUMBERS);
        text.splice(start..start + digits, number.bytes());
    }
}
