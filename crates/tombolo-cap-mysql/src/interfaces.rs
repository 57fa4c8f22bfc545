//! What all versions of the interface share: each has types of its own that say the same.

use wasmtime::component::Resource;

use crate::view::OpenConnection;

/// A connection of the guest.
pub(crate) type Handle = Resource<OpenConnection>;

/// What a call gives: a trap, an error of the interface, or what was asked for.
pub(crate) type Called<T, E> = wasmtime::Result<Result<T, E>>;

/// The types of one version, from and to those of [`crate::value`]; its error, and what that calls all else.
macro_rules! types {
    ($types:ident, $error:ty, $other:ident) => {
        impl From<crate::refusal::Refusal> for $error {
            fn from(refusal: crate::refusal::Refusal) -> Self {
                use crate::refusal::Refusal;
                match refusal {
                    Refusal::Connection(reason) => Self::ConnectionFailed(reason),
                    Refusal::Parameter(reason) => Self::BadParameter(reason),
                    Refusal::Query(reason) => Self::QueryFailed(reason),
                    Refusal::Conversion(reason) => Self::ValueConversionFailed(reason),
                    Refusal::Other(reason) => Self::$other(reason),
                }
            }
        }

        impl From<crate::value::Value> for $types::DbValue {
            fn from(value: crate::value::Value) -> Self {
                use crate::value::Value;
                match value {
                    Value::Null => Self::DbNull,
                    Value::Boolean(value) => Self::Boolean(value),
                    Value::Int8(value) => Self::Int8(value),
                    Value::Int16(value) => Self::Int16(value),
                    Value::Int32(value) => Self::Int32(value),
                    Value::Int64(value) => Self::Int64(value),
                    Value::Uint8(value) => Self::Uint8(value),
                    Value::Uint16(value) => Self::Uint16(value),
                    Value::Uint32(value) => Self::Uint32(value),
                    Value::Uint64(value) => Self::Uint64(value),
                    Value::Floating32(value) => Self::Floating32(value),
                    Value::Floating64(value) => Self::Floating64(value),
                    Value::Str(value) => Self::Str(value),
                    Value::Binary(value) => Self::Binary(value),
                    Value::Unsupported => Self::Unsupported,
                }
            }
        }

        impl From<$types::ParameterValue> for crate::value::Value {
            fn from(value: $types::ParameterValue) -> Self {
                use $types::ParameterValue as Parameter;
                match value {
                    Parameter::DbNull => Self::Null,
                    Parameter::Boolean(value) => Self::Boolean(value),
                    Parameter::Int8(value) => Self::Int8(value),
                    Parameter::Int16(value) => Self::Int16(value),
                    Parameter::Int32(value) => Self::Int32(value),
                    Parameter::Int64(value) => Self::Int64(value),
                    Parameter::Uint8(value) => Self::Uint8(value),
                    Parameter::Uint16(value) => Self::Uint16(value),
                    Parameter::Uint32(value) => Self::Uint32(value),
                    Parameter::Uint64(value) => Self::Uint64(value),
                    Parameter::Floating32(value) => Self::Floating32(value),
                    Parameter::Floating64(value) => Self::Floating64(value),
                    Parameter::Str(value) => Self::Str(value),
                    Parameter::Binary(value) => Self::Binary(value),
                }
            }
        }

        impl From<crate::value::Column> for $types::Column {
            fn from(column: crate::value::Column) -> Self {
                use crate::value::Kind;
                use $types::DbDataType as To;
                let data_type = match column.kind {
                    Kind::Int8 => To::Int8,
                    Kind::Int16 => To::Int16,
                    Kind::Int32 => To::Int32,
                    Kind::Int64 => To::Int64,
                    Kind::Uint8 => To::Uint8,
                    Kind::Uint16 => To::Uint16,
                    Kind::Uint32 => To::Uint32,
                    Kind::Uint64 => To::Uint64,
                    Kind::Floating32 => To::Floating32,
                    Kind::Floating64 => To::Floating64,
                    Kind::Str => To::Str,
                    Kind::Binary => To::Binary,
                    Kind::Other => To::Other,
                };
                Self { name: column.name, data_type }
            }
        }
    };
}

pub(crate) use types;
