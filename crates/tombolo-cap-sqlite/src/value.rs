//! What a statement is given and gives: SQLite's five kinds of values.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::refusal::Refusal;

/// A value of a row or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
    Null,
}

/// The values of one row, in the order of the columns.
pub(crate) type Row = Vec<Value>;

impl Value {
    /// What it costs the host: its place in a row, and its content.
    pub(crate) fn bytes(&self) -> u64 {
        let content = match self {
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            Self::Integer(_) | Self::Real(_) | Self::Null => 0,
        };
        (size_of::<Self>() + content) as u64
    }

    /// The value of column number `column`, copied.
    pub(crate) fn read(column: usize, value: ValueRef<'_>) -> Result<Self, Refusal> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
            ValueRef::Text(bytes) => Self::Text(String::from_utf8(bytes.to_vec()).map_err(|_| {
                Refusal::Io(format!(
                    "the text in column {column} (counted from 0) is not UTF-8: read it with CAST(… AS BLOB)"
                ))
            })?),
        })
    }
}

/// What a row costs the host.
pub(crate) fn row_bytes(row: &[Value]) -> u64 {
    size_of::<Row>() as u64 + row.iter().map(Value::bytes).sum::<u64>()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
            Self::Null => ValueRef::Null,
        }))
    }
}
