//! `spin:redis/redis@3.0.0`: as `fermyon:spin/redis@2.0.0`, each call with a promise.

use tombolo_capability::Guest;
use wasmtime::component::{Access, Accessor};

use crate::HasRedis;
use crate::interfaces::{Called, Handle, types};
use crate::view::{Account, Host, OpenConnection};

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:redis3; world imports { import spin:redis/redis@3.0.0; }",
        path: ["../../wit/spin-redis@3.0.0"],
        world: "tombolo:redis3/imports",
        imports: { default: store | trappable },
        with: { "spin:redis/redis.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::spin::redis::redis;
use redis::{Error, RedisParameter, RedisResult};

types!(redis);

impl redis::Host for Host<'_> {}

impl redis::HostConnection for Host<'_> {}

type At<'a> = &'a Accessor<Guest, HasRedis>;

/// The connection behind a handle: taken out, so that waiting for the server holds nothing of the guest.
fn connection(at: At<'_>, handle: &Handle) -> wasmtime::Result<(OpenConnection, Account)> {
    at.with(|mut access| {
        let host = access.get();
        Ok((host.connection(handle)?, host.account))
    })
}

/// The connection behind a handle, one of its operations, and what that gives.
macro_rules! call {
    ($at:ident, $handle:ident, $operation:ident($($argument:expr),*)) => {{
        let (connection, account) = connection($at, &$handle)?;
        Ok(connection.$operation(account, $($argument),*).await.map_err(Error::from))
    }};
}

impl redis::HostConnectionWithStore<Guest> for HasRedis {
    async fn open(at: At<'_>, address: String) -> Called<Handle, Error> {
        let opening = match at.with(|mut access| access.get().opening(&address)) {
            Ok(opening) => opening,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let opened = opening.open().await;
        Ok(opened.and_then(|open| at.with(|mut access| access.get().push(open))).map_err(Error::from))
    }

    async fn publish(at: At<'_>, handle: Handle, channel: String, payload: Vec<u8>) -> Called<(), Error> {
        call!(at, handle, publish(channel, payload))
    }

    async fn get(at: At<'_>, handle: Handle, key: String) -> Called<Option<Vec<u8>>, Error> {
        call!(at, handle, get(key))
    }

    async fn set(at: At<'_>, handle: Handle, key: String, value: Vec<u8>) -> Called<(), Error> {
        call!(at, handle, set(key, value))
    }

    async fn incr(at: At<'_>, handle: Handle, key: String) -> Called<i64, Error> {
        call!(at, handle, incr(key))
    }

    async fn del(at: At<'_>, handle: Handle, keys: Vec<String>) -> Called<u32, Error> {
        call!(at, handle, del(keys))
    }

    async fn sadd(at: At<'_>, handle: Handle, key: String, values: Vec<String>) -> Called<u32, Error> {
        call!(at, handle, sadd(key, values))
    }

    async fn smembers(at: At<'_>, handle: Handle, key: String) -> Called<Vec<String>, Error> {
        call!(at, handle, smembers(key))
    }

    async fn srem(at: At<'_>, handle: Handle, key: String, values: Vec<String>) -> Called<u32, Error> {
        call!(at, handle, srem(key, values))
    }

    async fn execute(
        at: At<'_>,
        handle: Handle,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Called<Vec<RedisResult>, Error> {
        let (connection, account) = connection(at, &handle)?;
        let arguments = arguments.into_iter().map(argument).collect();
        let executed = connection.execute(account, command, arguments).await;
        Ok(executed.map(|(parts, _)| parts.into_iter().map(Into::into).collect()).map_err(Error::from))
    }
    fn drop(mut access: Access<'_, Guest, Self>, handle: Handle) -> wasmtime::Result<()> {
        access.get().close(handle)
    }
}
