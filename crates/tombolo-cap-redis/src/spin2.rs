//! `fermyon:spin/redis@2.0.0`.

use crate::interfaces::{Called, Handle, types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:redis2; world imports { import fermyon:spin/redis@2.0.0; }",
        path: ["../../wit/fermyon-spin@2.0.0"],
        world: "tombolo:redis2/imports",
        imports: { default: async | trappable },
        with: { "fermyon:spin/redis.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::fermyon::spin::redis;
use redis::{Error, RedisParameter, RedisResult};

types!(redis);

impl redis::Host for Host<'_> {}

/// The connection behind a handle, one of its operations, and what that gives.
macro_rules! call {
    ($host:ident, $handle:ident, $operation:ident($($argument:expr),*)) => {{
        let connection = $host.connection(&$handle)?;
        Ok(connection.$operation($host.account.clone(), $($argument),*).await.map_err(Error::from))
    }};
}

impl redis::HostConnection for Host<'_> {
    async fn open(&mut self, address: String) -> Called<Handle, Error> {
        let opening = match self.opening(&address) {
            Ok(opening) => opening,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let opened = opening.open().await.and_then(|open| self.push(open));
        Ok(opened.map_err(Error::from))
    }

    async fn publish(&mut self, handle: Handle, channel: String, payload: Vec<u8>) -> Called<(), Error> {
        call!(self, handle, publish(channel, payload))
    }

    async fn get(&mut self, handle: Handle, key: String) -> Called<Option<Vec<u8>>, Error> {
        call!(self, handle, get(key))
    }

    async fn set(&mut self, handle: Handle, key: String, value: Vec<u8>) -> Called<(), Error> {
        call!(self, handle, set(key, value))
    }

    async fn incr(&mut self, handle: Handle, key: String) -> Called<i64, Error> {
        call!(self, handle, incr(key))
    }

    async fn del(&mut self, handle: Handle, keys: Vec<String>) -> Called<u32, Error> {
        call!(self, handle, del(keys))
    }

    async fn sadd(&mut self, handle: Handle, key: String, values: Vec<String>) -> Called<u32, Error> {
        call!(self, handle, sadd(key, values))
    }

    async fn smembers(&mut self, handle: Handle, key: String) -> Called<Vec<String>, Error> {
        call!(self, handle, smembers(key))
    }

    async fn srem(&mut self, handle: Handle, key: String, values: Vec<String>) -> Called<u32, Error> {
        call!(self, handle, srem(key, values))
    }

    async fn execute(
        &mut self,
        handle: Handle,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Called<Vec<RedisResult>, Error> {
        let connection = self.connection(&handle)?;
        let arguments = arguments.into_iter().map(argument).collect();
        let executed = connection.execute(self.account.clone(), command, arguments).await;
        Ok(executed.map(|(parts, _)| parts.into_iter().map(Into::into).collect()).map_err(Error::from))
    }

    async fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.close(handle)
    }
}
