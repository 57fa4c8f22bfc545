//! The text of strings with escapes.

/// Appends what the text between two quotes means, in UTF-8. A surrogate that stands alone becomes the
/// three bytes that its number has in that scheme, so that bytes are ordered as code points.
///
/// `text` was scanned before: each escape is whole and known.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let used = match rest[at + 1] {
            b'u' => code_point(&rest[at..], out),
            byte => {
                out.push(match byte {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    byte => byte,
                });
                2
            }
        };
        rest = &rest[at + used..];
    }
    out.extend_from_slice(rest);
}

/// Appends the code point of `\uXXXX`, or of two that are a pair; answers how many bytes they take.
fn code_point(text: &[u8], out: &mut Vec<u8>) -> usize {
    let high = unit(text);
    let low = if text.len() >= 12 && text[6..8] == *b"\\u" { unit(&text[6..]) } else { 0 };
    if (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low) {
        push(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00), out);
        return 12;
    }
    push(high, out);
    6
}

/// The number of `\uXXXX`.
fn unit(text: &[u8]) -> u32 {
    text[2..6].iter().fold(0, |unit, digit| unit << 4 | (*digit as char).to_digit(16).unwrap_or(0))
}

/// UTF-8 of any number up to 0x10FFFF, surrogates among them.
fn push(code: u32, out: &mut Vec<u8>) {
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3F) as u8;
    match code {
        ..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend([0xC0 | (code >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => out.extend([0xE0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => out.extend([0xF0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[u8]) {
        let mut out = Vec::new();
        unescape(text.as_bytes(), &mut out);
        assert_eq!(out, expected, "{text}");
    }

    #[test]
    fn escapes_mean_what_they_do_in_json() {
        check("plain", b"plain");
        check(r#"\"\\\/\b\f\n\r\t"#, b"\"\\/\x08\x0C\n\r\t");
        check(r"a\u0041\u00e9\u20ACz", "aAé€z".as_bytes());
        check(r"\ud83d\ude00", "😀".as_bytes());
    }

    #[test]
    fn surrogates_may_stand_alone() {
        check(r"\ud83d", &[0xED, 0xA0, 0xBD]);
        check(r"\ude00\ud83d", &[0xED, 0xB8, 0x80, 0xED, 0xA0, 0xBD]);
        check(r"\ud83d\u0041", &[0xED, 0xA0, 0xBD, b'A']);
    }
}
