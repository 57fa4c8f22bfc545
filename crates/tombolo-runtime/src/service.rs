//! A component that answers HTTP, with a fresh instance for every request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::{Semaphore, oneshot};
use tombolo_cap_wasi::{Outbound, World};
use tombolo_capability::{Grants, Guest, GuestParts, MemoryBudget};
use tombolo_model::Limits;
use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{Error, WasiHttpView};

use crate::exchange::{Exchange, GuestFuture, Head, ResponseBody, Terms};
use crate::inspect::{Handler, Kind};
use crate::prepare::Prepared;

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
}

/// A component that answers HTTP requests.
pub struct Service {
    handler: Pre,
    config: ServiceConfig,
    slots: Arc<Semaphore>,
}

enum Pre {
    Wasi02(ProxyPre<Guest>),
    Wasi03(ServicePre<Guest>),
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The component is at work on as many requests as it may.
    #[error("as many requests as this component may work on are under way")]
    Busy,
    /// It took longer than it may.
    #[error("no answer within {} ms", limit.as_millis())]
    Deadline {
        /// How long it may take.
        limit: Duration,
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
        Self::Trap { reason: format!("{error:?}") }
    }
}

/// A prepared component that answers no HTTP.
#[derive(Debug, thiserror::Error)]
#[error(
    "it answers no HTTP: expected an export of `wasi:http/incoming-handler@0.2.x` or `wasi:http/handler@0.3.0`"
)]
pub struct NotHttp;

impl Service {
    /// The service of a prepared component.
    ///
    /// # Errors
    ///
    /// If the component does not answer HTTP.
    pub fn new(prepared: &Prepared, config: ServiceConfig) -> Result<Self, NotHttp> {
        let pre = prepared.pre.clone();
        let handler = match prepared.kind {
            Kind::Http(Handler::Wasi02) => ProxyPre::new(pre).map(Pre::Wasi02),
            Kind::Http(Handler::Wasi03) => ServicePre::new(pre).map(Pre::Wasi03),
            _ => return Err(NotHttp),
        };
        let handler = handler.map_err(|_| NotHttp)?;
        let slots = Arc::new(Semaphore::new(config.limits.concurrency_max as usize));
        Ok(Self { handler, config, slots })
    }

    /// What it may use.
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// Answers `request` with a new instance, which ends with the body of the answer. Dropping this
    /// future, or that body, ends the instance at once.
    ///
    /// `request` has its authority in its URI or in a `host` header.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn call<B>(&self, request: Request<B>) -> Result<Response<ResponseBody>, ServiceError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| ServiceError::Busy)?;
        let terms = Terms {
            slot,
            limit: self.config.limits.request_time_max,
            is_head: request.method() == http::Method::HEAD,
        };
        let (head, heard) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let guest = match &self.handler {
            Pre::Wasi02(pre) => self.wasi02(pre, request, head),
            Pre::Wasi03(pre) => self.wasi03(pre, request, head, end),
        };
        let guest = guest.map_err(|error| ServiceError::from_engine(&error))?;
        Exchange::new(guest, heard, ended, terms).answer().await
    }

    /// Waits until no guest of it is there, those that go on after their answer included.
    pub async fn idle(&self) {
        // All slots in hand means that no guest has one; the semaphore is never closed.
        let _ = self.slots.acquire_many(self.config.limits.concurrency_max).await;
    }

    fn store(&self, pre: &InstancePre<Guest>) -> wasmtime::Result<Store<Guest>> {
        let ServiceConfig { world, outbound, grants, limits } = &self.config;
        let guest = Guest::new(GuestParts {
            wasi: world.open()?,
            outbound: Box::new(outbound.open()),
            memory: MemoryBudget::new(limits.memory_bytes_max),
            grants: Arc::clone(grants),
        });
        Ok(sliced(Store::new(pre.engine(), guest)))
    }

    fn wasi02<B>(
        &self,
        pre: &ProxyPre<Guest>,
        request: Request<B>,
        head: Head,
    ) -> wasmtime::Result<GuestFuture>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let mut store = self.store(pre.instance_pre())?;
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
        let answer = move |answer: Result<_, _>| {
            // Who no longer waits for the answer has dropped this guest, or is about to.
            let _ = head.send(answer.map_err(|code| format!("{code:?}")));
        };
        let out = store.data_mut().http().new_response_outparam_from_callback(answer)?;
        let pre = pre.clone();
        Ok(Box::pin(async move {
            let proxy = pre.instantiate_async(&mut store).await?;
            proxy.wasi_http_incoming_handler().call_handle(&mut store, request, out).await
        }))
    }

    fn wasi03<B>(
        &self,
        pre: &ServicePre<Guest>,
        request: Request<B>,
        head: Head,
        end: oneshot::Receiver<()>,
    ) -> wasmtime::Result<GuestFuture>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        use wasmtime_wasi_http::p3::Request;
        let mut store = self.store(pre.instance_pre())?;
        let (request, sent) = Request::from_http(store.data_mut().http().hooks, request);
        let pre = pre.clone();
        Ok(Box::pin(async move {
            let service = pre.instantiate_async(&mut store).await?;
            let run = async move |accessor: &wasmtime::component::Accessor<Guest>| {
                let answer = match service.handle(accessor, request).await? {
                    Ok(response) => Ok(accessor.with(|access| response.into_http(access, sent))?),
                    Err(code) => Err(format!("{code:?}")),
                };
                let _ = head.send(answer);
                // The guest goes on until its body has been taken and the tasks it left are done.
                let _ = end.await;
                std::future::poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
                wasmtime::error::Ok(())
            };
            store.run_concurrent(run).await?
        }))
    }
}

/// A store whose guest yields at every tick, so that a loop holds a thread for one slice at most.
fn sliced(mut store: Store<Guest>) -> Store<Guest> {
    store.limiter(|guest| guest.memory());
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}
