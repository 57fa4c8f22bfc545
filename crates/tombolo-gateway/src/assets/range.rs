//! `range` (RFC 9110 §14): which bytes of a file are asked for.

use std::ops::Range;

/// What a `range` header asks for, of content that is so many bytes long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All of it. So are several ranges at once, another unit and what is not well formed answered:
    /// a server may ignore the header.
    Whole,
    /// These bytes; at least one.
    Part(Range<u64>),
    /// Bytes that are not there.
    Unsatisfiable,
}

impl Asked {
    /// Reads the value of the header.
    pub fn of(value: &str, length: u64) -> Self {
        let Some((unit, ranges)) = value.split_once('=') else { return Self::Whole };
        if !unit.eq_ignore_ascii_case("bytes") {
            return Self::Whole;
        }
        let Some((first, last)) = ranges.trim_matches([' ', '\t']).split_once('-') else {
            return Self::Whole;
        };
        let range = match (position(first), position(last)) {
            (Ok(Some(first)), Ok(Some(last))) if first > last => return Self::Whole,
            (Ok(Some(first)), Ok(last)) => {
                first..last.map_or(length, |last| last.saturating_add(1)).min(length)
            }
            // The last so many bytes.
            (Ok(None), Ok(Some(0))) => return Self::Unsatisfiable,
            (Ok(None), Ok(Some(_))) if length == 0 => return Self::Whole,
            (Ok(None), Ok(Some(count))) => length.saturating_sub(count)..length,
            _ => return Self::Whole,
        };
        if range.start >= length { Self::Unsatisfiable } else { Self::Part(range) }
    }
}

/// What is no position.
struct NotDigits;

/// A position, if there is one. One past all that can be counted is past every end.
fn position(text: &str) -> Result<Option<u64>, NotDigits> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotDigits);
    }
    Ok((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(value: &str, length: u64, expected: Asked) {
        assert_eq!(Asked::of(value, length), expected, "{value} of {length}");
    }

    #[test]
    fn a_range_is_cut_to_what_there_is() {
        check("bytes=0-0", 10, Asked::Part(0..1));
        check("bytes=2-5", 10, Asked::Part(2..6));
        check("BYTES=2-", 10, Asked::Part(2..10));
        check("bytes=2-99", 10, Asked::Part(2..10));
        check("bytes=-3", 10, Asked::Part(7..10));
        check("bytes=-99", 10, Asked::Part(0..10));
        check("bytes=0-18446744073709551615", 10, Asked::Part(0..10));
        check("bytes=0-99999999999999999999999", 10, Asked::Part(0..10));
        check("bytes= 1-2 ", 10, Asked::Part(1..3));
    }

    #[test]
    fn what_is_not_there_cannot_be_had() {
        check("bytes=10-", 10, Asked::Unsatisfiable);
        check("bytes=10-20", 10, Asked::Unsatisfiable);
        check("bytes=99999999999999999999999-", 10, Asked::Unsatisfiable);
        check("bytes=-0", 10, Asked::Unsatisfiable);
        check("bytes=0-", 0, Asked::Unsatisfiable);
    }

    #[test]
    fn what_is_not_one_range_of_bytes_is_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=0-1,",
            "lines=0-1",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=0x1-2",
            "bytes=1 -2",
            "bytes =1-2",
        ] {
            check(value, 10, Asked::Whole);
        }
        check("bytes=-5", 0, Asked::Whole);
    }

    proptest! {
        /// Whatever is asked for: what is sent is there, and is something.
        #[test]
        fn a_part_is_within(value in "(bytes=)?[0-9 ,-]{0,24}|.{0,12}", length in 0u64..40) {
            if let Asked::Part(range) = Asked::of(&value, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }

        /// Against the obvious meaning: those of all positions that lie between the two.
        #[test]
        fn a_range_is_the_positions_between(first in 0u64..30, last in 0u64..30, length in 0u64..20) {
            let named: Vec<u64> = (0..length).filter(|at| (first..=last).contains(at)).collect();
            let expected = match (named.first(), named.last()) {
                _ if first > last => Asked::Whole,
                (Some(from), Some(to)) => Asked::Part(*from..to + 1),
                _ => Asked::Unsatisfiable,
            };
            prop_assert_eq!(Asked::of(&format!("bytes={first}-{last}"), length), expected);
        }
    }
}
