//! What all versions of the interface share: each has types of its own that say the same, or less.

use wasmtime::component::Resource;

use crate::view::OpenConnection;

/// A connection of the guest.
pub(crate) type Handle = Resource<OpenConnection>;

/// What a call gives: a trap, an error of the interface, or what was asked for.
pub(crate) type Called<T, E> = wasmtime::Result<Result<T, E>>;

/// A range as the interfaces have it, over their own kinds of bounds.
pub(crate) type WitRange<T, K> = (Option<(T, K)>, Option<(T, K)>);

/// A range with bounds of another type.
pub(crate) fn bounds<T, A, B: From<A>>((lower, upper): WitRange<T, A>) -> WitRange<T, B> {
    let bound = |(value, kind): (T, A)| (value, kind.into());
    (lower.map(bound), upper.map(bound))
}

/// The calls that do not return a promise. `$postgres` has the connection, `$types` the types.
macro_rules! calls {
    ($postgres:ident, $types:ident) => {
        impl $postgres::Host for Host<'_> {}

        impl $postgres::HostConnection for Host<'_> {
            async fn open(&mut self, address: String) -> Called<Handle, $types::Error> {
                let opened = self.wish(address).open().await;
                Ok(opened.and_then(|connection| self.push(connection)).map_err(Into::into))
            }

            async fn query(
                &mut self,
                connection: Handle,
                statement: String,
                parameters: Vec<$types::ParameterValue>,
            ) -> Called<$types::RowSet, $types::Error> {
                let session = self.connection(&connection)?.0;
                let parameters = parameters.into_iter().map(Into::into).collect();
                let answer = session.query(&self.account.memory, statement, parameters).await;
                Ok(match answer {
                    Ok((columns, rows, _held)) => Ok($types::RowSet {
                        columns: columns.into_iter().map(Into::into).collect(),
                        rows: rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect(),
                    }),
                    Err(refusal) => Err(refusal.into()),
                })
            }

            async fn execute(
                &mut self,
                connection: Handle,
                statement: String,
                parameters: Vec<$types::ParameterValue>,
            ) -> Called<u64, $types::Error> {
                let session = self.connection(&connection)?.0;
                let parameters = parameters.into_iter().map(Into::into).collect();
                let done = session.execute(&self.account.memory, statement, parameters).await;
                Ok(done.map_err(Into::into))
            }

            async fn drop(&mut self, connection: Handle) -> wasmtime::Result<()> {
                self.close(connection)
            }
        }
    };
}

/// Errors before version 4, which are text alone, and what each calls all else.
macro_rules! plain_errors {
    ($error:ty, $other:ident) => {
        impl From<crate::refusal::Refusal> for $error {
            fn from(refusal: crate::refusal::Refusal) -> Self {
                use crate::refusal::Refusal;
                match refusal {
                    Refusal::Connection(reason) => Self::ConnectionFailed(reason),
                    Refusal::Parameter(reason) => Self::BadParameter(reason),
                    Refusal::Query(failure) => Self::QueryFailed(failure.text),
                    Refusal::Conversion(reason) => Self::ValueConversionFailed(reason),
                    Refusal::Other(reason) => Self::$other(reason),
                }
            }
        }
    };
}

/// The types that this interface shares with MySQL's, from and to those of [`crate::value`].
macro_rules! plain_types {
    ($types:ident) => {
        impl From<crate::value::Value> for $types::DbValue {
            fn from(value: crate::value::Value) -> Self {
                use crate::value::Value;
                match value {
                    Value::Null => Self::DbNull,
                    Value::Boolean(value) => Self::Boolean(value),
                    Value::Int16(value) => Self::Int16(value),
                    Value::Int32(value) => Self::Int32(value),
                    Value::Int64(value) => Self::Int64(value),
                    Value::Floating32(value) => Self::Floating32(value),
                    Value::Floating64(value) => Self::Floating64(value),
                    Value::Str(value) => Self::Str(value),
                    Value::Binary(value) => Self::Binary(value),
                    _ => Self::Unsupported,
                }
            }
        }

        impl From<$types::ParameterValue> for crate::value::Value {
            fn from(value: $types::ParameterValue) -> Self {
                use $types::ParameterValue;
                match value {
                    ParameterValue::DbNull => Self::Null,
                    ParameterValue::Boolean(value) => Self::Boolean(value),
                    ParameterValue::Int8(value) => Self::Int8(value),
                    ParameterValue::Int16(value) => Self::Int16(value),
                    ParameterValue::Int32(value) => Self::Int32(value),
                    ParameterValue::Int64(value) => Self::Int64(value),
                    ParameterValue::Floating32(value) => Self::Floating32(value),
                    ParameterValue::Floating64(value) => Self::Floating64(value),
                    ParameterValue::Str(value) => Self::Str(value),
                    ParameterValue::Binary(value) => Self::Binary(value),
                    ParameterValue::Uint8(_)
                    | ParameterValue::Uint16(_)
                    | ParameterValue::Uint32(_)
                    | ParameterValue::Uint64(_) => Self::Unsigned,
                }
            }
        }

        impl From<crate::value::Column> for $types::Column {
            fn from(column: crate::value::Column) -> Self {
                use crate::value::Kind;
                use $types::DbDataType;
                let data_type = match column.kind {
                    Kind::Boolean => DbDataType::Boolean,
                    Kind::Int16 => DbDataType::Int16,
                    Kind::Int32 => DbDataType::Int32,
                    Kind::Int64 => DbDataType::Int64,
                    Kind::Floating32 => DbDataType::Floating32,
                    Kind::Floating64 => DbDataType::Floating64,
                    Kind::Str => DbDataType::Str,
                    Kind::Binary => DbDataType::Binary,
                    _ => DbDataType::Other,
                };
                Self { name: column.name, data_type }
            }
        }
    };
}

/// The types of version 4, from and to those of [`crate::value`].
macro_rules! types_4 {
    ($postgres:ident) => {
        impl From<crate::refusal::Refusal> for $postgres::Error {
            fn from(refusal: crate::refusal::Refusal) -> Self {
                use crate::refusal::{Failure, Refusal, Said};
                match refusal {
                    Refusal::Connection(reason) => Self::ConnectionFailed(reason),
                    Refusal::Parameter(reason) => Self::BadParameter(reason),
                    Refusal::Conversion(reason) => Self::ValueConversionFailed(reason),
                    Refusal::Other(reason) => Self::Other(reason),
                    Refusal::Query(failure) => Self::QueryFailed(match *failure {
                        Failure { text, said: None } => $postgres::QueryError::Text(text),
                        Failure { text, said: Some(said) } => {
                            let Said { severity, code, message, detail, extras } = said;
                            $postgres::QueryError::DbError($postgres::DbError {
                                as_text: text,
                                severity,
                                code,
                                message,
                                detail,
                                extras,
                            })
                        }
                    }),
                }
            }
        }

        impl From<crate::value::Bound> for $postgres::RangeBoundKind {
            fn from(bound: crate::value::Bound) -> Self {
                match bound {
                    crate::value::Bound::Inclusive => Self::Inclusive,
                    crate::value::Bound::Exclusive => Self::Exclusive,
                }
            }
        }

        impl From<$postgres::RangeBoundKind> for crate::value::Bound {
            fn from(bound: $postgres::RangeBoundKind) -> Self {
                match bound {
                    $postgres::RangeBoundKind::Inclusive => Self::Inclusive,
                    $postgres::RangeBoundKind::Exclusive => Self::Exclusive,
                }
            }
        }

        impl From<crate::value::Value> for $postgres::DbValue {
            fn from(value: crate::value::Value) -> Self {
                use crate::interfaces::bounds;
                use crate::value::Value;
                match value {
                    Value::Null => Self::DbNull,
                    Value::Boolean(value) => Self::Boolean(value),
                    Value::Int8(value) => Self::Int8(value),
                    Value::Int16(value) => Self::Int16(value),
                    Value::Int32(value) => Self::Int32(value),
                    Value::Int64(value) => Self::Int64(value),
                    Value::Floating32(value) => Self::Floating32(value),
                    Value::Floating64(value) => Self::Floating64(value),
                    Value::Str(value) => Self::Str(value),
                    Value::Binary(value) => Self::Binary(value),
                    Value::Date(value) => Self::Date(value),
                    Value::Time(value) => Self::Time(value),
                    Value::Datetime(value) => Self::Datetime(value),
                    Value::Timestamp(value) => Self::Timestamp(value),
                    Value::Uuid(value) => Self::Uuid(value),
                    Value::Jsonb(value) => Self::Jsonb(value),
                    Value::Decimal(value) => Self::Decimal(value),
                    Value::RangeInt32(value) => Self::RangeInt32(bounds(value)),
                    Value::RangeInt64(value) => Self::RangeInt64(bounds(value)),
                    Value::RangeDecimal(value) => Self::RangeDecimal(bounds(value)),
                    Value::ArrayInt32(value) => Self::ArrayInt32(value),
                    Value::ArrayInt64(value) => Self::ArrayInt64(value),
                    Value::ArrayDecimal(value) => Self::ArrayDecimal(value),
                    Value::ArrayStr(value) => Self::ArrayStr(value),
                    Value::Interval(crate::value::Interval { micros, days, months }) => {
                        Self::Interval($postgres::Interval { micros, days, months })
                    }
                    Value::Unsupported(value) => Self::Unsupported(value),
                    // A parameter alone, and of another version.
                    Value::Unsigned => Self::Unsupported(Vec::new()),
                }
            }
        }

        impl From<$postgres::ParameterValue> for crate::value::Value {
            fn from(value: $postgres::ParameterValue) -> Self {
                use crate::interfaces::bounds;
                use $postgres::ParameterValue as Parameter;
                match value {
                    Parameter::DbNull => Self::Null,
                    Parameter::Boolean(value) => Self::Boolean(value),
                    Parameter::Int8(value) => Self::Int8(value),
                    Parameter::Int16(value) => Self::Int16(value),
                    Parameter::Int32(value) => Self::Int32(value),
                    Parameter::Int64(value) => Self::Int64(value),
                    Parameter::Floating32(value) => Self::Floating32(value),
                    Parameter::Floating64(value) => Self::Floating64(value),
                    Parameter::Str(value) => Self::Str(value),
                    Parameter::Binary(value) => Self::Binary(value),
                    Parameter::Date(value) => Self::Date(value),
                    Parameter::Time(value) => Self::Time(value),
                    Parameter::Datetime(value) => Self::Datetime(value),
                    Parameter::Timestamp(value) => Self::Timestamp(value),
                    Parameter::Uuid(value) => Self::Uuid(value),
                    Parameter::Jsonb(value) => Self::Jsonb(value),
                    Parameter::Decimal(value) => Self::Decimal(value),
                    Parameter::RangeInt32(value) => Self::RangeInt32(bounds(value)),
                    Parameter::RangeInt64(value) => Self::RangeInt64(bounds(value)),
                    Parameter::RangeDecimal(value) => Self::RangeDecimal(bounds(value)),
                    Parameter::ArrayInt32(value) => Self::ArrayInt32(value),
                    Parameter::ArrayInt64(value) => Self::ArrayInt64(value),
                    Parameter::ArrayDecimal(value) => Self::ArrayDecimal(value),
                    Parameter::ArrayStr(value) => Self::ArrayStr(value),
                    Parameter::Interval($postgres::Interval { micros, days, months }) => {
                        Self::Interval(crate::value::Interval { micros, days, months })
                    }
                }
            }
        }

        impl From<crate::value::Column> for $postgres::Column {
            fn from(column: crate::value::Column) -> Self {
                use crate::value::Kind;
                use $postgres::DbDataType as To;
                let data_type = match column.kind {
                    Kind::Boolean => To::Boolean,
                    Kind::Int16 => To::Int16,
                    Kind::Int32 => To::Int32,
                    Kind::Int64 => To::Int64,
                    Kind::Floating32 => To::Floating32,
                    Kind::Floating64 => To::Floating64,
                    Kind::Str => To::Str,
                    Kind::Binary => To::Binary,
                    Kind::Date => To::Date,
                    Kind::Time => To::Time,
                    Kind::Datetime => To::Datetime,
                    Kind::Uuid => To::Uuid,
                    Kind::Jsonb => To::Jsonb,
                    Kind::Decimal => To::Decimal,
                    Kind::RangeInt32 => To::RangeInt32,
                    Kind::RangeInt64 => To::RangeInt64,
                    Kind::RangeDecimal => To::RangeDecimal,
                    Kind::ArrayInt32 => To::ArrayInt32,
                    Kind::ArrayInt64 => To::ArrayInt64,
                    Kind::ArrayDecimal => To::ArrayDecimal,
                    Kind::ArrayStr => To::ArrayStr,
                    Kind::Interval => To::Interval,
                    Kind::Other(name) => To::Other(name),
                };
                Self { name: column.name, data_type }
            }
        }
    };
}

/// The resource that came with 4.1.0.
macro_rules! builder {
    ($postgres:ident) => {
        impl $postgres::HostConnectionBuilder for Host<'_> {
            async fn new(&mut self, address: String) -> wasmtime::Result<Resource<Builder>> {
                self.build(address)
            }

            async fn set_ca_root(
                &mut self,
                builder: Resource<Builder>,
                certificate: String,
            ) -> Called<(), $postgres::Error> {
                Ok(self.trust(&builder, certificate)?.map_err(Into::into))
            }

            async fn build(&mut self, builder: Resource<Builder>) -> Called<Handle, $postgres::Error> {
                let opened = match self.wish_of(&builder)? {
                    Ok(wish) => wish.open().await,
                    Err(refusal) => Err(refusal),
                };
                Ok(opened.and_then(|connection| self.push(connection)).map_err(Into::into))
            }

            async fn drop(&mut self, builder: Resource<Builder>) -> wasmtime::Result<()> {
                self.forget(builder)
            }
        }
    };
}

pub(crate) use {builder, calls, plain_errors, plain_types, types_4};
