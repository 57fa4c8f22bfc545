//! HTTP/2: many requests at once on a connection, those of one component.
//!
//! A connection has tasks of its own, for what one request waits for may come while another one is read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioTimer;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tombolo_egress::idle::Waits;
use tombolo_egress::{Bounds, Egress, Slot};
use tombolo_model::networking::Protocol;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, WasiBody};

use super::connect::Stream;
use super::exchange::{Failed, HEAD_BYTES_MAX, failed};

/// How long a connection without requests is kept, and how often that is looked for.
const WAIT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(1);
/// Requests on a connection before another one is made: what servers usually take at once. Of one that takes less, the
/// next waits for others to end.
const REQUESTS_MAX: usize = 100;
/// Bytes of an answer that its guest has not taken yet; of all answers on a connection.
const ANSWER_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Bytes of a request that its server has not taken yet.
const SEND_BYTES_MAX: usize = 128 << 10;
/// A connection with requests on which nothing comes for so long is asked for a sign of life, and closed if there is
/// none in as long again: all requests to its server would wait on it.
const SILENCE: Duration = Duration::from_secs(10);

/// The connections of one component.
pub(super) struct Shared {
    /// The node's, which are told when a connection begins to wait.
    bounds: Arc<Bounds>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Vec<Open>,
    last_id: u64,
    /// Whether a task looks for those that waited too long.
    looked_after: bool,
}

struct Open {
    id: u64,
    key: Box<str>,
    sender: SendRequest<WasiBody>,
    /// Requests on it.
    users: usize,
    /// When the last one left.
    since: Instant,
    slot: Slot,
    /// Ended when this is dropped.
    _tasks: Tasks,
}

/// The tasks of one connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F> Executor<F> for TasksOf
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        // Its connection is closed if there is no set any more.
        if let Some(tasks) = self.0.upgrade() {
            let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }
}

/// The same for those tasks themselves, which must not keep one another.
#[derive(Clone)]
struct TasksOf(Weak<Mutex<JoinSet<()>>>);

/// A place on a connection, until it is dropped.
pub(super) struct Lease {
    sender: SendRequest<WasiBody>,
    id: u64,
    home: Arc<Shared>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.home.state();
        let Some(index) = state.open.iter().position(|open| open.id == self.id) else { return };
        let open = &mut state.open[index];
        open.users -= 1;
        open.since = Instant::now();
        let is_free = open.users == 0;
        // Nobody finds one that takes no more, or has no key.
        let is_over = open.sender.is_closed() || open.key.is_empty();
        let closed = (is_free && is_over).then(|| state.open.remove(index));
        drop(state);
        drop(closed);
        if is_free && !is_over {
            self.home.bounds.parked(Protocol::Http);
        }
    }
}

/// Whom a place on a connection is given to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowd {
    /// If the server takes another request at once.
    Fits,
    /// Also if it has to wait for others to end.
    Waits,
}

impl Shared {
    /// None yet; a connection over `egress` that finds no slot free takes that of one without requests.
    pub(super) fn of(egress: &Egress) -> Arc<Self> {
        let bounds = Arc::clone(&egress.common().bounds);
        let shared = Arc::new(Self { bounds, state: Mutex::default() });
        egress.waits(Protocol::Http, &shared);
        shared
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on a connection with this key, if there is one.
    pub(super) fn take(self: &Arc<Self>, key: &str, crowd: Crowd) -> Option<Lease> {
        let mut state = self.state();
        let takes = |open: &&mut Open| {
            let fits = crowd == Crowd::Waits || open.users < REQUESTS_MAX;
            *open.key == *key && !open.sender.is_closed() && fits
        };
        let open = state.open.iter_mut().find(takes)?;
        open.users += 1;
        Some(Lease { sender: open.sender.clone(), id: open.id, home: Arc::clone(self) })
    }

    /// A place on a new connection; or on one that another request has made meanwhile, if it `is_kept`, that is if
    /// requests share connections.
    pub(super) async fn open(
        self: &Arc<Self>,
        key: Box<str>,
        stream: Box<dyn Stream>,
        slot: Slot,
        is_kept: bool,
    ) -> Result<Lease, Error> {
        if let Some(lease) = self.take(&key, Crowd::Fits).filter(|_| is_kept) {
            return Ok(lease);
        }
        let tasks = Tasks::default();
        let handshake = Builder::new(TasksOf(Arc::downgrade(&tasks.0)))
            .timer(TokioTimer::new())
            .initial_stream_window_size(ANSWER_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .max_send_buf_size(SEND_BYTES_MAX)
            .keep_alive_interval(SILENCE)
            .keep_alive_timeout(SILENCE)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(failed)?;
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        // Other requests do not find one without a key.
        let key = if is_kept { key } else { Box::default() };
        let home = Arc::downgrade(self);
        TasksOf(Arc::downgrade(&tasks.0)).execute(async move {
            // What failed is told to each request on it.
            let _ = connection.await;
            if let Some(home) = home.upgrade() {
                home.ended(id);
            }
        });
        let lease = Lease { sender: sender.clone(), id, home: Arc::clone(self) };
        let since = Instant::now();
        state.open.push(Open { id, key, sender, users: 1, since, slot, _tasks: tasks });
        if !std::mem::replace(&mut state.looked_after, true) {
            tokio::spawn(look_after(Arc::downgrade(self)));
        }
        Ok(lease)
    }

    /// A connection takes no more requests. Those on it go on: a server may say so before it is done.
    fn ended(&self, id: u64) {
        let mut state = self.state();
        let ended = |open: &Open| open.id == id && open.users == 0;
        let ended = state.open.iter().position(ended).map(|index| state.open.remove(index));
        drop(state);
        drop(ended);
    }

    /// Closes those that waited too long. Whether any are left.
    fn look(&self) -> bool {
        let mut state = self.state();
        let is_late = |open: &mut Open| open.users == 0 && open.since.elapsed() >= WAIT;
        let late: Vec<Open> = state.open.extract_if(.., is_late).collect();
        state.looked_after = !state.open.is_empty();
        let left = state.looked_after;
        drop(state);
        drop(late);
        left
    }
}

async fn look_after(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if !shared.upgrade().is_some_and(|shared| shared.look()) {
            return;
        }
    }
}

impl Waits for Shared {
    fn oldest(&self) -> Option<Instant> {
        self.state().open.iter().filter(|open| open.users == 0).map(|open| open.since).min()
    }

    fn let_go(&self) -> Option<Slot> {
        let mut state = self.state();
        let waiting = state.open.iter().enumerate().filter(|(_, open)| open.users == 0);
        let (index, _) = waiting.min_by_key(|(_, open)| open.since)?;
        let Open { slot, _tasks: tasks, .. } = state.open.remove(index);
        drop(state);
        drop(tasks);
        Some(slot)
    }
}

/// Sends `request` and waits so long for the head of its answer.
pub(super) async fn exchange(
    mut lease: Lease,
    mut request: Request<WasiBody>,
    first_byte: Duration,
) -> Result<(Response<Incoming>, Lease), Failed> {
    // The authority of the URI says it, and some servers refuse both.
    request.headers_mut().remove(header::HOST);
    match timeout(first_byte, lease.sender.try_send_request(request)).await {
        Err(_) => Err(Failed::late()),
        Ok(Ok(response)) => Ok((response, lease)),
        Ok(Err(mut error)) => {
            let unsent = error.take_message();
            Err(Failed::of(error.into_error(), unsent))
        }
    }
}
