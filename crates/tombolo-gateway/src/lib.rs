//! The way of a request: accept, admit, route, respond.
//!
//! Alone in facing the public. What answers is [`Published`] as a whole and read
//! through a snapshot, so a deploy never meets a request half-way. Each step is a module with its
//! own limits and its own way to fail:
//!
//! 1. [`accept`] takes a slot for the connection, or refuses it with 503; [`tls`] encrypts it, where it came to the
//!    listener for that;
//! 2. [`answer`] gives the request a record, [`admit`] reads whom it is for, [`body`] bounds what it
//!    brings: 400, 408, 413;
//! 3. [`route`] finds what answers its host and path: 404; the [policies](edge) of its app may answer first: 403, 429;
//! 4. the runtime's [`Service`](tombolo_runtime::Service) answers it, or a file does ([`assets`]);
//! 5. [`respond`] turns failures into statuses and sends the body: 500, 502, 503, 504. [`access`] writes it down.

pub mod accept;
mod access;
mod activity;
mod admit;
mod answer;
pub mod assets;
mod body;
mod clients;
mod config;
mod counts;
mod edge;
mod front;
mod inside;
mod record;
mod respond;
pub mod route;
mod socket;
mod tls;
mod wire;

pub use accept::{Drain, Gateway};
pub use access::AccessLog;
pub use assets::Assets;
#[doc(hidden)]
pub use assets::fuzzed;
pub use config::GatewayConfig;
pub use counts::{BOUNDS_US, Counted, Counts, STATUSES};
pub use edge::{Policies, RateLimiter};
pub use front::{Doors, Front, Hsts, Redirect};
pub use inside::AppInside;
pub use route::{Answerer, Name, Part, Published, RouteTable, SpinRoute, Target};
pub use socket::Socket;
pub use tls::{CertificateError, Certificates, ServerTls, ShownTo};
