//! What the host does for the clients of an app, beside answering them: `[application.tool.tombolo]`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderValue;

use crate::assets::Encoding;

/// The policies of an app. By default there are none, and nothing is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Which pages of other origins may ask it.
    pub cors: Option<Cors>,
    /// How often it may be asked.
    pub rate_limit: Option<RateLimit>,
    /// Which answers are compressed on their way.
    pub compression: Option<Compression>,
    /// Where the id of a request comes from that clients and components are told; `None` tells it with failures alone.
    pub request_ids: Option<RequestIds>,
    /// Whether the node's access log has a line for each request.
    pub access_log: AccessLogged,
}

/// Whether an app's requests are in the node's access log, if that keeps one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLogged {
    /// They are.
    #[default]
    Yes,
    /// They are not: `access_log = false`.
    No,
}

/// Where the id of a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestIds {
    /// From the node: `request_id = true`.
    Own,
    /// From the client, if it names one that fits; else from the node: `request_id_from_client = true` as well.
    Client,
}

/// `[application.tool.tombolo.cors]`, in the words of the Fetch standard's CORS protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whose pages may read answers.
    pub origins: Origins,
    /// `access-control-allow-methods`; `None` is not said, and leaves GET, HEAD and POST.
    pub methods: Option<HeaderValue>,
    /// `access-control-allow-headers`; `None` leaves those that every page may send.
    pub headers: Option<HeaderValue>,
    /// `access-control-expose-headers`; `None` leaves those that every page may read.
    pub exposed: Option<HeaderValue>,
    /// Whether requests may come with cookies and the like, and their answers be read.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight; `None` leaves that to it.
    pub max_age: Option<Duration>,
}

/// Whose pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Anybody's.
    Any,
    /// Those of these origins.
    Listed(Vec<OriginPattern>),
}

impl Origins {
    /// Whether pages of `origin`, as a browser writes it, are among them.
    pub fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(patterns) => patterns.iter().any(|pattern| pattern.matches(origin)),
        }
    }
}

/// An origin as browsers write it, such as `https://shop.example.com`, or all below one: `https://*.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// This one.
    Exactly(String),
    /// Those of hosts with one label or more in front.
    Below {
        /// Up to and with `://`.
        before: String,
        /// From the dot on, with the port.
        after: String,
    },
}

/// A text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a scheme, a host and maybe a port, without a path, such as `https://shop.example.com` or \
     `https://*.example.com`"
)]
pub struct OriginError;

impl FromStr for OriginPattern {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError)?;
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of an IPv6 address are between brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let (is_below, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let host_fits = match address {
            Some(address) => !is_below && address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !name.is_empty() && name.bytes().all(is_of_host) && !name.starts_with('.'),
        };
        let port = port.map(|port| port.parse::<u16>().map_err(|_| OriginError)).transpose()?;
        if !scheme_fits || !host_fits {
            return Err(OriginError);
        }
        let (scheme, name) = (scheme.to_ascii_lowercase(), name.to_ascii_lowercase());
        // Browsers leave out the port that is usual (HTML standard, "serialization of an origin").
        let port = port.filter(|port| !matches!((scheme.as_str(), port), ("https", 443) | ("http", 80)));
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(match is_below {
            true => Self::Below { before: format!("{scheme}://"), after: format!(".{name}{port}") },
            false => Self::Exactly(format!("{scheme}://{name}{port}")),
        })
    }
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

impl OriginPattern {
    /// Whether `origin` is such a one: byte by byte, as browsers compare what they get back.
    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exactly(own) => own == origin,
            Self::Below { before, after } => {
                let labels = origin.strip_prefix(before.as_str());
                let labels = labels.and_then(|rest| rest.strip_suffix(after.as_str()));
                // Nothing that ends the host: what is in front of the suffix is part of it.
                labels.is_some_and(|labels| !labels.is_empty() && labels.bytes().all(is_of_host))
            }
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(origin) => f.write_str(origin),
            Self::Below { before, after } => write!(f, "{before}*{after}"),
        }
    }
}

/// `[application.tool.tombolo.rate_limit]`: at least one of the two is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How often each client may ask.
    pub client: Option<Rate>,
    /// How often all of them together may.
    pub app: Option<Rate>,
}

/// So many requests in so much time, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests in each `per`, from 1 to [`Rate::REQUESTS_MAX`].
    pub requests: u32,
    /// The time in which they may come, over and over; at least a second, at most [`Rate::PER_MAX`].
    pub per: Duration,
    /// How many may come at once of one who did not ask for some time, from 1 to [`Rate::REQUESTS_MAX`].
    pub burst: u32,
}

impl Rate {
    /// More at once, or in a second, than a node answers.
    pub const REQUESTS_MAX: u32 = 1_000_000;
    /// What is rationed for longer has to survive a restart: an app counts that itself.
    pub const PER_MAX: Duration = Duration::from_secs(60 * 60);
}

/// `[application.tool.tombolo.compression]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// How answers may be compressed, the preferred way first; at least one.
    pub encodings: Vec<Encoding>,
    /// Bytes of a body that is known to be no longer, and is sent as it is.
    pub bytes_min: u64,
    /// What is compressed.
    pub types: Vec<MediaRange>,
}

impl Compression {
    /// What the host can encode, as it is preferred where nothing else is said: the smaller first.
    pub const ENCODINGS: [Encoding; 3] = [Encoding::Brotli, Encoding::Zstd, Encoding::Gzip];

    /// Where nothing else is said. Below about this many bytes a packet holds the answer as it is.
    pub const BYTES_MIN: u64 = 1024;

    /// What gets shorter, where nothing else is said.
    pub const TYPES: [&'static str; 11] = [
        "text/*",
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/wasm",
        "application/x-ndjson",
        "application/xml",
        "*+json",
        "*+xml",
        "font/ttf",
        "font/otf",
    ];

    /// Whether a body with this `content-type` is compressed.
    pub fn covers(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        self.types.iter().any(|range| range.matches(essence))
    }
}

/// Types of content: one, all of a kind, or all with a suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaRange {
    /// `text/html`
    Exactly(String),
    /// `text/*`, kept with its slash.
    Kind(String),
    /// `*+json`, kept with its plus (RFC 6838 §4.2.8).
    Suffix(String),
}

/// A text is no range of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one such as `text/html`, `text/*` or `*+json`")]
pub struct MediaRangeError;

impl FromStr for MediaRange {
    type Err = MediaRangeError;

    fn from_str(text: &str) -> Result<Self, MediaRangeError> {
        // RFC 6838 §4.2.
        let is_name = |text: &str| {
            let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !text.is_empty() && text.bytes().all(of_name)
        };
        let lower = text.to_ascii_lowercase();
        match (lower.strip_prefix("*+"), lower.split_once('/')) {
            (Some(suffix), None) if is_name(suffix) => Ok(Self::Suffix(format!("+{suffix}"))),
            (None, Some((kind, "*"))) if is_name(kind) => Ok(Self::Kind(format!("{kind}/"))),
            (None, Some((kind, name))) if is_name(kind) && is_name(name) => Ok(Self::Exactly(lower)),
            _ => Err(MediaRangeError),
        }
    }
}

impl MediaRange {
    /// Whether a type, without its parameters, is among them; case is nothing (RFC 9110 §8.3.1).
    fn matches(&self, essence: &str) -> bool {
        let has = |part: Option<&str>, own: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(own));
        match self {
            Self::Exactly(own) => essence.eq_ignore_ascii_case(own),
            Self::Kind(own) => has(essence.get(..own.len()), own),
            Self::Suffix(own) => {
                has(essence.len().checked_sub(own.len()).and_then(|start| essence.get(start..)), own)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_origin_is_allowed_as_browsers_write_it() {
        let check = |pattern: &str, allowed: &[&str], refused: &[&str]| {
            let origins = Origins::Listed(vec![pattern.parse().unwrap()]);
            allowed.iter().for_each(|origin| assert!(origins.allow(origin), "{pattern}: {origin}"));
            refused.iter().for_each(|origin| assert!(!origins.allow(origin), "{pattern}: {origin}"));
        };
        check(
            "https://Shop.example.com:443",
            &["https://shop.example.com"],
            &[
                "http://shop.example.com",
                "https://shop.example.com:8443",
                "https://shop.example.com.evil.test",
                "https://ashop.example.com",
                "null",
                "",
            ],
        );
        check(
            "https://*.example.com",
            &["https://a.example.com", "https://a.b.example.com"],
            &[
                "https://example.com",
                "https://.example.com",
                "https://evilexample.com",
                "http://a.example.com",
                "https://a.example.com:8443",
                "https://evil.test/.example.com",
                "https://evil.test:1.example.com",
                "https://u@a.example.com",
            ],
        );
        check("http://*.test:8080", &["http://a.test:8080"], &["http://a.test", "http://a.test:80800"]);
        check("http://[::1]:3000", &["http://[::1]:3000"], &["http://[::1]"]);
        check("capacitor://localhost", &["capacitor://localhost"], &["https://localhost"]);
        assert!(Origins::Any.allow("null"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "*",
            "null",
            "example.com",
            "https://",
            "https://a.test/",
            "https://a.test/path",
            "https://u@a.test",
            "https://a.test:port",
            "https://a.test:65536",
            "https://*",
            "https://a.*.test",
            "https://**.test",
            "https://*..test",
            "https://[1.2.3.4]",
            "://a.test",
            "1http://a.test",
            "https://ä.test",
        ] {
            assert_eq!(text.parse::<OriginPattern>(), Err(OriginError), "{text}");
        }
    }

    #[test]
    fn types_are_covered_by_name_kind_or_suffix() {
        let types = Compression::TYPES.map(|text| text.parse().unwrap()).to_vec();
        let compression = Compression { encodings: vec![Encoding::Gzip], bytes_min: 0, types };
        for covered in [
            "text/html",
            "TEXT/Html; charset=utf-8",
            "application/json;a=b",
            "application/problem+json",
            "image/svg+xml",
            "application/wasm",
        ] {
            assert!(compression.covers(covered), "{covered}");
        }
        for other in ["", "image/png", "application/jsonp", "text", "application/octet-stream", "+jso", "ä"]
        {
            assert!(!compression.covers(other), "{other}");
        }
        for wrong in ["", "text", "*/*", "*", "a/b/c", "a/b;c=d", "*+", "/a", "a/", "te xt/a"] {
            assert_eq!(wrong.parse::<MediaRange>(), Err(MediaRangeError), "{wrong}");
        }
    }

    proptest! {
        /// What a pattern allows besides itself has its scheme, its suffix, and a host between them.
        #[test]
        fn a_pattern_allows_nothing_outside_its_host(origin in "[a-z]{0,6}(://)?[a-z.:/@*]{0,12}(example\\.com)?.{0,3}") {
            let pattern: OriginPattern = "https://*.example.com".parse().unwrap();
            if pattern.matches(&origin) {
                let parsed: http::Uri = origin.parse().unwrap();
                prop_assert_eq!(parsed.scheme_str(), Some("https"));
                prop_assert!(parsed.host().unwrap().ends_with(".example.com"));
                prop_assert_eq!(parsed.port(), None);
            }
        }

        #[test]
        fn any_text_is_an_origin_and_a_type_or_refused(text in ".{0,20}") {
            let _ = (text.parse::<OriginPattern>(), text.parse::<MediaRange>());
        }
    }
}
