//! What a client takes: `accept-encoding` and `accept` (RFC 9110 §12.5).

use http::{HeaderMap, HeaderName, header};
use tombolo_model::assets::Encoding;

/// A weight, in thousandths.
type Weight = u16;

const WHOLE: Weight = 1000;

/// Those of `offered` in which a client would rather have a file than as it is, best first; of two
/// that it likes as much, the one that is offered first.
pub(crate) fn encodings(headers: &HeaderMap, offered: &[Encoding]) -> Vec<Encoding> {
    if offered.is_empty() {
        return Vec::new();
    }
    let weigh = |name: &str| {
        weight(headers, header::ACCEPT_ENCODING, |listed| {
            // RFC 9110 §8.4.1.3: the two are the same.
            let listed = if listed.eq_ignore_ascii_case("x-gzip") { "gzip" } else { listed };
            if listed.eq_ignore_ascii_case(name) { 2 } else { u8::from(listed == "*") }
        })
    };
    // As it is, a file is the last choice, unless the client says how much it likes that.
    let plain = weight(headers, header::ACCEPT_ENCODING, |listed| {
        2 * u8::from(listed.eq_ignore_ascii_case("identity"))
    });
    let weighed = offered.iter().map(|encoding| (*encoding, weigh(encoding.name()).unwrap_or(0)));
    let mut liked: Vec<(Encoding, Weight)> =
        weighed.filter(|(_, weight)| *weight > 0 && *weight >= plain.unwrap_or(0)).collect();
    liked.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    liked.into_iter().map(|(encoding, _)| encoding).collect()
}

/// Whether a client asks for a page, by name: scripts and images ask for anything.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let page = |listed: &str| 2 * u8::from(listed.eq_ignore_ascii_case("text/html"));
    weight(headers, header::ACCEPT, page).is_some_and(|weight| weight > 0)
}

/// The weight of the entry that `fits` best; `None` if none fits at all, which is 0.
fn weight(headers: &HeaderMap, name: HeaderName, fits: impl Fn(&str) -> u8) -> Option<Weight> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    let entries = lines.flat_map(|line| line.split(',')).filter_map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let fit = fits(parts.next().unwrap_or(""));
        let mut parts = parts.filter_map(|part| part.split_once('='));
        let given = parts.find(|(name, _)| name.eq_ignore_ascii_case("q"));
        // An entry with a weight that is none is no entry.
        let weight = given.map_or(Some(WHOLE), |(_, text)| thousandths(text))?;
        (fit > 0).then_some((fit, weight))
    });
    entries.max_by_key(|(fit, _)| *fit).map(|(_, weight)| weight)
}

/// `0`, `0.5`, `1.000`.
fn thousandths(text: &str) -> Option<Weight> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: Weight = if digits { format!("{fraction:0<3}").parse().ok()? } else { return None };
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(WHOLE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[track_caller]
    fn check(accepted: &[&str], expected: &[&str]) {
        let headers = headers(header::ACCEPT_ENCODING, accepted);
        let found = encodings(&headers, &[Encoding::Brotli, Encoding::Gzip]);
        let found: Vec<&str> = found.into_iter().map(Encoding::name).collect();
        assert_eq!(found, expected, "{accepted:?}");
    }

    #[test]
    fn a_client_gets_an_encoding_it_takes() {
        check(&[], &[]);
        check(&[""], &[]);
        check(&["gzip, deflate, br"], &["br", "gzip"]);
        check(&["gzip"], &["gzip"]);
        check(&["gzip", "br"], &["br", "gzip"]);
        check(&["x-gzip, GZIP;q=0"], &[]);
        check(&["X-GZip"], &["gzip"]);
        check(&["*"], &["br", "gzip"]);
        check(&["zstd, deflate"], &[]);
    }

    #[test]
    fn weights_count() {
        check(&["br;q=0, gzip"], &["gzip"]);
        check(&["br;q=0.5, gzip;q=0.8"], &["gzip", "br"]);
        check(&["br; Q=0.001"], &["br"]);
        check(&["*;q=0"], &[]);
        check(&["*;q=0, br"], &["br"]);
        check(&["*, br;q=0"], &["gzip"]);
        check(&["identity, gzip;q=0.5"], &[]);
        check(&["identity;q=0.5, gzip;q=0.5, br;q=0.4"], &["gzip"]);
        check(&["identity;q=0, gzip;q=0.1"], &["gzip"]);
        for wrong in ["2", "1.001", "0.1234", "-1", "a", "", ".5", "1e0"] {
            check(&[&format!("gzip;q={wrong}")], &[]);
        }
    }

    #[test]
    fn a_page_is_asked_for_by_name() {
        let wants = |accept: &str| wants_page(&headers(header::ACCEPT, &[accept]));
        assert!(wants("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
        assert!(wants("application/json;q=0.9, Text/HTML;level=1;q=0.1"));
        assert!(!wants("*/*") && !wants("application/json") && !wants("text/html;q=0") && !wants("text/*"));
        assert!(!wants_page(&HeaderMap::new()));
    }
}
