//! Values of rows, from the form that the server sends them in.

use std::cell::Cell;

use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

use crate::encode::{
    RANGE_EMPTY, RANGE_LOWER_INCLUSIVE, RANGE_LOWER_INFINITE, RANGE_UPPER_INCLUSIVE, RANGE_UPPER_INFINITE,
};
use crate::refusal::Refusal;
use crate::value::{Bound, Column, Interval, Kind, Range, Row, Value};
use crate::{calendar, numeric};

/// The bytes of a value; `None` is null.
struct Raw<'row>(Option<&'row [u8]>);

impl<'row> FromSql<'row> for Raw<'row> {
    fn from_sql(_: &Type, raw: &'row [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The values of a row; each is passed to `charge` before the next is made.
pub(crate) fn row(
    columns: &[Column],
    row: &tokio_postgres::Row,
    mut charge: impl FnMut(&Value) -> Result<(), Refusal>,
) -> Result<Row, Refusal> {
    let mut values = Row::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let raw: Raw<'_> = row.try_get(index).map_err(|error| Refusal::Conversion(error.to_string()))?;
        let value = match raw.0 {
            None => Value::Null,
            Some(bytes) => decode(&column.kind, bytes).ok_or_else(|| {
                Refusal::Conversion(format!(
                    "column `{}` has a value that the interface has no form for: select it as text",
                    column.name
                ))
            })?,
        };
        charge(&value)?;
        values.push(value);
    }
    Ok(values)
}

/// Digits of all numbers of an array.
const DIGITS_MAX: u32 = 1 << 20;

/// `None` if the bytes are none of this kind, or a value that the interface cannot express: infinite dates,
/// arrays of arrays.
fn decode(kind: &Kind, mut bytes: &[u8]) -> Option<Value> {
    let input = &mut bytes;
    let value = match kind {
        Kind::Boolean => Value::Boolean(take::<1>(input)? != [0]),
        Kind::Int16 => Value::Int16(i16::from_be_bytes(take(input)?)),
        Kind::Int32 => Value::Int32(i32::from_be_bytes(take(input)?)),
        Kind::Int64 => Value::Int64(i64::from_be_bytes(take(input)?)),
        Kind::Floating32 => Value::Floating32(f32::from_be_bytes(take(input)?)),
        Kind::Floating64 => Value::Floating64(f64::from_be_bytes(take(input)?)),
        Kind::Str => Value::Str(text(rest(input))?),
        Kind::Binary => Value::Binary(rest(input).to_vec()),
        Kind::Date => Value::Date(calendar::date_from_days(i32::from_be_bytes(take(input)?))?),
        Kind::Time => Value::Time(calendar::time_from_micros(i64::from_be_bytes(take(input)?))?),
        Kind::Datetime => Value::Datetime(calendar::datetime_from_micros(i64::from_be_bytes(take(input)?))?),
        Kind::Uuid => Value::Uuid(uuid(take(input)?)),
        Kind::Jsonb => match rest(input).split_first()? {
            (1, text) => Value::Jsonb(text.to_vec()),
            _ => return None,
        },
        Kind::Decimal => Value::Decimal(numeric::decode(rest(input))?),
        Kind::RangeInt32 => Value::RangeInt32(range(input, 0, |bytes| whole(bytes).map(i32::from_be_bytes))?),
        Kind::RangeInt64 => Value::RangeInt64(range(input, 0, |bytes| whole(bytes).map(i64::from_be_bytes))?),
        Kind::RangeDecimal => Value::RangeDecimal(range(input, "0".to_owned(), numeric::decode)?),
        Kind::ArrayInt32 => Value::ArrayInt32(array(input, |bytes| whole(bytes).map(i32::from_be_bytes))?),
        Kind::ArrayInt64 => Value::ArrayInt64(array(input, |bytes| whole(bytes).map(i64::from_be_bytes))?),
        Kind::ArrayDecimal => {
            // Few bytes can be a number of 131,072 digits; of all of them together there are to be no more than this.
            let digits = Cell::new(DIGITS_MAX);
            Value::ArrayDecimal(array(input, |bytes| {
                digits.set(digits.get().checked_sub(numeric::digits(bytes)?)?);
                numeric::decode(bytes)
            })?)
        }
        Kind::ArrayStr => Value::ArrayStr(array(input, text)?),
        Kind::Interval => Value::Interval(Interval {
            micros: i64::from_be_bytes(take(input)?),
            days: i32::from_be_bytes(take(input)?),
            months: i32::from_be_bytes(take(input)?),
        }),
        Kind::Other(_) => Value::Unsupported(rest(input).to_vec()),
    };
    input.is_empty().then_some(value)
}

/// So many bytes from the front.
fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*taken)
}

fn rest<'a>(input: &mut &'a [u8]) -> &'a [u8] {
    std::mem::take(input)
}

fn whole<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn uuid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap_or_default();
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

/// Bytes behind their number; -1 is null.
fn sized<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = i32::from_be_bytes(take(input)?);
    if length == -1 {
        return Some(None);
    }
    let (item, rest) = input.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    Some(Some(item))
}

/// A range that holds nothing begins where it ends, and does not hold that: `zero`.
fn range<T: Clone>(input: &mut &[u8], zero: T, decode: impl Fn(&[u8]) -> Option<T>) -> Option<Range<T>> {
    let [flags] = take(input)?;
    if flags & RANGE_EMPTY != 0 {
        return Some((Some((zero.clone(), Bound::Inclusive)), Some((zero, Bound::Exclusive))));
    }
    let mut bound = |inclusive: u8, infinite: u8| {
        if flags & infinite != 0 {
            return Some(None);
        }
        let kind = if flags & inclusive != 0 { Bound::Inclusive } else { Bound::Exclusive };
        Some(Some((decode(sized(input)??)?, kind)))
    };
    let lower = bound(RANGE_LOWER_INCLUSIVE, RANGE_LOWER_INFINITE)?;
    let upper = bound(RANGE_UPPER_INCLUSIVE, RANGE_UPPER_INFINITE)?;
    Some((lower, upper))
}

fn array<T>(input: &mut &[u8], decode: impl Fn(&[u8]) -> Option<T>) -> Option<Vec<Option<T>>> {
    let dimensions = i32::from_be_bytes(take(input)?);
    let [_has_nulls, _member] = [take::<4>(input)?, take::<4>(input)?];
    let length = match dimensions {
        0 => 0,
        1 => {
            let length = i32::from_be_bytes(take(input)?);
            let _first_number = take::<4>(input)?;
            usize::try_from(length).ok()?
        }
        _ => return None,
    };
    // Each takes four bytes at least: a length that cannot be makes no room for itself.
    let mut items = Vec::with_capacity(length.min(input.len() / 4));
    for _ in 0..length {
        items.push(match sized(input)? {
            Some(bytes) => Some(decode(bytes)?),
            None => None,
        });
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [Kind; 22] = [
        Kind::Boolean,
        Kind::Int16,
        Kind::Int32,
        Kind::Int64,
        Kind::Floating32,
        Kind::Floating64,
        Kind::Str,
        Kind::Binary,
        Kind::Date,
        Kind::Time,
        Kind::Datetime,
        Kind::Uuid,
        Kind::Jsonb,
        Kind::Decimal,
        Kind::RangeInt32,
        Kind::RangeInt64,
        Kind::RangeDecimal,
        Kind::ArrayInt32,
        Kind::ArrayInt64,
        Kind::ArrayDecimal,
        Kind::ArrayStr,
        Kind::Interval,
    ];

    /// A hundred bytes are a number of 131,072 digits, and an array may have many.
    #[test]
    fn an_array_of_numbers_has_so_many_digits_and_no_more() {
        let array = |count: u32, weight: i16| {
            let mut bytes = [1_u32, 0, 1700, count, 1].map(u32::to_be_bytes).concat();
            for _ in 0..count {
                bytes.extend(10_u32.to_be_bytes());
                // One group of 1, so many groups before the point.
                bytes.extend([1_i16, weight, 0, 0, 1].map(i16::to_be_bytes).concat());
            }
            decode(&Kind::ArrayDecimal, &bytes)
        };
        let Some(Value::ArrayDecimal(numbers)) = array(8, 32_767) else { panic!("they fit") };
        assert_eq!(numbers[7].as_ref().unwrap().len(), 131_069);
        assert!(array(9, 32_767).is_none());
        assert!(array(10_000, 0).is_some());
    }

    proptest! {
        /// A server may send anything.
        #[test]
        fn any_bytes_are_a_value_or_refused(
            kind in proptest::sample::select(&KINDS[..]),
            mut bytes in proptest::collection::vec(any::<u8>(), 0..64),
            dimensions in 0..3_u8,
        ) {
            let _ = decode(&kind, &bytes);
            if bytes.len() > 4 {
                bytes[..4].copy_from_slice(&[0, 0, 0, dimensions]);
                let _ = decode(&kind, &bytes);
            }
        }
    }
}
