//! PostgreSQL's exact numbers, as text and as it sends them: groups of four digits, of any length.

use std::fmt::Write;

/// One group counts from 0 to this, less one.
const BASE: u16 = 10_000;
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NOT_A_NUMBER: u16 = 0xC000;
const INFINITE: u16 = 0xD000;
const INFINITE_NEGATIVE: u16 = 0xF000;
/// Digits behind the point, at most, as in PostgreSQL.
const SCALE_MAX: usize = 0x3FFF;
/// Digits before the point, at most, as in PostgreSQL.
const WHOLE_MAX: usize = 131_072;

/// A number in the server's form; `None` if the text is none. No exponents: what is exact is written out.
pub(crate) fn encode(text: &str) -> Option<Vec<u8>> {
    let special = match text {
        "NaN" => Some(NOT_A_NUMBER),
        "Infinity" => Some(INFINITE),
        "-Infinity" => Some(INFINITE_NEGATIVE),
        _ => None,
    };
    if let Some(sign) = special {
        return Some(binary(&[], 0, sign, 0));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (NEGATIVE, rest),
        None => (POSITIVE, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > WHOLE_MAX || fraction.len() > SCALE_MAX {
        return None;
    }
    let mut groups = Vec::with_capacity(whole.len() / 4 + fraction.len() / 4 + 2);
    let first = whole.len() % 4;
    let value = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    if first > 0 {
        groups.push(value(&whole.as_bytes()[..first]));
    }
    groups.extend(whole.as_bytes()[first..].chunks(4).map(value));
    // Groups before the point; from here on there is one less in front for each that is left out.
    let mut weight = i16::try_from(groups.len()).ok()? - 1;
    groups.extend(fraction.as_bytes().chunks(4).map(|digits| {
        let missing = u32::try_from(4 - digits.len()).unwrap_or_default();
        value(digits) * 10_u16.pow(missing)
    }));
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let leading = groups.iter().take_while(|group| **group == 0).count();
    weight = weight.checked_sub(i16::try_from(leading).ok()?)?;
    let groups = &groups[leading..];
    // Zero is neither large nor negative.
    let (weight, sign) = if groups.is_empty() { (0, POSITIVE) } else { (weight, sign) };
    Some(binary(groups, weight, sign, u16::try_from(fraction.len()).ok()?))
}

fn binary(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
    let count = u16::try_from(groups.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(8 + 2 * groups.len());
    bytes.extend(count.to_be_bytes());
    bytes.extend(weight.to_be_bytes());
    bytes.extend(sign.to_be_bytes());
    bytes.extend(scale.to_be_bytes());
    bytes.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
    bytes
}

/// At most how many digits the text of a number has, by its head.
pub(crate) fn digits(bytes: &[u8]) -> Option<u32> {
    let (head, _) = bytes.split_first_chunk::<8>()?;
    let weight = i16::from_be_bytes([head[2], head[3]]);
    let scale = u16::from_be_bytes([head[6], head[7]]);
    let whole = u32::try_from(i32::from(weight) + 1).unwrap_or(0);
    Some(4 * whole.max(1) + u32::from(scale))
}

/// The text of a number in the server's form; `None` if the bytes are none.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    let (head, groups) = bytes.split_first_chunk::<8>()?;
    let pair = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (count, weight, sign, scale) = (pair(0), pair(2).cast_signed(), pair(4), pair(6));
    let prefix = match sign {
        POSITIVE => "",
        NEGATIVE => "-",
        NOT_A_NUMBER => return Some("NaN".to_owned()),
        INFINITE => return Some("Infinity".to_owned()),
        INFINITE_NEGATIVE => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let (groups, rest) = groups.as_chunks::<2>();
    let groups: Vec<u16> = groups.iter().map(|group| u16::from_be_bytes(*group)).collect();
    let fits = groups.len() == usize::from(count) && rest.is_empty() && usize::from(scale) <= SCALE_MAX;
    if !fits || groups.iter().any(|group| *group >= BASE) {
        return None;
    }
    // The group that counts tens of thousands to the power of `power`.
    let group = |power: i32| {
        let at = usize::try_from(i32::from(weight) - power).ok();
        at.and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let mut text = prefix.to_owned();
    let whole: String = (0..=i32::from(weight)).rev().fold(String::new(), |mut whole, power| {
        // Writing to a string does not fail.
        let _ = write!(whole, "{:04}", group(power));
        whole
    });
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let mut fraction = String::with_capacity(usize::from(scale) + 4);
        let mut power = -1;
        while fraction.len() < usize::from(scale) {
            let _ = write!(fraction, "{:04}", group(power));
            power -= 1;
        }
        fraction.truncate(scale.into());
        text.push('.');
        text.push_str(&fraction);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn back(text: &str) -> Option<String> {
        decode(&encode(text)?)
    }

    #[test]
    fn numbers_of_any_length_keep_every_digit() {
        let long = "123456789".repeat(100);
        let same = [
            "0",
            "1",
            "-1",
            "10000",
            "9999",
            "100000000",
            "0.1",
            "0.0001",
            "0.00001",
            "-12.3400",
            "1.000000001",
            "0.000",
            "NaN",
            "Infinity",
            "-Infinity",
            &long,
            &format!("{long}.{long}"),
        ];
        for text in same {
            assert_eq!(back(text).as_deref(), Some(text));
        }
        for (text, expected) in
            [("007", "7"), ("+5", "5"), (".5", "0.5"), ("5.", "5"), ("-0", "0"), ("-0.0", "0.0")]
        {
            assert_eq!(back(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "-", "1e5", "1,5", "0x1", "1.2.3", " 1", "--1", "١", "nan"] {
            assert_eq!(encode(text), None, "{text}");
        }
        assert_eq!(encode(&"9".repeat(WHOLE_MAX + 1)), None);
        assert_eq!(encode(&format!(".{}", "9".repeat(SCALE_MAX + 1))), None);
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&binary(&[BASE], 0, POSITIVE, 0)), None);
        assert_eq!(decode(&binary(&[1], 0, 0x1234, 0)), None);
    }

    proptest! {
        #[test]
        fn written_out_numbers_go_there_and_back(whole in "[1-9][0-9]{0,40}|0", fraction in "[0-9]{1,40}") {
            let text = format!("{whole}.{fraction}");
            prop_assert_eq!(back(&text), Some(text));
        }

        #[test]
        fn any_text_and_any_bytes_are_a_number_or_refused(
            text in ".{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let _ = encode(&text);
            let _ = decode(&bytes);
        }
    }
}
