//! Messages of Redis, each to an instance of its own.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::time::Instant;
use tombolo_cap_wasi::Inside;
use tombolo_capability::{Guest, Meter};
use wasmtime::component::InstancePre;

use crate::at_work::{AtWork, GuestFuture};
use crate::inspect::Redis;
use crate::instance::{Pre, made};
use crate::service::{Caller, Service, ServiceError, Slot};

/// `fermyon:spin/inbound-redis`, as spin-sdk up to 5 exports it.
pub(crate) mod unversioned {
    wasmtime::component::bindgen!({
        inline: "package tombolo:messages; world subscriber { export fermyon:spin/inbound-redis; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:messages/subscriber",
        exports: { default: async },
    });
}

/// `spin:redis/inbound-redis@3.0.0`, as spin-sdk 6 and later export it.
pub(crate) mod v3 {
    wasmtime::component::bindgen!({
        inline: "package tombolo:messages3; world subscriber { export spin:redis/inbound-redis@3.0.0; }",
        path: ["../../wit/spin-redis@3.0.0"],
        world: "tombolo:messages3/subscriber",
        exports: { default: async | store },
    });
}

/// A component that takes messages, with its export found.
#[derive(Clone)]
pub(crate) enum Subscriber {
    Unversioned(unversioned::SubscriberPre<Guest>),
    V3(v3::SubscriberPre<Guest>),
}

impl Subscriber {
    pub(crate) fn new(redis: Redis, pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        match redis {
            Redis::Unversioned => unversioned::SubscriberPre::new(pre).map(Self::Unversioned),
            Redis::V3 => v3::SubscriberPre::new(pre).map(Self::V3),
        }
    }

    pub(crate) fn code(&self) -> &InstancePre<Guest> {
        match self {
            Self::Unversioned(pre) => pre.instance_pre(),
            Self::V3(pre) => pre.instance_pre(),
        }
    }
}

/// What became of a message.
pub struct Delivery {
    /// What its guest used; nothing if there was none.
    pub meter: Arc<Meter>,
    /// Whether its guest took it.
    pub result: Result<(), ServiceError>,
}

impl Service {
    /// Waits until the component may work on one more message, and takes a place for it.
    pub async fn place(self: &Arc<Self>) -> Placed {
        Placed(Slot::wait(self).await)
    }
}

/// A place for a message that is taken.
pub struct Placed(Slot);

impl Placed {
    /// Hands `message` to a fresh instance, within the component's bounds. Its requests to its own app go to
    /// `inside`. Dropping this future ends the
    /// instance at once.
    pub async fn deliver(self, message: Vec<u8>, inside: Option<Arc<dyn Inside>>) -> Delivery {
        let Self(slot) = self;
        let meter = slot.shared_meter();
        let caller = Caller { meter: &meter, inside: inside.as_ref() };
        let result = deliver(slot, message, caller).await;
        Delivery { meter, result }
    }
}

async fn deliver(slot: Slot, message: Vec<u8>, caller: Caller<'_>) -> Result<(), ServiceError> {
    let meter = caller.meter;
    let service = Arc::clone(slot.service());
    let pre = service.ready(meter).await?;
    let guest = service.handle(&pre, message, caller);
    let guest = guest.map_err(|error| ServiceError::from_engine(&error))?;
    let limit = slot.limits().request_time_max;
    let deadline = Instant::from_std(meter.started()) + limit;
    let mut guest = AtWork::new(guest, slot);
    let ran = tokio::time::timeout_at(deadline, poll_fn(|context| guest.poll(context))).await;
    drop(guest);
    service.settle_if_passing();
    let ran = ran.map_err(|_| ServiceError::Deadline { limit })?;
    ran.map_err(|error| match error.downcast::<GaveError>() {
        Ok(GaveError(reason)) => ServiceError::NoAnswer { reason },
        Err(error) => ServiceError::from_engine(&error),
    })
}

/// The guest returned an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct GaveError(String);

impl Service {
    fn handle(
        self: &Arc<Self>,
        pre: &Pre,
        message: Vec<u8>,
        caller: Caller<'_>,
    ) -> wasmtime::Result<GuestFuture> {
        let subscriber = match pre {
            Pre::Subscriber(subscriber) => subscriber.clone(),
            Pre::Wasi02(_) | Pre::Snapshot(_) | Pre::Wasi03(_) | Pre::Program(_) => {
                unreachable!("called for subscribers")
            }
        };
        let mut store = self.store(subscriber.code(), caller)?;
        Ok(Box::pin(async move {
            match subscriber {
                Subscriber::Unversioned(pre) => {
                    let exports = made(pre.instantiate_async(&mut store).await, &mut store)?;
                    let handled =
                        exports.fermyon_spin_inbound_redis().call_handle_message(&mut store, &message);
                    handled.await?.map_err(|code| GaveError(format!("it returned `{code:?}`")).into())
                }
                Subscriber::V3(pre) => {
                    let exports = made(pre.instantiate_async(&mut store).await, &mut store)?;
                    let handled = store.run_concurrent(async |accessor| {
                        let inbound = exports.spin_redis_inbound_redis();
                        let handled = inbound.call_handle_message(accessor, message).await?;
                        // The guest goes on until the tasks it left are done.
                        poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
                        wasmtime::error::Ok(handled)
                    });
                    handled.await??.map_err(|error| GaveError(format!("it returned `{error:?}`")).into())
                }
            }
        }))
    }
}
