//! A Redis client: what an answer may take is asked while it is read, and a connection is one caller's at a
//! time.
//!
//! A client that many share over one connection would read an answer whole before anybody could say that
//! it is too large, could not tell whose it is, and would let one caller's `SELECT` or `MULTI` fall upon
//! the others. So there is a [`Pool`] in place of that: a [`Lease`] is a connection alone, for one command or
//! for as long as its holder keeps it, and goes back only if its last answer was read to the end.
//!
//! The protocol is RESP, version 2, which every server speaks (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

mod address;
mod command;
mod connection;
mod pool;
mod reply;

pub use address::{Address, AddressError};
pub use command::Command;
pub use connection::Connection;
pub use pool::{Connector, Lease, Pool};
pub use reply::{Reply, ReplyError, read};

use tombolo_egress::EgressError;
use tombolo_egress::tls::TlsError;

/// What an answer may take, asked before each part of it is read.
pub trait Budget: Send {
    /// Takes so many bytes.
    ///
    /// # Errors
    ///
    /// If there are not so many left.
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge>;
}

/// An answer is larger than it may be, and why it may not be larger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge(pub String);

/// A budget of so many bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl Budget for Bytes {
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| TooLarge("it has too many bytes".to_owned()))?;
        Ok(())
    }
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// There is no connection.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The connection is not encrypted.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No answer could be read.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// The server's own words: it refused the command, or failed at it.
    #[error("{0}")]
    Server(String),
    /// The connection was lost, and with it what was set on it.
    #[error("the connection was lost, and with it what was set on it: open another")]
    Lost,
}

impl From<std::io::Error> for RedisError {
    fn from(error: std::io::Error) -> Self {
        Self::Reply(error.into())
    }
}
