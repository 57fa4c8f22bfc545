//! Connections that wait for their next command.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tombolo_egress::idle::Waits;
use tombolo_egress::{Egress, EgressError, Slot, tls};
use tombolo_model::networking::Protocol;

use crate::{Address, Budget, Command, Connection, RedisError, Reply};

/// How long a connection waits for its next command before it is closed.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);
/// Connections that wait at once.
const IDLE_MAX: usize = 32;

/// How connections are made.
pub enum Connector {
    /// For a guest: to what it was granted, each with a slot of its component.
    Guest(Arc<Egress>),
    /// For the operator, who is asked for no grant, and says who is trusted.
    Operator(Arc<Semaphore>, Arc<tls::Config>),
}

/// What is held for as long as a connection is open.
enum Held {
    Slot(Slot),
    Permit(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit),
}

impl Connector {
    /// For the operator, with so many connections at once to whom `tls` trusts.
    pub fn operator(connections_max: usize, tls: Arc<tls::Config>) -> Self {
        Self::Operator(Arc::new(Semaphore::new(connections_max)), tls)
    }

    async fn connect(&self, address: &Address) -> Result<(Connection, Held), RedisError> {
        let to = address.destination();
        let (stream, config, held) = match self {
            Self::Guest(egress) => {
                let (stream, slot) = egress.connect(&to).await?;
                (stream, egress.tls(to.host), Held::Slot(slot))
            }
            Self::Operator(slots, tls) => {
                let permit = Arc::clone(slots).try_acquire_owned().map_err(|_| EgressError::Busy)?;
                let connected = TcpStream::connect((to.host, to.port)).await;
                let stream = connected.map_err(EgressError::Connect)?;
                (stream, tls, Held::Permit(permit))
            }
        };
        Ok((Connection::open(stream, address, config).await?, held))
    }
}

/// The connections of one component, or of one store of the operator.
pub struct Pool {
    connector: Connector,
    state: Mutex<State>,
    /// Told when a connection came back or was closed.
    returned: Notify,
}

#[derive(Default)]
struct State {
    /// The longest idle first.
    idle: Vec<Idle>,
    /// Leases that end with the command they are for.
    leased: usize,
    /// Whether somebody closes what is idle for too long.
    is_swept: bool,
}

struct Idle {
    since: Instant,
    address: Arc<Address>,
    open: (Connection, Held),
}

impl Pool {
    /// No connections yet.
    pub fn new(connector: Connector) -> Arc<Self> {
        let pool = Arc::new(Self { connector, state: Mutex::default(), returned: Notify::new() });
        if let Connector::Guest(egress) = &pool.connector {
            egress.waits(Protocol::Redis, &pool);
        }
        pool
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to `address` for the caller alone. If there are as many as there may be, one that waits
    /// for another address is closed; if none waits, this waits until one comes back.
    ///
    /// # Errors
    ///
    /// If none can be made, or all there may be are kept by others.
    pub async fn lease(self: &Arc<Self>, address: &Arc<Address>) -> Result<Lease, RedisError> {
        loop {
            let returned = self.returned.notified();
            tokio::pin!(returned);
            // From here on nothing that comes back is missed.
            returned.as_mut().enable();
            let mut lease = self.empty(address);
            while let Some(mut open) = self.idle(address) {
                if open.0.is_quiet().await {
                    lease.open = Some(open);
                    return Ok(lease);
                }
            }
            match self.connector.connect(address).await {
                Err(RedisError::Egress(EgressError::Busy)) => lease.is_silent = true,
                connected => {
                    lease.open = Some(connected?);
                    return Ok(lease);
                }
            }
            drop(lease);
            let waits = {
                let mut state = self.state();
                match state.idle.is_empty() {
                    true if state.leased == 0 => return Err(EgressError::Busy.into()),
                    true => true,
                    false => {
                        drop(state.idle.remove(0));
                        false
                    }
                }
            };
            if waits {
                returned.await;
            }
        }
    }

    /// Takes out the connection to `address` that waits for the shortest time.
    fn idle(&self, address: &Address) -> Option<(Connection, Held)> {
        let mut state = self.state();
        let index = state.idle.iter().rposition(|idle| *idle.address == *address)?;
        Some(state.idle.remove(index).open)
    }

    /// A lease that is counted and has no connection yet.
    fn empty(self: &Arc<Self>, address: &Arc<Address>) -> Lease {
        self.state().leased += 1;
        let (address, pool) = (Arc::clone(address), Arc::clone(self));
        Lease { open: None, address, pool, is_kept: false, is_midway: false, is_silent: false }
    }

    fn take_back(self: &Arc<Self>, address: Arc<Address>, open: (Connection, Held)) {
        self.keep(address, open);
        if let Connector::Guest(egress) = &self.connector {
            egress.parked(Protocol::Redis);
        }
    }

    fn keep(self: &Arc<Self>, address: Arc<Address>, open: (Connection, Held)) {
        let mut state = self.state();
        if state.idle.len() < IDLE_MAX {
            state.idle.push(Idle { since: Instant::now(), address, open });
        }
        if !std::mem::replace(&mut state.is_swept, true) {
            let pool = Arc::downgrade(self);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(IDLE_TIME_MAX / 4).await;
                    let Some(pool) = pool.upgrade() else { return };
                    if pool.sweep() {
                        return;
                    }
                }
            });
        }
    }

    /// Closes what was idle for too long; whether nothing is idle any more.
    fn sweep(&self) -> bool {
        let mut state = self.state();
        let old = state.idle.partition_point(|idle| idle.since.elapsed() >= IDLE_TIME_MAX);
        let gone: Vec<Idle> = state.idle.drain(..old).collect();
        state.is_swept = !state.idle.is_empty();
        let is_done = !state.is_swept;
        drop(state);
        drop(gone);
        is_done
    }
}

/// What other protocols of the component take slots from.
impl Waits for Pool {
    fn oldest(&self) -> Option<Instant> {
        self.state().idle.first().map(|idle| idle.since)
    }

    fn let_go(&self) -> Option<Slot> {
        let mut state = self.state();
        let first = (!state.idle.is_empty()).then(|| state.idle.remove(0));
        drop(state);
        match first?.open.1 {
            Held::Slot(slot) => Some(slot),
            Held::Permit(_) => None,
        }
    }
}

/// A connection that is its holder's alone. Dropped, it goes back, unless it is kept or its last answer was
/// not read to the end: then it is closed.
pub struct Lease {
    /// Taken when it goes back.
    open: Option<(Connection, Held)>,
    address: Arc<Address>,
    pool: Arc<Pool>,
    is_kept: bool,
    is_midway: bool,
    /// There is nothing to tell those who wait: it never had a place.
    is_silent: bool,
}

impl Lease {
    /// The answer to a command.
    ///
    /// # Errors
    ///
    /// As [`Connection::call`].
    pub async fn call(&mut self, command: &Command, budget: &mut impl Budget) -> Result<Reply, RedisError> {
        let (connection, _) = self.open.as_mut().ok_or(RedisError::Lost)?;
        connection.call(command, budget).await
    }

    /// Keeps the connection from others for good: commands may leave something set on it. Nobody waits for it
    /// to come back any more.
    pub fn keep(&mut self) {
        if !std::mem::replace(&mut self.is_kept, true) {
            self.pool.state().leased -= 1;
            // Who waited for this one may have nothing to wait for now.
            self.pool.returned.notify_waiters();
        }
    }
}

impl Lease {
    /// Begins what leaves something set on the connection until it is [done](Self::end): if this is dropped
    /// before, the connection is closed.
    pub fn begin(&mut self) {
        self.is_midway = true;
    }

    /// Nothing is set on the connection any more.
    pub fn end(&mut self) {
        self.is_midway = false;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_kept {
            self.pool.state().leased -= 1;
        }
        match self.open.take() {
            Some(open) if !self.is_kept && !self.is_midway && open.0.is_ready() => {
                self.pool.take_back(Arc::clone(&self.address), open);
            }
            open => drop(open),
        }
        if !self.is_silent {
            self.pool.returned.notify_one();
        } else if self.pool.state().leased == 0 {
            // Who took this one for a connection that comes back waits for nobody.
            self.pool.returned.notify_waiters();
        }
    }
}
