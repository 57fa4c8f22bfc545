//! `fermyon:spin/redis`, without a version, as Spin 1 had it: each call names its server, and an error says no more than
//! that it is one.

use crate::refusal::Refusal;
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:redis1; world imports { import fermyon:spin/redis; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:redis1/imports",
        imports: { default: async | trappable },
    });
}

pub(crate) use generated::fermyon::spin::{redis, redis_types};
use redis_types::{Error, RedisParameter, RedisResult};
use tombolo_redis::Reply;

type Called<T> = wasmtime::Result<Result<T, Error>>;

impl From<Refusal> for Error {
    fn from(_: Refusal) -> Self {
        Self::Error
    }
}

/// A part of an answer; one that is an array or an error was taken apart before.
impl From<Reply> for RedisResult {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Nil | Reply::Array(_) => Self::Nil,
            Reply::Status(text) | Reply::Error(text) => Self::Status(text),
            Reply::Integer(number) => Self::Int64(number),
            Reply::Bytes(bytes) => Self::Binary(bytes),
        }
    }
}

/// A connection to an address for one operation, and what that gives; its component's pool keeps what it goes over.
macro_rules! call {
    ($host:ident, $address:ident, $operation:ident($($argument:expr),*)) => {
        match $host.opening(&$address) {
            Ok(opening) => match opening.open().await {
                Ok(connection) => connection.$operation($host.account.clone(), $($argument),*).await,
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        }
    };
}

impl redis_types::Host for Host<'_> {}

impl redis::Host for Host<'_> {
    async fn publish(&mut self, address: String, channel: String, payload: Vec<u8>) -> Called<()> {
        Ok(call!(self, address, publish(channel, payload)).map_err(Error::from))
    }

    /// What is not there is empty: the interface has no word for it.
    async fn get(&mut self, address: String, key: String) -> Called<Vec<u8>> {
        Ok(call!(self, address, get(key)).map(Option::unwrap_or_default).map_err(Error::from))
    }

    async fn set(&mut self, address: String, key: String, value: Vec<u8>) -> Called<()> {
        Ok(call!(self, address, set(key, value)).map_err(Error::from))
    }

    async fn incr(&mut self, address: String, key: String) -> Called<i64> {
        Ok(call!(self, address, incr(key)).map_err(Error::from))
    }

    async fn del(&mut self, address: String, keys: Vec<String>) -> Called<i64> {
        Ok(call!(self, address, del(keys)).map(i64::from).map_err(Error::from))
    }

    async fn sadd(&mut self, address: String, key: String, values: Vec<String>) -> Called<i64> {
        Ok(call!(self, address, sadd(key, values)).map(i64::from).map_err(Error::from))
    }

    async fn smembers(&mut self, address: String, key: String) -> Called<Vec<String>> {
        Ok(call!(self, address, smembers(key)).map_err(Error::from))
    }

    async fn srem(&mut self, address: String, key: String, values: Vec<String>) -> Called<i64> {
        Ok(call!(self, address, srem(key, values)).map(i64::from).map_err(Error::from))
    }

    async fn execute(
        &mut self,
        address: String,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Called<Vec<RedisResult>> {
        let argument = |parameter| match parameter {
            RedisParameter::Int64(number) => i64::to_string(&number).into_bytes(),
            RedisParameter::Binary(bytes) => bytes,
        };
        let arguments = arguments.into_iter().map(argument).collect();
        let executed = call!(self, address, execute(command, arguments));
        Ok(executed.map(|(parts, _)| parts.into_iter().map(Into::into).collect()).map_err(Error::from))
    }
}
