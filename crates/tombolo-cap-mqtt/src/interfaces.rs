//! What both versions of the interface share: each has types of its own that say the same.

use wasmtime::component::Resource;

use crate::view::OpenConnection;

/// A connection of the guest.
pub(crate) type Handle = Resource<OpenConnection>;

/// What a call gives: a trap, an error of the interface, or what was asked for.
pub(crate) type Called<T, E> = wasmtime::Result<Result<T, E>>;

/// The types of one version, from and to those of this crate.
macro_rules! types {
    ($mqtt:ident) => {
        impl From<crate::view::Refusal> for $mqtt::Error {
            fn from(refusal: crate::view::Refusal) -> Self {
                use crate::view::Refusal;
                match refusal {
                    Refusal::InvalidAddress => Self::InvalidAddress,
                    Refusal::TooManyConnections => Self::TooManyConnections,
                    Refusal::ConnectionFailed(reason) => Self::ConnectionFailed(reason),
                    Refusal::Other(reason) => Self::Other(reason),
                }
            }
        }

        impl From<$mqtt::Qos> for rumqttc::mqttbytes::QoS {
            fn from(qos: $mqtt::Qos) -> Self {
                match qos {
                    $mqtt::Qos::AtMostOnce => Self::AtMostOnce,
                    $mqtt::Qos::AtLeastOnce => Self::AtLeastOnce,
                    $mqtt::Qos::ExactlyOnce => Self::ExactlyOnce,
                }
            }
        }
    };
}

pub(crate) use types;
