//! Requests from a component of an app to another, or to a route of its own app: service chaining.
//!
//! They reach their component without a socket, and are otherwise requests like any other: within the bounds
//! of the component they are for, with a record and an event of their own. A failure is answered with the
//! status a client would get.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::sync::mpsc;
use tombolo_model::route::Pattern;
use tombolo_runtime::{BodyError, Inside, InsidePart, RequestBodyError as Error, Sent, Service, WasiBody};

use crate::accept::{Gateway, Shared};
use crate::answer::{Callee, Came, component, find};
use crate::counts::Counts;
use crate::record::RequestRecord;
use crate::respond::AnswerError;
use crate::route::{Name, Part, RouteTable, SpinRoute};

/// Requests within an app that one request from outside may lead to in a row. Each waits for the next, so a
/// component that calls itself without end would take all of its slots.
const HOPS_MAX: u8 = 16;

/// The components of an app, as they find each other.
pub struct AppInside {
    /// Weak, as the gateway's table leads here.
    gateway: Weak<Shared>,
    members: BTreeMap<Box<str>, Member>,
    /// The app's routes, once they are tabled. Weak, as they lead here.
    routes: OnceLock<Weak<RouteTable>>,
}

/// One component.
struct Member {
    name: Arc<Name>,
    service: Arc<Service>,
    /// How its request came, as Spin tells it; `None` for a component that expects none of it.
    spin: Option<SpinRoute>,
    pattern: Pattern,
}

impl AppInside {
    /// The inside of `app` at a gateway: its components by their ids. They are told their route as Spin does if
    /// `spin` says so. Requests for them are counted in `counts`.
    pub fn new(
        gateway: &Gateway,
        app: &str,
        counts: &Arc<Counts>,
        services: &BTreeMap<&str, Arc<Service>>,
        spin: bool,
    ) -> Arc<Self> {
        let member = |(id, service): (&&str, &Arc<Service>)| {
            let pattern: Pattern = "/...".parse().expect("the wildcard is a route");
            let route = || SpinRoute::new("/...", "/", &pattern).expect("ASCII is a value a header can have");
            let spin = spin.then(route);
            let name = Arc::new(Name {
                app: app.into(),
                part: Part::Component((*id).into()),
                counts: Arc::clone(counts),
            });
            ((*id).into(), Member { name, service: Arc::clone(service), spin, pattern })
        };
        let members = services.iter().map(member).collect();
        Arc::new(Self { gateway: gateway.shared(), members, routes: OnceLock::new() })
    }

    /// The app has these routes, which are its own for as long as they are served. To be said once.
    pub fn has_routes(&self, routes: &Arc<RouteTable>) {
        let first = self.routes.set(Arc::downgrade(routes));
        debug_assert!(first.is_ok(), "the routes of an app in one release are tabled once");
    }

    async fn sent(self: Arc<Self>, hops: u8, to: InsidePart, request: Request<WasiBody>) -> Sent {
        let gateway = self.gateway.upgrade().ok_or(Error::DestinationUnavailable)?;
        if hops > HOPS_MAX {
            return Err(Error::LoopDetected);
        }
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let is_head = request.method() == Method::HEAD;
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let came = Came { authority, client: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), hops };
        let record = || RequestRecord::inside(gateway.next_id());
        let answer = match to {
            InsidePart::Route => {
                let routes =
                    self.routes.get().and_then(Weak::upgrade).ok_or(Error::DestinationUnavailable)?;
                let mut record = record();
                let found = find(&gateway, &routes, request, &came, &mut record);
                drop(routes);
                found.answer(&gateway, &came, record).await
            }
            InsidePart::Component(id) => {
                let member = self.member(&id).ok_or(Error::DestinationNotFound)?;
                let mut record = record();
                record.is_for(&member.name);
                let route = member.spin.as_ref().map(|spin| (spin, &member.pattern));
                let callee = Callee { service: &member.service, inside: Some(&self), route };
                match callee.ready(&gateway, request, &came, &mut record) {
                    Ok(ready) => component(&gateway, ready, &came, record).await,
                    Err(status) => crate::respond::refusal(status, record),
                }
            }
        };
        let (head, body) = answer.into_parts();
        // As a server leaves it out for clients (RFC 9110 §6.4.1).
        if is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
            return Ok((Response::from_parts(head, nothing), Box::new(async { Ok(()) })));
        }
        let body = body.map_err(failed);
        if body.size_hint().exact().is_some() {
            // It is there, or nobody has to go on for it to be.
            return Ok((Response::from_parts(head, body.boxed_unsync()), Box::new(async { Ok(()) })));
        }
        let (frames, body) = pumped(body);
        Ok((Response::from_parts(head, frames.boxed_unsync()), Box::new(body)))
    }

    /// A component by its id; in a host, case is nothing.
    fn member(&self, id: &str) -> Option<&Member> {
        let any_case = || self.members.iter().find(|(name, _)| name.eq_ignore_ascii_case(id));
        self.members.get(id).or_else(|| any_case().map(|(_, member)| member))
    }
}

/// What a caller is told of an answer that ended before its end.
fn failed(error: AnswerError) -> Error {
    match error {
        AnswerError::Guest(BodyError::Deadline { .. }) => Error::HttpResponseTimeout,
        AnswerError::Guest(_) | AnswerError::Asset(_) | AnswerError::Encoder(_) => {
            Error::HttpResponseIncomplete
        }
    }
}

/// Pieces of a body, of up to 64 KiB, on their way to a caller that does not read.
const PIECES_MAX: usize = 2;

/// A body that comes through a queue, and what moves it there. Its component goes on while there is room, as
/// it would with a socket: its caller may be writing to it still.
fn pumped<B>(
    body: B,
) -> (impl Body<Data = Bytes, Error = Error> + Send, impl Future<Output = Result<(), Error>> + Send)
where
    B: Body<Data = Bytes, Error = Error> + Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel(PIECES_MAX);
    let pump = async move {
        let mut body = pin!(body);
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                // Nobody reads any more.
                () = sender.closed() => break,
            };
            let Some(frame) = frame else { break };
            if sender.send(frame).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    (StreamBody::new(futures::stream::poll_fn(move |context| receiver.poll_recv(context))), pump)
}

type Sending = Pin<Box<dyn Future<Output = Sent> + Send>>;

/// Of a request that came from outside.
impl Inside for AppInside {
    fn send(self: Arc<Self>, to: InsidePart, request: Request<WasiBody>) -> Sending {
        Box::pin(self.sent(1, to, request))
    }
}

/// Of a request that came from inside.
pub(crate) struct Hop {
    pub(crate) inside: Arc<AppInside>,
    pub(crate) hops: u8,
}

impl Inside for Hop {
    fn send(self: Arc<Self>, to: InsidePart, request: Request<WasiBody>) -> Sending {
        Box::pin(Arc::clone(&self.inside).sent(self.hops + 1, to, request))
    }
}
