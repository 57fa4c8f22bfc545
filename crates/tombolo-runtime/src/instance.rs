//! One instance: made for a request within its bounds, and, where a component asks for it, kept for
//! the next.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tombolo_cap_wasi::snapshot;
use tombolo_capability::{Exhausted, Guest, Pace};
use tombolo_model::{Isolation, Limits};
use wasmtime::component::{InstancePre, Resource};
use wasmtime::{CallHook, Store, UpdateDeadline};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3::bindings::{Service as Handler, ServicePre};

use crate::command::Program;
use crate::inspect;
use crate::messages::Subscriber;
use crate::service::Place;

/// Handles of the engine for each of the host's: a guest has resources of its own, and two ends of
/// what it streams.
const HANDLES_PER_RESOURCE: usize = 4;
/// Bytes one call hands to the host. They are copied without a pause, so they are a slice too: 8 MiB
/// take some 3 ms. No interface here needs more in one piece but a key-value store's values.
const CALL_BYTES_MAX: usize = 8 << 20;
/// Instances of one component that wait: as many as the busiest of them have at work at once, and an
/// eighth of the pool.
const WAITING_MAX: usize = 128;
/// Resources an instance may have left from its requests and still be kept. Standard streams stay
/// open, and clocks; what grows from request to request is a leak.
const LEFT_MAX: usize = 64;

/// What a component is called for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// It answers requests.
    Http(inspect::Handler),
    /// It is a program that answers requests.
    Wagi(inspect::Version),
    /// It takes messages.
    Redis(inspect::Redis),
}

/// A component in memory, with its exports found.
#[derive(Clone)]
pub(crate) enum Pre {
    Wasi02(ProxyPre<Guest>),
    /// Of the snapshot that came before.
    Snapshot(snapshot::ProxyPre<Guest>),
    Wasi03(ServicePre<Guest>),
    Program(Program),
    Subscriber(Subscriber),
}

impl Pre {
    /// Its code.
    pub(crate) fn code(&self) -> &InstancePre<Guest> {
        match self {
            Self::Wasi02(pre) => pre.instance_pre(),
            Self::Snapshot(pre) => pre.instance_pre(),
            Self::Wasi03(pre) => pre.instance_pre(),
            Self::Program(program) => program.code(),
            Self::Subscriber(subscriber) => subscriber.code(),
        }
    }

    /// The component, if it does what `role` says.
    pub(crate) fn new(role: Role, pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        match role {
            Role::Http(inspect::Handler::Wasi02) => ProxyPre::new(pre).map(Self::Wasi02),
            Role::Http(inspect::Handler::Snapshot) => snapshot::ProxyPre::new(pre).map(Self::Snapshot),
            Role::Http(inspect::Handler::Wasi03) => ServicePre::new(pre).map(Self::Wasi03),
            Role::Wagi(version) => Program::new(version, pre).map(Self::Program),
            Role::Redis(redis) => Subscriber::new(redis, pre).map(Self::Subscriber),
        }
    }
}

/// The exports of an instance that is given its request and the place of its answer: WASI 0.2 and the snapshot
/// before it, which have their resources in common.
pub(crate) enum Incoming {
    Wasi02(Proxy),
    Snapshot(snapshot::Proxy),
}

impl Incoming {
    /// A new instance of a component that is not of WASI 0.3.
    pub(crate) async fn new(pre: &Pre, store: &mut Store<Guest>) -> wasmtime::Result<Self> {
        match pre {
            Pre::Wasi02(pre) => made(pre.instantiate_async(&mut *store).await, store).map(Self::Wasi02),
            Pre::Snapshot(pre) => made(pre.instantiate_async(&mut *store).await, store).map(Self::Snapshot),
            Pre::Wasi03(_) | Pre::Program(_) | Pre::Subscriber(_) => {
                unreachable!("called for components of WASI 0.2")
            }
        }
    }

    /// Has it answer.
    pub(crate) async fn handle(
        &self,
        store: &mut Store<Guest>,
        request: Resource<HostIncomingRequest>,
        out: Resource<HostResponseOutparam>,
    ) -> wasmtime::Result<()> {
        match self {
            Self::Wasi02(exports) => {
                exports.wasi_http_incoming_handler().call_handle(store, request, out).await
            }
            Self::Snapshot(exports) => {
                exports.wasi_http_incoming_handler().call_handle(store, request, out).await
            }
        }
    }
}

/// An instance, or why there is none: one that lacks what others of its tenant have is to be asked for again.
pub(crate) fn made<T>(instance: wasmtime::Result<T>, store: &mut Store<Guest>) -> wasmtime::Result<T> {
    instance.map_err(|error| match store.data_mut().memory().is_starved() {
        true => Exhausted::Memory.into(),
        false => error,
    })
}

/// A store whose guest is held to `limits`, and yields at the first tick or the second, so that a loop holds a
/// thread for two ticks at most.
pub(crate) fn bounded(mut store: Store<Guest>, limits: &Limits) -> Store<Guest> {
    store.limiter(|guest| guest.memory());
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        Ok(match store.data_mut().tick()? {
            Pace::Light => UpdateDeadline::Continue(1),
            Pace::Heavy => UpdateDeadline::Yield(1),
        })
    });
    store.call_hook(|store, hook| {
        if let CallHook::CallingHost = hook {
            store.data().meter().host_called();
        }
        Ok(())
    });
    store.set_hostcall_fuel(CALL_BYTES_MAX);
    let handles = (limits.handles_max as usize).saturating_mul(HANDLES_PER_RESOURCE);
    store.set_max_component_handles(handles);
    // Tasks, streams and futures of native async; each call under way is a task, with what it holds.
    if let Some(table) = store.concurrent_resource_table() {
        table.set_max_capacity(limits.handles_max as usize);
    }
    store
}

/// An instance that ended a request well.
pub(crate) struct Idle<E> {
    pub(crate) store: Store<Guest>,
    pub(crate) exports: E,
    /// Requests it has had.
    pub(crate) requests: u32,
}

/// Where an instance that waits is: its place in the pool is still taken.
type Waiting<E> = Mutex<VecDeque<(Instant, Idle<E>, Place)>>;

/// Instances that wait for their next request; always empty for a component with fresh ones.
pub(crate) struct Reserve {
    isolation: Isolation,
    wasi02: Waiting<Incoming>,
    wasi03: Waiting<Handler>,
}

/// A kind of instance a [`Reserve`] keeps.
pub(crate) trait Reserved: Sized {
    fn waiting(reserve: &Reserve) -> &Waiting<Self>;
}

impl Reserved for Incoming {
    fn waiting(reserve: &Reserve) -> &Waiting<Self> {
        &reserve.wasi02
    }
}

impl Reserved for Handler {
    fn waiting(reserve: &Reserve) -> &Waiting<Self> {
        &reserve.wasi03
    }
}

impl Reserve {
    pub(crate) fn new(isolation: Isolation) -> Self {
        Self { isolation, wasi02: Mutex::default(), wasi03: Mutex::default() }
    }

    /// The instance that waits for the shortest time: its memory is the warmest.
    pub(crate) fn take<E: Reserved>(&self) -> Option<Idle<E>> {
        let Isolation::Pool { .. } = self.isolation else { return None };
        let mut waiting = E::waiting(self).lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_back().map(|(_, idle, _)| idle)
    }

    /// Keeps an instance after a request that ended well, if it may take another and there is a place for
    /// it to wait in.
    pub(crate) fn put<E: Reserved>(&self, mut idle: Idle<E>, place: impl FnOnce() -> Option<Place>) {
        let Isolation::Pool { requests_max, .. } = self.isolation else { return };
        idle.requests += 1;
        let is_clear = idle.store.data_mut().left().is_some_and(|left| left <= LEFT_MAX);
        if idle.requests >= requests_max || !is_clear {
            return;
        }
        let Some(place) = place() else { return };
        let mut waiting = E::waiting(self).lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push_back((Instant::now(), idle, place));
        }
    }

    /// Lets go those that waited for too long, as of now.
    pub(crate) fn sweep(&self, now: Instant) {
        let Isolation::Pool { idle_time_max, .. } = self.isolation else { return };
        expired::<Incoming>(self, now, idle_time_max);
        expired::<Handler>(self, now, idle_time_max);
    }
}

/// Takes out the instances that waited for too long and drops them when nobody is kept from the lock.
fn expired<E: Reserved>(reserve: &Reserve, now: Instant, idle_time_max: Duration) {
    let mut waiting = E::waiting(reserve).lock().unwrap_or_else(PoisonError::into_inner);
    // They wait in the order in which they came back.
    let fresh = waiting.partition_point(|(since, ..)| now.saturating_duration_since(*since) >= idle_time_max);
    let gone: Vec<_> = waiting.drain(..fresh).collect();
    drop(waiting);
    drop(gone);
}
