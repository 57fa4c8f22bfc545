//! Which answers are compressed on their way, and what their heads say then (RFC 9110 §8.4, §12.5.3).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use tokio::sync::Semaphore;
use tombolo_model::assets::Encoding;
use tombolo_model::edge::Compression;

use super::{lists, vary};
use crate::assets;
use crate::respond::AnswerBody;

/// What of a request its answer's encoding depends on.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// How the client would rather have it than as it is.
    encoding: Option<Encoding>,
    is_head: bool,
    /// The versions it has, as it names them.
    has: Option<HeaderValue>,
}

/// What is to be done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// It goes out as it is.
    Leave,
    /// The same, but another client would get it encoded.
    Plain,
    Encode(Encoding),
    /// The client has it already, encoded.
    Had,
}

impl Wanted {
    pub(super) fn of<B>(compression: &Compression, request: &Request<B>) -> Self {
        let headers = request.headers();
        Self {
            encoding: assets::encodings(headers, &compression.encodings).first().copied(),
            is_head: request.method() == Method::HEAD,
            has: headers.get(header::IF_NONE_MATCH).cloned(),
        }
    }

    fn plan(
        &self,
        compression: &Compression,
        status: StatusCode,
        head: &HeaderMap,
        exact: Option<u64>,
    ) -> Plan {
        if status == StatusCode::NOT_MODIFIED {
            return self.of_known(head);
        }
        // What has no content, or is a part of something whose encoding is that of the whole.
        let is_whole = !status.is_informational()
            && !matches!(
                status,
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
            );
        if !is_whole || MADE_FOR_IT.iter().any(|name| head.contains_key(*name)) || lists(head, NO_TRANSFORM) {
            return Plan::Leave;
        }
        let content_type = head.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|content_type| compression.covers(content_type)) {
            return Plan::Leave;
        }
        let said = head.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        // The body of an answer to HEAD may be none, whatever its length.
        let length = if self.is_head { said.or(exact.filter(|bytes| *bytes > 0)) } else { exact.or(said) };
        match self.encoding {
            _ if length.is_some_and(|length| length < compression.bytes_min) => Plan::Leave,
            Some(encoding) => Plan::Encode(encoding),
            None => Plan::Plain,
        }
    }

    /// A client that has the weak version of a strong tag has it from here, encoded. What it has is told apart by what
    /// it was told then (RFC 9110 §15.4.5).
    fn of_known(&self, head: &HeaderMap) -> Plan {
        let tag = head.get(header::ETAG).map(weak);
        let has = |tag: HeaderValue| {
            let named = self.has.as_ref().and_then(|has| has.to_str().ok()).unwrap_or("");
            named.split(',').any(|one| one.trim().as_bytes() == tag.as_bytes())
        };
        if tag.is_some_and(has) { Plan::Had } else { Plan::Leave }
    }

    /// The answer as it goes out.
    pub(super) fn apply(
        &self,
        compression: &Compression,
        places: &Arc<Semaphore>,
        mut response: Response<AnswerBody>,
    ) -> Response<AnswerBody> {
        let exact = response.body().size_hint().exact();
        let plan = self.plan(compression, response.status(), response.headers(), exact);
        let headers = response.headers_mut();
        if plan == Plan::Leave {
            return response;
        }
        vary(headers, "accept-encoding");
        if plan == Plan::Had {
            weaken(headers);
        }
        let Plan::Encode(encoding) = plan else { return response };
        // Where all encoders are in use it goes out as it is: it may be encoded, it need not.
        let place = Arc::clone(places).try_acquire_owned();
        let Ok(place) = place else { return response };
        weaken(headers);
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        headers.remove(header::CONTENT_LENGTH);
        // Its parts are those of what is encoded here anew each time.
        headers.remove(header::ACCEPT_RANGES);
        match self.is_head {
            true => response.map(AnswerBody::withheld),
            false => response.map(|body| body.compressed(encoding, place)),
        }
    }
}

/// What says that an answer is what it is to the byte: encoded, a part, or with a digest of itself (RFC 9530).
const MADE_FOR_IT: [&str; 5] =
    ["content-encoding", "content-range", "content-digest", "repr-digest", "digest"];

/// RFC 9111 §5.2.2.6.
const NO_TRANSFORM: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-transform");

/// What is encoded here is not the same to the byte each time (RFC 9110 §8.8.3).
fn weaken(headers: &mut HeaderMap) {
    if let Some(tag) = headers.get_mut(header::ETAG) {
        *tag = weak(tag);
    }
}

fn weak(tag: &HeaderValue) -> HeaderValue {
    match tag.as_bytes() {
        [b'W', b'/', ..] => tag.clone(),
        strong => HeaderValue::from_bytes(&[b"W/", strong].concat()).unwrap_or_else(|_| tag.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compression() -> Compression {
        let types = Compression::TYPES.map(|text| text.parse().unwrap()).to_vec();
        Compression { encodings: vec![Encoding::Brotli, Encoding::Gzip], bytes_min: 1000, types }
    }

    fn wanted(method: &str, headers: &[(&str, &str)]) -> Wanted {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Wanted::of(&compression(), &request.body(()).unwrap())
    }

    fn head(headers: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        headers.iter().map(pair).collect()
    }

    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
    const ALL: (&str, &str) = ("accept-encoding", "gzip, br");

    #[track_caller]
    fn check(method: &str, status: u16, own: &[(&'static str, &str)], exact: Option<u64>, expected: Plan) {
        let status = StatusCode::from_u16(status).unwrap();
        let plan = wanted(method, &[ALL]).plan(&compression(), status, &head(own), exact);
        assert_eq!(plan, expected, "{method} {status} {own:?} {exact:?}");
    }

    #[test]
    fn what_gets_shorter_is_encoded() {
        let encoded = Plan::Encode(Encoding::Brotli);
        check("GET", 200, &[HTML], None, encoded);
        check("POST", 404, &[HTML], Some(1000), encoded);
        check("GET", 200, &[HTML, ("content-length", "1000")], None, encoded);
        check("GET", 200, &[HTML], Some(999), Plan::Leave);
        check("GET", 200, &[HTML, ("content-length", "999")], None, Plan::Leave);
        check("GET", 200, &[("content-type", "image/png")], None, Plan::Leave);
        check("GET", 200, &[], None, Plan::Leave);
        for status in [204, 205, 206] {
            check("GET", status, &[HTML], None, Plan::Leave);
        }
    }

    #[test]
    fn what_is_made_for_it_is_left() {
        for own in [
            ("content-encoding", "gzip"),
            ("content-encoding", "identity"),
            ("content-range", "bytes 0-1/2"),
            ("content-digest", "sha-256=:AA==:"),
            ("cache-control", "max-age=60, No-Transform"),
        ] {
            check("GET", 200, &[HTML, own], None, Plan::Leave);
        }
        check("GET", 200, &[HTML, ("cache-control", "private")], None, Plan::Encode(Encoding::Brotli));
    }

    /// Its length is that of what would be sent (RFC 9110 §8.6), so what is known of that counts, not the empty body.
    #[test]
    fn a_head_is_answered_as_a_get_would_be() {
        check("HEAD", 200, &[HTML], Some(0), Plan::Encode(Encoding::Brotli));
        check("HEAD", 200, &[HTML, ("content-length", "5000")], Some(0), Plan::Encode(Encoding::Brotli));
        check("HEAD", 200, &[HTML, ("content-length", "5")], Some(0), Plan::Leave);
        check("HEAD", 200, &[HTML], Some(5), Plan::Leave);
    }

    #[test]
    fn a_client_has_its_choice_and_a_cache_is_told() {
        let plan = |accepted: &str| {
            let wanted = wanted("GET", &[("accept-encoding", accepted)]);
            wanted.plan(&compression(), StatusCode::OK, &head(&[HTML]), None)
        };
        assert_eq!(plan("gzip;q=0.9, br;q=0.8"), Plan::Encode(Encoding::Gzip));
        assert_eq!(plan("zstd"), Plan::Plain);
        assert_eq!(plan("identity, br;q=0.5"), Plan::Plain);
        assert_eq!(plan("*"), Plan::Encode(Encoding::Brotli));
        let none = wanted("GET", &[]).plan(&compression(), StatusCode::OK, &head(&[HTML]), None);
        assert_eq!(none, Plan::Plain);
    }

    #[test]
    fn who_has_an_encoded_version_is_told_of_that_one() {
        let plan = |has: &str, tag: &'static str| {
            let wanted = wanted("GET", &[ALL, ("if-none-match", has)]);
            wanted.plan(&compression(), StatusCode::NOT_MODIFIED, &head(&[("etag", tag)]), Some(0))
        };
        assert_eq!(plan("\"b\", W/\"a\"", "\"a\""), Plan::Had);
        assert_eq!(plan("\"a\"", "\"a\""), Plan::Leave);
        assert_eq!(plan("*", "\"a\""), Plan::Leave);
    }

    #[test]
    fn a_tag_becomes_weak_once() {
        for tag in ["\"a\"", "W/\"a\""] {
            let mut headers = head(&[("etag", tag)]);
            weaken(&mut headers);
            assert_eq!(headers["etag"], "W/\"a\"");
        }
    }
}
