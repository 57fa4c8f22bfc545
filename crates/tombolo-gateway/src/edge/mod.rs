//! What is done for the clients of an app beside answering: its policies.
//!
//! They are for requests of clients, not for those within an app. An app without policies has no [`Policies`], and its
//! requests cost what they did without.
//!
//! Read in this order: [`Policies`], [`rate`], [`cors`], [`compress`], [`compressed`], [`encoder`].

mod compress;
mod compressed;
mod cors;
mod encoder;
mod rate;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tombolo_model::edge::{AccessLogged, Compression, Cors, Edge, RateLimit, RequestIds};

use crate::record::{RequestId, RequestRecord};
use crate::respond::AnswerBody;
use compress::Wanted;
use cors::{Asker, Purpose};

pub(crate) use compressed::Compressed;
pub use rate::RateLimiter;

/// The name of a request, where clients and components see it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of an id that a client gives; a longer one is none.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The policies of an app.
#[derive(Debug)]
pub struct Policies {
    cors: Option<Cors>,
    limiter: Option<Arc<RateLimiter>>,
    compression: Option<Compression>,
    request_ids: Option<RequestIds>,
    access_log: AccessLogged,
}

/// What of a request its answer depends on, as far as policies go. Boxed, as most requests have none.
pub(crate) struct Pass(Box<Asked>);

struct Asked {
    policies: Arc<Policies>,
    purpose: Purpose,
    asker: Option<Asker>,
    wanted: Option<Wanted>,
    id: Option<HeaderValue>,
}

/// Why a request goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A browser only asks what it may send.
    Preflight(StatusCode),
    /// Its client, or all of them, asked too often.
    TooSoon {
        /// After how many seconds the next may come.
        retry_after_s: u64,
    },
}

impl Policies {
    /// Those of `edge`, with the limiter that `limiter` has for its rates; `None` if nothing is to be done.
    pub fn new(edge: &Edge, limiter: impl FnOnce(RateLimit) -> Arc<RateLimiter>) -> Option<Arc<Self>> {
        if *edge == Edge::default() {
            return None;
        }
        Some(Arc::new(Self {
            cors: edge.cors.clone(),
            limiter: edge.rate_limit.map(limiter),
            compression: edge.compression.clone(),
            request_ids: edge.request_ids,
            access_log: edge.access_log,
        }))
    }

    /// Takes from a request what its answer depends on, and tells the component what it is called.
    pub(crate) fn meet<B>(self: &Arc<Self>, request: &mut Request<B>, record: &mut RequestRecord) -> Pass {
        if self.access_log == AccessLogged::No {
            record.seen = None;
        }
        if self.request_ids == Some(RequestIds::Client)
            && let Some(given) = request.headers().get(X_REQUEST_ID).and_then(given)
        {
            record.id = RequestId::Given(given);
        }
        let id = self.request_ids.map(|_| record.id.value());
        if let Some(id) = &id {
            request.headers_mut().insert(X_REQUEST_ID, id.clone());
        }
        let is_cors = self.cors.is_some();
        Pass(Box::new(Asked {
            purpose: if is_cors { cors::purpose(request) } else { Purpose::Answer },
            asker: self.cors.as_ref().map(|cors| cors::asker(cors, request.headers())),
            wanted: self.compression.as_ref().map(|compression| Wanted::of(compression, request)),
            id,
            policies: Arc::clone(self),
        }))
    }
}

/// An id that a client gives, if it is one that can be written anywhere.
fn given(value: &HeaderValue) -> Option<Box<str>> {
    let text = value.to_str().ok()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/+=@~".contains(&byte);
    let is_id = (1..=REQUEST_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits);
    is_id.then(|| text.into())
}

impl Pass {
    /// Why the request goes no further, if it does not. A preflight starts nothing, and is not counted.
    pub(crate) fn stop(&self, client: IpAddr, now: Instant) -> Option<Stop> {
        let Asked { policies, purpose, asker, .. } = &*self.0;
        if *purpose == Purpose::Preflight {
            let may = *asker != Some(Asker::Other);
            return Some(Stop::Preflight(if may { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN }));
        }
        let taken = policies.limiter.as_ref()?.take(crate::answer::number(client), now);
        let too_soon = taken.err()?;
        // Whole seconds, and never before (RFC 9110 §10.2.3).
        let retry_after_s = too_soon.retry_after.as_nanos().div_ceil(1_000_000_000);
        Some(Stop::TooSoon { retry_after_s: u64::try_from(retry_after_s).unwrap_or(u64::MAX).max(1) })
    }

    /// The answer as it goes out. `encoders` has a place for each body that may be encoded at once.
    pub(crate) fn leave(
        self,
        mut response: Response<AnswerBody>,
        encoders: &Arc<Semaphore>,
    ) -> Response<AnswerBody> {
        let Asked { policies, purpose, asker, wanted, id } = *self.0;
        if let (Some(wanted), Some(compression)) = (&wanted, &policies.compression) {
            response = wanted.apply(compression, encoders, response);
        }
        if let (Some(cors), Some(asker)) = (&policies.cors, &asker) {
            cors::tell(cors, asker, purpose, response.headers_mut());
        }
        if let Some(id) = id {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        response
    }
}

/// Tells caches that an answer depends on a header of its request (RFC 9110 §12.5.5).
fn vary(headers: &mut HeaderMap, on: &'static str) {
    let vary = http::header::VARY;
    if !lists(headers, (vary.clone(), on)) && !lists(headers, (vary.clone(), "*")) {
        headers.append(vary, HeaderValue::from_static(on));
    }
}

/// Whether a word is in the list of a header.
fn lists(headers: &HeaderMap, (name, word): (HeaderName, &str)) -> bool {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    let mut words = lines.flat_map(|line| line.split(',')).map(str::trim);
    words.any(|own| own.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tombolo_model::edge::Rate;

    use super::*;
    use crate::activity::Activity;

    fn policies(edge: &Edge) -> Option<Arc<Policies>> {
        Policies::new(edge, |limit| Arc::new(RateLimiter::new(limit)))
    }

    fn record() -> RequestRecord {
        RequestRecord::start(RequestId::Own(255), Arc::<Activity>::default().begin())
    }

    #[test]
    fn an_app_without_policies_has_none() {
        assert!(policies(&Edge::default()).is_none());
        let quiet = Edge { access_log: AccessLogged::No, ..Edge::default() };
        assert!(policies(&quiet).is_some());
    }

    /// What a component and the operator know a request by that says `said`.
    fn id(ids: RequestIds, said: Option<&str>) -> String {
        let edge = Edge { request_ids: Some(ids), ..Edge::default() };
        let mut request = Request::new(());
        request
            .headers_mut()
            .extend(said.map(|said| (X_REQUEST_ID, HeaderValue::from_bytes(said.as_bytes()).unwrap())));
        let mut record = record();
        let _pass = policies(&edge).unwrap().meet(&mut request, &mut record);
        assert_eq!(request.headers()[X_REQUEST_ID], record.id.to_string());
        record.id.to_string()
    }

    #[test]
    fn an_id_is_the_node_s_unless_a_client_s_is_trusted() {
        const OWN: &str = "00000000000000ff";
        assert_eq!(id(RequestIds::Own, None), OWN);
        assert_eq!(id(RequestIds::Own, Some("abc")), OWN);
        assert_eq!(id(RequestIds::Client, Some("abc-1.2:3")), "abc-1.2:3");
        for wrong in ["", "a b", "a\"b", "a;b", "ä", &"a".repeat(129)] {
            assert_eq!(id(RequestIds::Client, Some(wrong)), OWN, "{wrong}");
        }
    }

    #[test]
    fn a_client_is_told_in_whole_seconds_when_to_come_again() {
        let rate = Rate { requests: 1, per: Duration::from_millis(1500), burst: 1 };
        let limit = RateLimit { client: Some(rate), app: None };
        let edge = Edge { rate_limit: Some(limit), ..Edge::default() };
        let policies = policies(&edge).unwrap();
        let pass = policies.meet(&mut Request::new(()), &mut record());
        let stop = |address: &str| pass.stop(address.parse().unwrap(), Instant::now());
        assert_eq!(stop("10.0.0.1"), None);
        assert_eq!(stop("10.0.0.1"), Some(Stop::TooSoon { retry_after_s: 2 }));
        assert_eq!(stop("2001:db8::1"), None);
        assert!(stop("2001:db8::2").is_some(), "one /64 is one client");
        assert_eq!(stop("2001:db8:0:1::1"), None);
    }

    #[test]
    fn caches_are_told_once() {
        let mut headers = HeaderMap::new();
        for on in ["origin", "accept-encoding", "origin"] {
            vary(&mut headers, on);
        }
        assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["origin", "accept-encoding"]);
        let mut headers = HeaderMap::from_iter([(http::header::VARY, HeaderValue::from_static("*"))]);
        vary(&mut headers, "origin");
        assert_eq!(headers["vary"], "*");
        let listed = HeaderValue::from_static("accept, Origin");
        let mut headers = HeaderMap::from_iter([(http::header::VARY, listed)]);
        vary(&mut headers, "origin");
        assert_eq!(headers.get_all("vary").iter().count(), 1);
    }
}
