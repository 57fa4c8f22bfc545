//! A component that answers HTTP, with a fresh instance for every request.

mod habit;
mod place;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::{Mutex, Semaphore, oneshot};
use tombolo_cap_wasi::{Inside, Outbound, World};
use tombolo_capability::{Allowance, CpuExceeded, Exhausted, Grants, Guest, GuestParts, HostMemory, Meter};
use tombolo_model::{Isolation, Limits};
use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p3::bindings::{Service as Handled, ServicePre};
use wasmtime_wasi_http::{Error, WasiHttpView};

use crate::at_work::GuestFuture;
use crate::command::Failed;
use crate::exchange::{Exchange, Head, ResponseBody, Terms};
use crate::inspect::Kind;
use crate::instance::{Idle, Incoming, Pre, Reserve, Reserved, Role, bounded, made};
use crate::prepare::{Cold, Prepared, chain};
use crate::shares::Share;
use crate::totals::Totals;
use crate::trigger::{NotCalled, Trigger};

use habit::Habit;
pub(crate) use place::{Place, Slot};

/// Everything about a component that its requests share.
pub struct ServiceConfig {
    /// What it may see of the machine.
    pub world: World,
    /// Where it may send requests.
    pub outbound: Arc<Outbound>,
    /// What it was granted.
    pub grants: Arc<Grants>,
    /// What it may use.
    pub limits: Limits,
    /// How far apart its requests are kept.
    pub isolation: Isolation,
    /// What it shares with other components; nothing if `None`.
    pub allowance: Option<Arc<Allowance>>,
}

/// On whose behalf a request is made.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// What it uses is charged to this.
    pub meter: &'a Arc<Meter>,
    /// Where requests of its guest to its own app go; `None` if there is no app.
    pub inside: Option<&'a Arc<dyn Inside>>,
}

/// How long after code could not be brought in requests are told so without another try.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A component that answers HTTP requests.
pub struct Service {
    role: Role,
    /// Its code, while it is in memory.
    pre: ArcSwapOption<Pre>,
    cold: Cold,
    /// Whether the code is of an engine that is to pass, and nobody is moving it yet.
    is_passing: AtomicBool,
    /// Held by whoever brings the code in; says when that last failed, and why.
    loading: Arc<Mutex<Option<(Instant, String)>>>,
    reserve: Reserve,
    config: ServiceConfig,
    slots: Semaphore,
    share: Share,
    habit: Habit,
    /// Sweeps since its last request.
    unused: AtomicU32,
    totals: Totals,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The component is at work on as many requests as it may.
    #[error("as many requests as this component may work on are under way")]
    Busy,
    /// It and those it shares with have used what they may.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// It took longer than it may.
    #[error("no answer within {} ms", limit.as_millis())]
    Deadline {
        /// How long it may take.
        limit: Duration,
    },
    /// It used more time on a core than it may.
    #[error(transparent)]
    Cpu(#[from] CpuExceeded),
    /// Its answer is longer than it may be.
    #[error("its answer has more than {bytes_max} bytes")]
    TooLarge {
        /// How long it may be.
        bytes_max: u64,
    },
    /// Its code cannot be brought into memory.
    #[error("it cannot be loaded: {reason}")]
    Load {
        /// Why.
        reason: String,
    },
    /// It stopped with a trap, or could not be started.
    #[error("the guest trapped: {reason}")]
    Trap {
        /// What happened and where in the guest. For the operator, not for the caller.
        reason: String,
    },
    /// It returned without an answer, or with an error in place of one.
    #[error("the guest gave no answer: {reason}")]
    NoAnswer {
        /// What it said.
        reason: String,
    },
}

impl ServiceError {
    /// Sorts the engine's error.
    pub(crate) fn from_engine(error: &wasmtime::Error) -> Self {
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::Busy;
        }
        if let Some(exceeded) = error.downcast_ref::<CpuExceeded>() {
            return Self::Cpu(*exceeded);
        }
        if let Some(exhausted) = error.downcast_ref::<Exhausted>() {
            return Self::Exhausted(*exhausted);
        }
        // It may have printed a head before, which nobody looked at yet.
        if let Some(failed) = error.downcast_ref::<Failed>() {
            return Self::NoAnswer { reason: failed.to_string() };
        }
        Self::Trap { reason: format!("{error:?}") }
    }
}

impl Service {
    /// The service of a prepared component, to be called by `trigger`.
    ///
    /// # Errors
    ///
    /// If the component does not export what that calls.
    pub fn new(prepared: Prepared, config: ServiceConfig, trigger: Trigger) -> Result<Self, NotCalled> {
        let Prepared { kind, redis, warm, cold } = prepared;
        let (role, refusal) = match trigger {
            Trigger::Http => match kind {
                Kind::Http(handler) => (Role::Http(handler), NotCalled::Http),
                _ => return Err(NotCalled::Http),
            },
            Trigger::Wagi => match kind {
                Kind::Command(version) => (Role::Wagi(version), NotCalled::Wagi),
                _ => return Err(NotCalled::Wagi),
            },
            Trigger::Redis => (Role::Redis(redis.ok_or(NotCalled::Redis)?), NotCalled::Redis),
        };
        let pre = warm.map(|pre| Pre::new(role, pre)).transpose().map_err(|_| refusal)?;
        Ok(Self {
            role,
            is_passing: AtomicBool::new(pre.as_ref().is_some_and(|pre| cold.is_passing(pre.code()))),
            pre: ArcSwapOption::from(pre.map(Arc::new)),
            cold,
            loading: Arc::default(),
            reserve: Reserve::new(config.isolation),
            slots: Semaphore::new(config.limits.concurrency_max as usize),
            config,
            share: Share::default(),
            habit: Habit::default(),
            unused: AtomicU32::new(0),
            totals: Totals::default(),
        })
    }

    /// What it may see of the machine.
    pub(crate) fn world(&self) -> &World {
        &self.config.world
    }

    /// What is held for a request before it has an instance.
    pub(crate) fn waiting_memory(&self) -> HostMemory {
        HostMemory::new(self.config.limits.memory_bytes_max, self.config.allowance.clone())
    }

    /// What it may use.
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// What all its requests used.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Guests of it that are at work, those that go on after their answer included.
    pub fn at_work(&self) -> u64 {
        let most = self.config.limits.concurrency_max as usize;
        most.saturating_sub(self.slots.available_permits()) as u64
    }

    /// Whether its code is in memory.
    pub fn is_loaded(&self) -> bool {
        self.pre.load().is_some()
    }

    /// Answers `request` with an instance, which ends with the body of the answer. Dropping this
    /// future, or that body, ends the instance at once. What is used is charged to `caller`.
    ///
    /// `request` has its authority in its URI or in a `host` header; its scheme is that of the URI, or `http`.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn call<B>(
        self: &Arc<Self>,
        request: Request<B>,
        caller: Caller<'_>,
    ) -> Result<Response<ResponseBody>, ServiceError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let slot = Slot::take(self, caller.meter)?;
        let pre = self.ready(caller.meter).await?;
        let is_head = request.method() == http::Method::HEAD;
        let (head, heard) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let guest = match &*pre {
            Pre::Wasi02(_) | Pre::Snapshot(_) => self.wasi02(pre, request, head, caller),
            Pre::Wasi03(_) => self.wasi03(pre, request, head, end, caller),
            Pre::Program(_) => Ok(self.program(pre, request, head, caller)),
            Pre::Subscriber(_) => return Err(ServiceError::NoAnswer { reason: NotCalled::Http.to_string() }),
        };
        let guest = guest.map_err(|error| ServiceError::from_engine(&error))?;
        let answer = Exchange::new(guest, heard, ended, Terms { slot, is_head }).answer().await;
        self.settle_if_passing();
        answer
    }

    /// The code, in memory for a call.
    pub(crate) async fn ready(self: &Arc<Self>, meter: &Meter) -> Result<Arc<Pre>, ServiceError> {
        let pre = match self.pre.load_full() {
            Some(pre) => pre,
            None => self.woken(meter).await?,
        };
        if self.unused.load(Relaxed) != 0 {
            self.unused.store(0, Relaxed);
        }
        Ok(pre)
    }

    pub(crate) fn settle_if_passing(self: &Arc<Self>) {
        if self.is_passing.load(Relaxed) {
            self.settle();
        }
    }

    /// Moves the code to the engine with the pool, once there is one.
    fn settle(self: &Arc<Self>) {
        if !self.cold.is_settled() || !self.is_passing.swap(false, Relaxed) {
            return;
        }
        let Some(pre) = self.pre.load_full() else { return };
        let service = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let moved = service
                .cold
                .moved(pre.code())
                .map_err(|error| chain(&error))
                .and_then(|code| Pre::new(service.role, code).map_err(|error| format!("{error:#}")));
            match moved {
                // Instances that wait stay what they are, and keep the engine before until they end.
                Ok(pre) => service.pre.store(Some(Arc::new(pre))),
                Err(reason) => tracing::warn!("a component stays without the pool: {reason}"),
            }
        });
    }

    /// The code, brought into memory within the time of the request.
    async fn woken(self: &Arc<Self>, meter: &Meter) -> Result<Arc<Pre>, ServiceError> {
        let limit = self.config.limits.request_time_max;
        let until = tokio::time::Instant::from_std(meter.started()) + limit;
        let woken = tokio::time::timeout_at(until, self.wake()).await;
        woken.unwrap_or(Err(ServiceError::Deadline { limit }))
    }

    /// Brings the code into memory. A request that comes meanwhile waits for the same, also if the one
    /// that began it has left.
    async fn wake(self: &Arc<Self>) -> Result<Arc<Pre>, ServiceError> {
        let mut failed = Arc::clone(&self.loading).lock_owned().await;
        if let Some(pre) = self.pre.load_full() {
            return Ok(pre);
        }
        if let Some((since, reason)) = &*failed
            && since.elapsed() < RETRY_AFTER
        {
            return Err(ServiceError::Load { reason: reason.clone() });
        }
        let service = Arc::clone(self);
        // It reads a file, and compiles if the file is gone: not on a thread that serves others.
        let loading = tokio::task::spawn_blocking(move || {
            let loaded = service.cold.load().map_err(|error| chain(&error)).and_then(|loaded| {
                Pre::new(service.role, loaded).map(Arc::new).map_err(|error| format!("{error:#}"))
            });
            match loaded {
                Ok(pre) => {
                    service.is_passing.store(service.cold.is_passing(pre.code()), Relaxed);
                    service.pre.store(Some(Arc::clone(&pre)));
                    service.totals.loaded();
                    Ok(pre)
                }
                Err(reason) => {
                    *failed = Some((Instant::now(), reason.clone()));
                    Err(ServiceError::Load { reason })
                }
            }
        });
        loading.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Lets go what nobody needs, as of now: instances kept for too long, and the code of a component
    /// that had no request for `sweeps_max` sweeps, as long as it can be mapped again.
    pub fn sweep(&self, now: Instant, sweeps_max: u32) {
        self.reserve.sweep(now);
        let unused = self.unused.load(Relaxed).saturating_add(1);
        self.unused.store(unused, Relaxed);
        if unused > sweeps_max && self.is_loaded() && self.cold.is_kept() {
            self.pre.store(None);
        }
    }

    /// Waits until no guest of it is at work, those that go on after their answer included.
    pub async fn idle(&self) {
        // All slots in hand means that no guest has one; the semaphore is never closed.
        let _ = self.slots.acquire_many(self.config.limits.concurrency_max).await;
    }

    pub(crate) fn store(
        &self,
        pre: &InstancePre<Guest>,
        caller: Caller<'_>,
    ) -> wasmtime::Result<Store<Guest>> {
        self.store_in(&self.config.world, pre, caller)
    }

    /// The same with another world.
    pub(crate) fn store_in(
        &self,
        world: &World,
        pre: &InstancePre<Guest>,
        caller: Caller<'_>,
    ) -> wasmtime::Result<Store<Guest>> {
        let ServiceConfig { outbound, grants, limits, allowance, .. } = &self.config;
        let guest = Guest::new(GuestParts {
            wasi: world.open()?,
            outbound: Box::new(outbound.open(caller.meter, caller.inside.cloned())),
            memory_bytes_max: limits.memory_bytes_max,
            allowance: allowance.clone(),
            handles_max: limits.handles_max,
            meter: Arc::clone(caller.meter),
            grants: Arc::clone(grants),
        });
        Ok(bounded(Store::new(pre.engine(), guest), limits))
    }

    /// A store for a request: that of an instance that waits for one, or a new one without exports.
    fn begin<E: Reserved>(&self, pre: &InstancePre<Guest>, caller: Caller<'_>) -> wasmtime::Result<Begun<E>> {
        let Some(Idle { mut store, exports, requests }) = self.reserve.take::<E>() else {
            return Ok(Begun { store: self.store(pre, caller)?, exports: None, requests: 0 });
        };
        let outbound = self.config.outbound.open(caller.meter, caller.inside.cloned());
        store.data_mut().charge(Arc::clone(caller.meter), Box::new(outbound));
        store.set_epoch_deadline(1);
        Ok(Begun { store, exports: Some(exports), requests })
    }

    fn wasi02<B>(
        self: &Arc<Self>,
        pre: Arc<Pre>,
        request: Request<B>,
        head: Head,
        caller: Caller<'_>,
    ) -> wasmtime::Result<GuestFuture>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let begun = self.begin::<Incoming>(pre.code(), caller)?;
        let Begun { mut store, exports, requests } = begun;
        let is_encrypted = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
        let scheme = if is_encrypted { Scheme::Https } else { Scheme::Http };
        let request = store.data_mut().http().new_incoming_request(scheme, request)?;
        let answer = move |answer: Result<_, _>| {
            // Who no longer waits for the answer has dropped this guest, or is about to.
            let _ = head.send(answer.map_err(|code| format!("{code:?}")));
        };
        let out = store.data_mut().http().new_response_outparam_from_callback(answer)?;
        let service = Arc::clone(self);
        Ok(Box::pin(async move {
            let exports = match exports {
                Some(exports) => exports,
                None => Incoming::new(&pre, &mut store).await?,
            };
            exports.handle(&mut store, request, out).await?;
            service.reserve.put(Idle { store, exports, requests }, || Place::take(&service));
            Ok(())
        }))
    }

    fn wasi03<B>(
        self: &Arc<Self>,
        pre: Arc<Pre>,
        request: Request<B>,
        head: Head,
        end: oneshot::Receiver<()>,
        caller: Caller<'_>,
    ) -> wasmtime::Result<GuestFuture>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        use wasmtime_wasi_http::p3::Request;
        let begun = self.begin::<Handled>(wasi03(&pre).instance_pre(), caller)?;
        let Begun { mut store, exports, requests } = begun;
        let (request, sent) = Request::from_http(store.data_mut().http().hooks, request);
        let service = Arc::clone(self);
        Ok(Box::pin(async move {
            let exports = match exports {
                Some(exports) => exports,
                None => made(wasi03(&pre).instantiate_async(&mut store).await, &mut store)?,
            };
            let run = async |accessor: &wasmtime::component::Accessor<Guest>| {
                let answer = match exports.handle(accessor, request).await? {
                    Ok(response) => Ok(accessor.with(|access| response.into_http(access, sent))?),
                    Err(code) => Err(format!("{code:?}")),
                };
                let _ = head.send(answer);
                // The guest goes on until its body has been taken and the tasks it left are done.
                let _ = end.await;
                std::future::poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
                wasmtime::error::Ok(())
            };
            store.run_concurrent(run).await??;
            service.reserve.put(Idle { store, exports, requests }, || Place::take(&service));
            Ok(())
        }))
    }
}

/// An instance a request begins with; without exports, it is still to be made.
struct Begun<E> {
    store: Store<Guest>,
    exports: Option<E>,
    requests: u32,
}

fn wasi03(pre: &Pre) -> &ServicePre<Guest> {
    match pre {
        Pre::Wasi03(pre) => pre,
        _ => unreachable!("called for components of WASI 0.3"),
    }
}
