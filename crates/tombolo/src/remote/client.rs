//! The control interface of a node, as its client.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tombolo_api::{Activate, App, Blobs, MissingBlobs, Preview, Problem, ReleaseInfo};
use tombolo_model::{Digest, SiteName};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, BodyReader, SendBody};

use super::progress::Sending;
use super::session::Session;
use crate::failure::Failure;

/// How long until a connection is there.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an answer may take: a release is compiled before it is answered.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(600);
/// Bytes of a file that is asked for before it is sent: one round trip more is little then.
const LARGE_BYTES: u64 = 256 << 10;
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A node, and who asks it.
pub(crate) struct Client {
    agent: Agent,
    session: Session,
}

/// What went wrong between a client and its node.
pub(crate) enum Refusal {
    /// The node says why.
    Problem(Box<Problem>),
    /// There is no node, or something else answers there.
    Other(Failure),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Other(failure) => failure,
            Refusal::Problem(problem) => {
                let failure = Self::new(problem.to_string());
                match problem.status {
                    401 => failure.hint("log in: `tombolo login URL`, and give it the token".to_owned()),
                    _ => failure,
                }
            }
        }
    }
}

type Asked<T> = Result<T, Refusal>;

impl Client {
    pub(crate) fn new(session: Session) -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_recv_response(Some(ANSWER_TIME_MAX))
            .max_redirects(0)
            // A refusal has a body that says why.
            .http_status_as_error(false)
            .user_agent(concat!("tombolo/", env!("CARGO_PKG_VERSION")));
        Self { agent: Agent::new_with_config(config.build()), session }
    }

    fn address(&self, path: &str) -> String {
        let mark = if path.contains('?') { '&' } else { '?' };
        let tenant = self.session.tenant.iter();
        let tenant: String = tenant.map(|tenant| format!("{mark}tenant={tenant}")).collect();
        format!("{}{path}{tenant}", self.session.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.session.token)
    }

    fn answer<T: DeserializeOwned>(&self, sent: Result<Response<Body>, ureq::Error>) -> Asked<T> {
        let body = self.body(sent)?;
        serde_json::from_slice(&body).map_err(|error| self.strange(&error.to_string()))
    }

    fn body(&self, sent: Result<Response<Body>, ureq::Error>) -> Asked<Vec<u8>> {
        let mut response = sent.map_err(|error| Refusal::Other(self.unreached(&error)))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| Refusal::Other(self.unreached(&error)))?;
        if status.is_success() {
            return Ok(body);
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(Refusal::Problem(Box::new(problem))),
            Err(_) => Err(self.strange(&format!("status {status} without a reason"))),
        }
    }

    fn unreached(&self, error: &ureq::Error) -> Failure {
        let failure = Failure::new(format!("cannot reach the node at {}: {error}", self.session.url));
        failure.hint("is it running? `tombolo serve` says where its control interface is".to_owned())
    }

    fn strange(&self, reason: &str) -> Refusal {
        let message =
            format!("what answers at {} is no node that this version knows: {reason}", self.session.url);
        Refusal::Other(Failure::new(message))
    }

    /// Asks for something.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Asked<T> {
        self.answer(self.agent.get(self.address(path)).header("authorization", self.bearer()).call())
    }

    /// Asks for lines, of which more may come.
    pub(crate) fn stream(&self, path: &str) -> Asked<BufReader<BodyReader<'static>>> {
        let sent = self.agent.get(self.address(path)).header("authorization", self.bearer()).call();
        match sent {
            Ok(response) if response.status().is_success() => {
                Ok(BufReader::new(response.into_body().into_reader()))
            }
            refused => match self.body(refused) {
                Err(refusal) => Err(refusal),
                Ok(_) => unreachable!("it was no success"),
            },
        }
    }

    /// Asks for something that may not be there.
    pub(crate) fn find<T: DeserializeOwned>(&self, path: &str) -> Asked<Option<T>> {
        match self.get(path) {
            Err(Refusal::Problem(problem)) if problem.status == StatusCode::NOT_FOUND.as_u16() => Ok(None),
            found => found.map(Some),
        }
    }

    /// States something; what it is then.
    pub(crate) fn put<T: DeserializeOwned>(&self, path: &str, value: &impl Serialize) -> Asked<T> {
        let body =
            serde_json::to_vec(value).expect("what is sent is made of texts, numbers and lists of them");
        self.put_bytes(path, &body)
    }

    /// The same, where there is nothing to say about it.
    pub(crate) fn put_only(&self, path: &str, value: &impl Serialize) -> Asked<()> {
        let body =
            serde_json::to_vec(value).expect("what is sent is made of texts, numbers and lists of them");
        let request = self.agent.put(self.address(path)).header("authorization", self.bearer());
        self.body(request.content_type("application/json").send(&body)).map(drop)
    }

    fn put_bytes<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Asked<T> {
        let request = self.agent.put(self.address(path)).header("authorization", self.bearer());
        self.answer(request.content_type("application/json").send(body))
    }

    /// Makes something.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, value: &impl Serialize) -> Asked<T> {
        let body =
            serde_json::to_vec(value).expect("what is sent is made of texts, numbers and lists of them");
        let request = self.agent.post(self.address(path)).header("authorization", self.bearer());
        self.answer(request.content_type("application/json").send(&body))
    }

    /// Asks for bytes.
    pub(crate) fn bytes(&self, path: &str) -> Asked<Vec<u8>> {
        self.body(self.agent.get(self.address(path)).header("authorization", self.bearer()).call())
    }

    /// Sends bytes as they are, where there is nothing to say about it.
    pub(crate) fn put_as_is(&self, path: &str, value: &[u8]) -> Asked<()> {
        let request = self.agent.put(self.address(path)).header("authorization", self.bearer());
        self.body(request.content_type("application/octet-stream").send(value)).map(drop)
    }

    /// Removes a part of something; what that is then.
    pub(crate) fn remove<T: DeserializeOwned>(&self, path: &str) -> Asked<T> {
        self.answer(self.agent.delete(self.address(path)).header("authorization", self.bearer()).call())
    }

    /// Removes something.
    pub(crate) fn delete(&self, path: &str) -> Asked<()> {
        self.body(self.agent.delete(self.address(path)).header("authorization", self.bearer()).call())
            .map(drop)
    }

    /// Those of these files that the node does not have.
    pub(crate) fn missing(&self, digests: Vec<Digest>) -> Asked<Vec<Digest>> {
        let found: MissingBlobs = self.post("/v1/blobs/missing", &Blobs { digests })?;
        Ok(found.missing)
    }

    /// Sends a file.
    pub(crate) fn send(&self, digest: &Digest, path: &Path, sending: &Sending) -> Asked<()> {
        let unread =
            |error| Refusal::Other(Failure::new(format!("cannot read `{}`: {error}", path.display())));
        let file = File::open(path).map_err(unread)?;
        let length = file.metadata().map_err(unread)?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut counted = sending.file(&name, file);
        let request = self.agent.put(self.address(&format!("/v1/blobs/{digest}")));
        let mut request =
            request.header("authorization", self.bearer()).content_type("application/octet-stream");
        if length > LARGE_BYTES {
            // A node that does not take it says so before it comes.
            request = request.header("expect", "100-continue");
        }
        // Said here: a reader does not tell how much there is to read.
        let request = request.header("content-length", length);
        self.body(request.send(SendBody::from_reader(&mut counted))).map(drop)
    }

    /// One app, if it is there.
    pub(crate) fn app(&self, app: &SiteName) -> Asked<Option<App>> {
        self.find(&format!("/v1/apps/{app}"))
    }

    /// The releases of an app, the last first.
    pub(crate) fn releases(&self, app: &SiteName) -> Asked<Vec<ReleaseInfo>> {
        self.get(&format!("/v1/apps/{app}/releases"))
    }

    /// Sends a release.
    pub(crate) fn release(&self, app: &SiteName, digest: &Digest, document: &[u8]) -> Asked<ReleaseInfo> {
        self.put_bytes(&format!("/v1/apps/{app}/releases/{digest}"), document)
    }

    /// Has a release shown at an address of its own.
    pub(crate) fn preview(&self, app: &SiteName, digest: &Digest, wanted: &Preview) -> Asked<ReleaseInfo> {
        self.put(&format!("/v1/apps/{app}/previews/{digest}"), wanted)
    }

    /// Has a release shown no more.
    pub(crate) fn unpreview(&self, app: &SiteName, digest: &Digest) -> Asked<ReleaseInfo> {
        self.remove(&format!("/v1/apps/{app}/previews/{digest}"))
    }

    /// Changes what an app serves.
    pub(crate) fn activate(&self, app: &SiteName, wanted: &Activate) -> Asked<App> {
        self.put(&format!("/v1/apps/{app}/active"), wanted)
    }
}
