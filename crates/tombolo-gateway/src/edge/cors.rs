//! Which pages of other origins may ask, and read what is answered: the CORS protocol of the Fetch standard, on the
//! server's side.
//!
//! A browser asks before it sends what a page could not have sent without scripts ("CORS-preflight fetch"), and hands
//! an answer to a page only if that says so ("CORS check"). What is told here is all there is: what a component said of
//! it is taken out.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use tombolo_model::edge::{Cors, Origins};

use super::vary;

/// Whose page a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Anybody's may read the answer.
    Anybody,
    /// That of an origin that may.
    Allowed(HeaderValue),
    /// That of one that may not, or no page's.
    Other,
}

/// Whether a browser only asks what it may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Preflight,
    Answer,
}

/// What answers say of this protocol. A component's are those of the host instead.
const OWN: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// What a request is for: an `OPTIONS` with these two headers is a preflight ("CORS protocol", "HTTP requests").
pub(super) fn purpose<B>(request: &Request<B>) -> Purpose {
    let headers = request.headers();
    let is_preflight = request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if is_preflight { Purpose::Preflight } else { Purpose::Answer }
}

/// Whose page asks.
pub(super) fn asker(cors: &Cors, headers: &HeaderMap) -> Asker {
    if cors.origins == Origins::Any {
        return Asker::Anybody;
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if origin.to_str().is_ok_and(|origin| cors.origins.allow(origin)) => {
            Asker::Allowed(origin.clone())
        }
        _ => Asker::Other,
    }
}

/// Says in the head of an answer what `asker` may do, also if it is a refusal: a page learns of it then.
pub(super) fn tell(cors: &Cors, asker: &Asker, purpose: Purpose, headers: &mut HeaderMap) {
    for name in OWN {
        headers.remove(name);
    }
    let origin = match asker {
        Asker::Anybody => HeaderValue::from_static("*"),
        // Caches tell answers apart by it, also for who may not ("CORS protocol and HTTP caches").
        Asker::Allowed(_) | Asker::Other => {
            vary(headers, "origin");
            match asker {
                Asker::Allowed(origin) => origin.clone(),
                _ => return,
            }
        }
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if cors.credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    let mut say = |name: HeaderName, value: &Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(name, value.clone());
        }
    };
    match purpose {
        Purpose::Answer => say(header::ACCESS_CONTROL_EXPOSE_HEADERS, &cors.exposed),
        Purpose::Preflight => {
            say(header::ACCESS_CONTROL_ALLOW_METHODS, &cors.methods);
            say(header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers);
            let seconds = cors.max_age.map(|age| HeaderValue::from(age.as_secs()));
            say(header::ACCESS_CONTROL_MAX_AGE, &seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cors(origins: Origins, credentials: bool) -> Cors {
        Cors {
            origins,
            methods: Some(HeaderValue::from_static("GET, PUT")),
            headers: Some(HeaderValue::from_static("content-type")),
            exposed: Some(HeaderValue::from_static("etag")),
            credentials,
            max_age: Some(Duration::from_secs(60)),
        }
    }

    fn listed() -> Cors {
        cors(Origins::Listed(vec!["https://a.test".parse().unwrap()]), true)
    }

    /// What an answer with these headers of its component says to a page of `origin`, sorted.
    fn told(cors: &Cors, origin: Option<&str>, purpose: Purpose, own: &[(&str, &str)]) -> Vec<String> {
        let mut asked = HeaderMap::new();
        asked.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_str(origin).unwrap())));
        let mut headers = HeaderMap::new();
        for (name, value) in own {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        tell(cors, &asker(cors, &asked), purpose, &mut headers);
        let line =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut lines: Vec<String> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_page_that_may_is_told_so() {
        assert_eq!(
            told(&listed(), Some("https://a.test"), Purpose::Answer, &[]),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-origin: https://a.test",
                "access-control-expose-headers: etag",
                "vary: origin",
            ]
        );
        assert_eq!(
            told(&listed(), Some("https://a.test"), Purpose::Preflight, &[]),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-headers: content-type",
                "access-control-allow-methods: GET, PUT",
                "access-control-allow-origin: https://a.test",
                "access-control-max-age: 60",
                "vary: origin",
            ]
        );
    }

    /// A cache must not hand what it was told to one that may.
    #[test]
    fn a_page_that_may_not_is_told_nothing_but_that_it_depends() {
        for origin in [None, Some("https://b.test"), Some("null"), Some("https://a.test https://b.test")] {
            assert_eq!(told(&listed(), origin, Purpose::Answer, &[]), ["vary: origin"], "{origin:?}");
            assert_eq!(told(&listed(), origin, Purpose::Preflight, &[]), ["vary: origin"], "{origin:?}");
        }
    }

    #[test]
    fn anybody_is_told_the_same() {
        let any = cors(Origins::Any, false);
        for origin in [None, Some("https://b.test"), Some("null")] {
            let expected = ["access-control-allow-origin: *", "access-control-expose-headers: etag"];
            assert_eq!(told(&any, origin, Purpose::Answer, &[]), expected, "{origin:?}");
        }
    }

    #[test]
    fn what_a_component_says_is_replaced_and_the_rest_stays() {
        let own = [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-origin", "https://evil.test"),
            ("access-control-allow-credentials", "true"),
            ("access-control-max-age", "1"),
            ("vary", "accept"),
            ("x-own", "1"),
        ];
        assert_eq!(
            told(&listed(), Some("https://b.test"), Purpose::Answer, &own),
            ["vary: accept", "vary: origin", "x-own: 1"]
        );
        let allowed = told(&listed(), Some("https://a.test"), Purpose::Answer, &own);
        let origins = allowed.iter().filter(|line| line.starts_with("access-control-allow-origin"));
        assert_eq!(origins.collect::<Vec<_>>(), ["access-control-allow-origin: https://a.test"]);
    }

    #[test]
    fn a_preflight_is_known_by_three_signs() {
        let request = |method: &str, headers: &[&str]| {
            let mut request = Request::builder().method(method);
            for name in headers {
                request = request.header(*name, "a");
            }
            purpose(&request.body(()).unwrap())
        };
        let both = ["origin", "access-control-request-method"];
        assert_eq!(request("OPTIONS", &both), Purpose::Preflight);
        for (method, headers) in [("GET", &both[..]), ("OPTIONS", &both[..1]), ("OPTIONS", &both[1..])] {
            assert_eq!(request(method, headers), Purpose::Answer, "{method} {headers:?}");
        }
    }
}
