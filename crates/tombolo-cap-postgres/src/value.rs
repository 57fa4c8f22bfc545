//! What a statement is given and gives, in the widest form that any version of the interface has.

use tokio_postgres::types::Type;

use crate::calendar::{Date, DateTime, Time};

/// A value of a row or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Floating32(f32),
    Floating64(f64),
    Str(String),
    Binary(Vec<u8>),
    Date(Date),
    Time(Time),
    Datetime(DateTime),
    /// Seconds since 1970; a parameter alone.
    Timestamp(i64),
    Uuid(String),
    Jsonb(Vec<u8>),
    Decimal(String),
    RangeInt32(Range<i32>),
    RangeInt64(Range<i64>),
    RangeDecimal(Range<String>),
    ArrayInt32(Vec<Option<i32>>),
    ArrayInt64(Vec<Option<i64>>),
    ArrayDecimal(Vec<Option<String>>),
    ArrayStr(Vec<Option<String>>),
    Interval(Interval),
    /// Of a type that PostgreSQL does not have; a parameter alone, which is refused.
    Unsigned,
    /// Of a type that the interface does not know, as the server sent it.
    Unsupported(Vec<u8>),
}

/// From where to where; `None` is without end.
pub(crate) type Range<T> = (Option<(T, Bound)>, Option<(T, Bound)>);

/// Whether the end of a range belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Inclusive,
    Exclusive,
}

/// A length of time. Months and days have no fixed length, so they are not microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) micros: i64,
    pub(crate) days: i32,
    pub(crate) months: i32,
}

/// The values of one row, in the order of the columns.
pub(crate) type Row = Vec<Value>;

/// A column of a result.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The kind of a column's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Int16,
    Int32,
    Int64,
    Floating32,
    Floating64,
    Str,
    Binary,
    Date,
    Time,
    Datetime,
    Uuid,
    Jsonb,
    Decimal,
    RangeInt32,
    RangeInt64,
    RangeDecimal,
    ArrayInt32,
    ArrayInt64,
    ArrayDecimal,
    ArrayStr,
    Interval,
    /// Its name.
    Other(String),
}

impl Kind {
    pub(crate) fn of(kind: &Type) -> Self {
        match *kind {
            Type::BOOL => Self::Boolean,
            Type::INT2 => Self::Int16,
            Type::INT4 => Self::Int32,
            Type::INT8 => Self::Int64,
            Type::FLOAT4 => Self::Floating32,
            Type::FLOAT8 => Self::Floating64,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => Self::Str,
            Type::BYTEA => Self::Binary,
            Type::DATE => Self::Date,
            Type::TIME => Self::Time,
            Type::TIMESTAMP | Type::TIMESTAMPTZ => Self::Datetime,
            Type::UUID => Self::Uuid,
            Type::JSONB => Self::Jsonb,
            Type::NUMERIC => Self::Decimal,
            Type::INT4_RANGE => Self::RangeInt32,
            Type::INT8_RANGE => Self::RangeInt64,
            Type::NUM_RANGE => Self::RangeDecimal,
            Type::INT4_ARRAY => Self::ArrayInt32,
            Type::INT8_ARRAY => Self::ArrayInt64,
            Type::NUMERIC_ARRAY => Self::ArrayDecimal,
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => Self::ArrayStr,
            Type::INTERVAL => Self::Interval,
            _ => Self::Other(kind.name().to_owned()),
        }
    }
}

impl Value {
    /// What it costs the host: its place in a row, and its content.
    pub(crate) fn bytes(&self) -> u64 {
        let bound = |bound: &Option<(String, Bound)>| bound.as_ref().map_or(0, |(text, _)| text.len());
        let texts = |texts: &[Option<String>]| {
            let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            size_of_val(texts) + texts.iter().map(text).sum::<usize>()
        };
        let content = match self {
            Self::Str(text) | Self::Uuid(text) | Self::Decimal(text) => text.len(),
            Self::Binary(bytes) | Self::Jsonb(bytes) | Self::Unsupported(bytes) => bytes.len(),
            Self::RangeDecimal((lower, upper)) => bound(lower) + bound(upper),
            Self::ArrayInt32(numbers) => size_of_val(numbers.as_slice()),
            Self::ArrayInt64(numbers) => size_of_val(numbers.as_slice()),
            Self::ArrayDecimal(all) | Self::ArrayStr(all) => texts(all),
            _ => 0,
        };
        (size_of::<Self>() + content) as u64
    }
}

/// What a row costs the host.
pub(crate) fn row_bytes(row: &[Value]) -> u64 {
    size_of::<Row>() as u64 + row.iter().map(Value::bytes).sum::<u64>()
}
