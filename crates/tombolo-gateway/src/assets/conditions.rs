//! What a request makes its answer depend on (RFC 9110 §13): what the client has already, or wants
//! only a part of.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::range::Asked;

/// A file as it could be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selected<'a> {
    /// Its strong validator.
    pub(super) tag: &'a HeaderValue,
    /// When it was changed, if that is known.
    pub(super) modified: Option<SystemTime>,
    /// In bytes.
    pub(super) length: u64,
}

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All or a part of it.
    Send(Asked),
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client expects.
    Failed,
}

/// Judges in the order of RFC 9110 §13.2.2.
pub(super) fn judge(headers: &HeaderMap, is_get: bool, selected: Selected<'_>) -> Verdict {
    if headers.contains_key(header::IF_MATCH) {
        if !lists(headers, header::IF_MATCH, selected.tag, Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let (Some(limit), Some(modified)) =
        (date(headers, header::IF_UNMODIFIED_SINCE), selected.modified)
        && whole_seconds(modified) > limit
    {
        return Verdict::Failed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        if lists(headers, header::IF_NONE_MATCH, selected.tag, Comparison::Weak) {
            return Verdict::NotModified;
        }
    } else if let (Some(seen), Some(modified)) = (date(headers, header::IF_MODIFIED_SINCE), selected.modified)
        && whole_seconds(modified) <= seen
    {
        return Verdict::NotModified;
    }
    let range = headers.get(header::RANGE).filter(|_| is_get && part_is_of_this(headers, selected.tag));
    let range = range.and_then(|range| range.to_str().ok());
    Verdict::Send(range.map_or(Asked::Whole, |range| Asked::of(range, selected.length)))
}

/// Whether the client has the other parts of what is sent now. A date never says so: within its second
/// a file can change twice (RFC 9110 §8.8.2.2), and who was sent a date was sent a tag as well.
fn part_is_of_this(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    headers.get(header::IF_RANGE).is_none_or(|expected| expected == tag)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Weak tags are like none.
    Strong,
    /// Weak or not counts for nothing.
    Weak,
}

/// Whether a list of tags has `tag`, or is `*`.
fn lists(headers: &HeaderMap, name: HeaderName, tag: &HeaderValue, comparison: Comparison) -> bool {
    headers.get_all(name).into_iter().any(|line| {
        let line = line.as_bytes().trim_ascii();
        line == b"*"
            || Tags(line).any(|(is_weak, listed)| {
                (comparison == Comparison::Weak || !is_weak) && listed == tag.as_bytes()
            })
    })
}

/// The tags of a list, each with its quotes and whether it is weak; up to the first that is none. A
/// comma may be part of a tag.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = (bool, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.0.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
        let rest = &self.0[start..];
        let (is_weak, rest) = match rest.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let end = rest.strip_prefix(b"\"")?.iter().position(|byte| *byte == b'"')? + 2;
        let (tag, rest) = rest.split_at(end);
        self.0 = rest;
        Some((is_weak, tag))
    }
}

/// The date of a header, if it is one.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// As much of a time as a header can say.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAG: HeaderValue = HeaderValue::from_static("\"a,b\"");

    fn parse(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(line).collect()
    }

    /// A file of 10 bytes, changed in the middle of Sun, 06 Nov 1994 08:49:37.
    fn verdict(lines: &[(&'static str, &str)], is_get: bool) -> Verdict {
        let modified = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500));
        judge(&parse(lines), is_get, Selected { tag: &TAG, modified, length: 10 })
    }

    #[track_caller]
    fn check(lines: &[(&'static str, &str)], expected: Verdict) {
        assert_eq!(verdict(lines, true), expected, "{lines:?}");
    }

    const WHOLE: Verdict = Verdict::Send(Asked::Whole);
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    #[test]
    fn a_client_that_has_it_is_told_so() {
        check(&[], WHOLE);
        for tags in ["\"a,b\"", "W/\"a,b\"", "*", "\"x\", \"a,b\"", "\"x\",W/\"y\" ,\t\"a,b\"", ",,\"a,b\""] {
            check(&[("if-none-match", tags)], Verdict::NotModified);
        }
        check(&[("if-none-match", "\"x\""), ("if-none-match", "\"a,b\"")], Verdict::NotModified);
        for tags in ["\"a\"", "a,b", "\"a,b", "", "x \"a,b\"", "\"*\"", "w/\"a,b\""] {
            check(&[("if-none-match", tags)], WHOLE);
        }
        check(&[("if-modified-since", SAME)], Verdict::NotModified);
        check(&[("if-modified-since", BEFORE)], WHOLE);
        check(&[("if-modified-since", "yesterday")], WHOLE);
        // A tag says more than a date.
        check(&[("if-none-match", "\"x\""), ("if-modified-since", SAME)], WHOLE);
    }

    #[test]
    fn a_client_that_expects_another_is_refused() {
        check(&[("if-match", "\"a,b\"")], WHOLE);
        check(&[("if-match", "*")], WHOLE);
        check(&[("if-match", "W/\"a,b\"")], Verdict::Failed);
        check(&[("if-match", "\"x\"")], Verdict::Failed);
        check(&[("if-unmodified-since", SAME)], WHOLE);
        check(&[("if-unmodified-since", BEFORE)], Verdict::Failed);
        check(&[("if-match", "\"a,b\""), ("if-unmodified-since", BEFORE)], WHOLE);
        check(&[("if-match", "\"x\""), ("if-none-match", "*")], Verdict::Failed);
    }

    #[test]
    fn a_part_is_sent_of_what_the_client_has_the_rest_of() {
        let part = Verdict::Send(Asked::Part(0..5));
        check(&[("range", "bytes=0-4")], part.clone());
        check(&[("range", "bytes=0-4"), ("if-range", "\"a,b\"")], part);
        for other in ["\"x\"", "W/\"a,b\"", SAME] {
            check(&[("range", "bytes=0-4"), ("if-range", other)], WHOLE);
        }
        check(&[("range", "bytes=10-")], Verdict::Send(Asked::Unsatisfiable));
        check(&[("range", "bytes=10-"), ("if-none-match", "*")], Verdict::NotModified);
        // Nothing but GET has ranges.
        assert_eq!(verdict(&[("range", "bytes=0-4")], false), WHOLE);
    }

    proptest! {
        #[test]
        fn no_list_makes_the_parser_panic(list in "[W/\", \\ta*]{0,20}") {
            let _ = verdict(&[("if-none-match", &list), ("if-match", &list)], true);
        }
    }
}
