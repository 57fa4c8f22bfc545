//! What both versions of the interface share: each has types of its own that say the same.

use wasmtime::component::Resource;

use crate::view::OpenConnection;

/// A connection of the guest.
pub(crate) type Handle = Resource<OpenConnection>;

/// What a call gives: a trap, an error of the interface, or what was asked for.
pub(crate) type Called<T, E> = wasmtime::Result<Result<T, E>>;

/// The types of one version, from and to those of this crate.
macro_rules! types {
    ($redis:ident) => {
        impl From<crate::refusal::Refusal> for $redis::Error {
            fn from(refusal: crate::refusal::Refusal) -> Self {
                use crate::refusal::Refusal;
                match refusal {
                    Refusal::InvalidAddress => Self::InvalidAddress,
                    Refusal::TooManyConnections => Self::TooManyConnections,
                    Refusal::TypeError => Self::TypeError,
                    Refusal::Other(reason) => Self::Other(reason),
                }
            }
        }

        /// A part of an answer; one that is an array or an error was taken apart before.
        impl From<tombolo_redis::Reply> for $redis::RedisResult {
            fn from(reply: tombolo_redis::Reply) -> Self {
                use tombolo_redis::Reply;
                match reply {
                    Reply::Nil | Reply::Array(_) => Self::Nil,
                    Reply::Status(text) | Reply::Error(text) => Self::Status(text),
                    Reply::Integer(number) => Self::Int64(number),
                    Reply::Bytes(bytes) => Self::Binary(bytes),
                }
            }
        }

        /// An argument as it is sent.
        fn argument(parameter: $redis::RedisParameter) -> Vec<u8> {
            match parameter {
                $redis::RedisParameter::Int64(number) => number.to_string().into_bytes(),
                $redis::RedisParameter::Binary(bytes) => bytes,
            }
        }
    };
}

pub(crate) use types;
