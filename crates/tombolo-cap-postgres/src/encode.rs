//! Parameters, in the form that the server takes them in.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::refusal::Refusal;
use crate::value::{Bound, Range, Value};
use crate::{calendar, numeric};

/// A parameter that is ready to be sent; `None` is null.
#[derive(Debug)]
pub(crate) struct Encoded(Option<Vec<u8>>);

impl ToSql for Encoded {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    // What fits was found out before.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Binary
    }

    to_sql_checked!();
}

/// Parameter number `number`, counted from 1, for a place where the statement expects `expected`.
pub(crate) fn encode(number: usize, value: Value, expected: &Type) -> Result<Encoded, Refusal> {
    let mut expected = expected;
    // What a domain is made of is sent as such.
    while let Kind::Domain(base) = expected.kind() {
        expected = base;
    }
    let (kind, fits) = fits(&value, expected);
    if !fits {
        return Err(Refusal::Parameter(format!(
            "parameter ${number} is {kind}, the statement expects {}",
            expected.name()
        )));
    }
    let bytes = match value {
        Value::Null => return Ok(Encoded(None)),
        value => bytes(value, expected),
    };
    match bytes {
        Some(bytes) => Ok(Encoded(Some(bytes))),
        None => Err(Refusal::Parameter(format!("parameter ${number} is no valid {kind}"))),
    }
}

/// The name of a value's kind, and whether it may stand where `expected` is. Nothing is converted: whoever
/// wants that writes a cast into the statement.
fn fits(value: &Value, expected: &Type) -> (&'static str, bool) {
    let is = |types: &[Type]| types.contains(expected);
    match value {
        Value::Null => ("null", true),
        Value::Boolean(_) => ("boolean", is(&[Type::BOOL])),
        Value::Int8(_) => ("int8", is(&[Type::CHAR])),
        Value::Int16(_) => ("int16", is(&[Type::INT2])),
        Value::Int32(_) => ("int32", is(&[Type::INT4])),
        Value::Int64(_) => ("int64", is(&[Type::INT8])),
        Value::Floating32(_) => ("floating32", is(&[Type::FLOAT4])),
        Value::Floating64(_) => ("floating64", is(&[Type::FLOAT8])),
        Value::Str(_) => {
            let texts = [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::UNKNOWN];
            // An enumeration takes its labels, and `citext` is text that compares otherwise.
            let named = matches!(expected.kind(), Kind::Enum(_)) || expected.name() == "citext";
            ("str", is(&texts) || named)
        }
        Value::Binary(_) => ("binary", is(&[Type::BYTEA])),
        Value::Date(_) => ("date", is(&[Type::DATE])),
        Value::Time(_) => ("time", is(&[Type::TIME])),
        Value::Datetime(_) => ("datetime", is(&[Type::TIMESTAMP])),
        Value::Timestamp(_) => ("timestamp", is(&[Type::TIMESTAMPTZ])),
        Value::Uuid(_) => ("uuid", is(&[Type::UUID])),
        Value::Jsonb(_) => ("jsonb", is(&[Type::JSONB, Type::JSON])),
        Value::Decimal(_) => ("decimal", is(&[Type::NUMERIC])),
        Value::RangeInt32(_) => ("range-int32", is(&[Type::INT4_RANGE])),
        Value::RangeInt64(_) => ("range-int64", is(&[Type::INT8_RANGE])),
        Value::RangeDecimal(_) => ("range-decimal", is(&[Type::NUM_RANGE])),
        Value::ArrayInt32(_) => ("array-int32", is(&[Type::INT4_ARRAY])),
        Value::ArrayInt64(_) => ("array-int64", is(&[Type::INT8_ARRAY])),
        Value::ArrayDecimal(_) => ("array-decimal", is(&[Type::NUMERIC_ARRAY])),
        Value::ArrayStr(_) => {
            let texts = [Type::TEXT_ARRAY, Type::VARCHAR_ARRAY, Type::BPCHAR_ARRAY, Type::NAME_ARRAY];
            ("array-str", is(&texts))
        }
        Value::Interval(_) => ("interval", is(&[Type::INTERVAL])),
        Value::Unsigned => ("an unsigned integer", false),
        // No parameter is made of one.
        Value::Unsupported(_) => ("unsupported", false),
    }
}

/// `None` if it is of the right kind and yet no value: the 30th of February.
fn bytes(value: Value, expected: &Type) -> Option<Vec<u8>> {
    Some(match value {
        Value::Null | Value::Unsigned | Value::Unsupported(_) => return None,
        Value::Boolean(value) => vec![value.into()],
        Value::Int8(value) => value.to_be_bytes().into(),
        Value::Int16(value) => value.to_be_bytes().into(),
        Value::Int32(value) => value.to_be_bytes().into(),
        Value::Int64(value) => value.to_be_bytes().into(),
        Value::Floating32(value) => value.to_be_bytes().into(),
        Value::Floating64(value) => value.to_be_bytes().into(),
        Value::Str(text) => text.into_bytes(),
        Value::Binary(bytes) => bytes,
        Value::Date(date) => calendar::date_to_days(date)?.to_be_bytes().into(),
        Value::Time(time) => calendar::time_to_micros(time)?.to_be_bytes().into(),
        Value::Datetime(moment) => calendar::datetime_to_micros(moment)?.to_be_bytes().into(),
        Value::Timestamp(seconds) => calendar::timestamp_to_micros(seconds)?.to_be_bytes().into(),
        Value::Uuid(text) => uuid(&text)?.into(),
        Value::Jsonb(mut text) => {
            if *expected == Type::JSONB {
                // The version of the form; the text itself is checked by the server.
                text.insert(0, 1);
            }
            text
        }
        Value::Decimal(text) => numeric::encode(&text)?,
        Value::RangeInt32(bounds) => range(bounds, |bound| Some(bound.to_be_bytes().into()))?,
        Value::RangeInt64(bounds) => range(bounds, |bound| Some(bound.to_be_bytes().into()))?,
        Value::RangeDecimal(bounds) => range(bounds, |bound| numeric::encode(&bound))?,
        Value::ArrayInt32(all) => array(all, &Type::INT4, |item| Some(item.to_be_bytes().into()))?,
        Value::ArrayInt64(all) => array(all, &Type::INT8, |item| Some(item.to_be_bytes().into()))?,
        Value::ArrayDecimal(all) => array(all, &Type::NUMERIC, |item| numeric::encode(&item))?,
        Value::ArrayStr(all) => {
            let Kind::Array(member) = expected.kind() else { return None };
            array(all, member, |item| Some(item.into_bytes()))?
        }
        Value::Interval(interval) => {
            let mut bytes = Vec::from(interval.micros.to_be_bytes());
            bytes.extend(interval.days.to_be_bytes());
            bytes.extend(interval.months.to_be_bytes());
            bytes
        }
    })
}

/// 32 hexadecimal digits, with or without hyphens and braces.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let mut bytes = [0; 16];
    let mut digits = inside.chars().filter(|letter| *letter != '-').map(|letter| letter.to_digit(16));
    for byte in &mut bytes {
        *byte = u8::try_from(digits.next()?? * 16 + digits.next()??).ok()?;
    }
    digits.next().is_none().then_some(bytes)
}

/// Bits of a range's first byte.
pub(crate) const RANGE_EMPTY: u8 = 0x01;
pub(crate) const RANGE_LOWER_INCLUSIVE: u8 = 0x02;
pub(crate) const RANGE_UPPER_INCLUSIVE: u8 = 0x04;
pub(crate) const RANGE_LOWER_INFINITE: u8 = 0x08;
pub(crate) const RANGE_UPPER_INFINITE: u8 = 0x10;

fn range<T>((lower, upper): Range<T>, encode: impl Fn(T) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut bytes = vec![0];
    let mut bound = |bound: Option<(T, Bound)>, inclusive: u8, infinite: u8| {
        match bound {
            None => bytes[0] |= infinite,
            Some((value, kind)) => {
                if kind == Bound::Inclusive {
                    bytes[0] |= inclusive;
                }
                sized(&mut bytes, Some(encode(value)?))?;
            }
        }
        Some(())
    };
    bound(lower, RANGE_LOWER_INCLUSIVE, RANGE_LOWER_INFINITE)?;
    bound(upper, RANGE_UPPER_INCLUSIVE, RANGE_UPPER_INFINITE)?;
    Some(bytes)
}

fn array<T>(items: Vec<Option<T>>, member: &Type, encode: impl Fn(T) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let dimensions = i32::from(!items.is_empty());
    let has_nulls = i32::from(items.iter().any(Option::is_none));
    let mut bytes = Vec::with_capacity(20 + 8 * items.len());
    bytes.extend(dimensions.to_be_bytes());
    bytes.extend(has_nulls.to_be_bytes());
    bytes.extend(member.oid().to_be_bytes());
    if !items.is_empty() {
        bytes.extend(i32::try_from(items.len()).ok()?.to_be_bytes());
        // The first is number 1.
        bytes.extend(1_i32.to_be_bytes());
    }
    for item in items {
        let item = match item {
            Some(item) => Some(encode(item)?),
            None => None,
        };
        sized(&mut bytes, item)?;
    }
    Some(bytes)
}

/// Bytes behind their number; -1 is null.
fn sized(bytes: &mut Vec<u8>, item: Option<Vec<u8>>) -> Option<()> {
    match item {
        None => bytes.extend((-1_i32).to_be_bytes()),
        Some(item) => {
            bytes.extend(i32::try_from(item.len()).ok()?.to_be_bytes());
            bytes.extend(item);
        }
    }
    Some(())
}
