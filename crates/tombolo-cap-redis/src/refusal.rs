//! What the interfaces' own error types all say.

use tombolo_egress::EgressError;
use tombolo_redis::RedisError;

/// Why a call of a guest gets an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    InvalidAddress,
    TooManyConnections,
    TypeError,
    Other(String),
}

impl From<RedisError> for Refusal {
    fn from(error: RedisError) -> Self {
        match &error {
            RedisError::Egress(EgressError::Denied | EgressError::Prohibited) => Self::InvalidAddress,
            RedisError::Egress(EgressError::Busy) => Self::TooManyConnections,
            RedisError::Egress(EgressError::Connect(source)) => {
                Self::Other(format!("cannot connect to the server: {}", source.kind()))
            }
            RedisError::Server(reason) if is_type_error(reason) => Self::TypeError,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// Whether the server says that what is at a key is of another type than the command is for.
fn is_type_error(reason: &str) -> bool {
    reason.starts_with("WRONGTYPE ") || reason.starts_with("ERR value is not an integer")
}
