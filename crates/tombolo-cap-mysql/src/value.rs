//! What a statement is given and gives.

use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::{Value as Sent, from_value_opt};

use crate::refusal::Refusal;

/// A value of a row or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Uint8(u8),
    Uint16(u16),
    Uint32(u32),
    Uint64(u64),
    Floating32(f32),
    Floating64(f64),
    Str(String),
    Binary(Vec<u8>),
    /// Of a type that the interface does not know.
    Unsupported,
}

/// The values of one row, in the order of the columns.
pub(crate) type Row = Vec<Value>;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The kind of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Floating32,
    Floating64,
    Str,
    Binary,
    Other,
}

impl Column {
    pub(crate) fn of(column: &mysql_async::Column) -> Self {
        let unsigned = column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
        let binary = column.flags().contains(ColumnFlags::BINARY_FLAG);
        let either = |is: bool, yes: Kind, no: Kind| if is { yes } else { no };
        let kind = match column.column_type() {
            ColumnType::MYSQL_TYPE_TINY => either(unsigned, Kind::Uint8, Kind::Int8),
            ColumnType::MYSQL_TYPE_SHORT => either(unsigned, Kind::Uint16, Kind::Int16),
            ColumnType::MYSQL_TYPE_LONG | ColumnType::MYSQL_TYPE_INT24 => {
                either(unsigned, Kind::Uint32, Kind::Int32)
            }
            ColumnType::MYSQL_TYPE_LONGLONG => either(unsigned, Kind::Uint64, Kind::Int64),
            ColumnType::MYSQL_TYPE_FLOAT => Kind::Floating32,
            ColumnType::MYSQL_TYPE_DOUBLE => Kind::Floating64,
            ColumnType::MYSQL_TYPE_LONG_BLOB | ColumnType::MYSQL_TYPE_MEDIUM_BLOB => Kind::Binary,
            // A text is a blob with an order of its letters.
            ColumnType::MYSQL_TYPE_BLOB
            | ColumnType::MYSQL_TYPE_STRING
            | ColumnType::MYSQL_TYPE_VAR_STRING => either(binary, Kind::Binary, Kind::Str),
            _ => Kind::Other,
        };
        Self { name: column.name_str().into_owned(), kind }
    }

    /// A value of this column.
    pub(crate) fn read(&self, sent: Sent) -> Result<Value, Refusal> {
        let refuse = |_| {
            Refusal::Conversion(format!(
                "column `{}` has a value that is none of its kind: select it as another",
                self.name
            ))
        };
        if sent == Sent::NULL {
            return Ok(Value::Null);
        }
        Ok(match self.kind {
            Kind::Int8 => Value::Int8(from_value_opt(sent).map_err(refuse)?),
            Kind::Int16 => Value::Int16(from_value_opt(sent).map_err(refuse)?),
            Kind::Int32 => Value::Int32(from_value_opt(sent).map_err(refuse)?),
            Kind::Int64 => Value::Int64(from_value_opt(sent).map_err(refuse)?),
            Kind::Uint8 => Value::Uint8(from_value_opt(sent).map_err(refuse)?),
            Kind::Uint16 => Value::Uint16(from_value_opt(sent).map_err(refuse)?),
            Kind::Uint32 => Value::Uint32(from_value_opt(sent).map_err(refuse)?),
            Kind::Uint64 => Value::Uint64(from_value_opt(sent).map_err(refuse)?),
            Kind::Floating32 => Value::Floating32(from_value_opt(sent).map_err(refuse)?),
            Kind::Floating64 => Value::Floating64(from_value_opt(sent).map_err(refuse)?),
            Kind::Str => Value::Str(from_value_opt(sent).map_err(refuse)?),
            Kind::Binary => Value::Binary(from_value_opt(sent).map_err(refuse)?),
            Kind::Other => Value::Unsupported,
        })
    }
}

impl Value {
    /// What it costs the host: its place in a row, and its content.
    pub(crate) fn bytes(&self) -> u64 {
        let content = match self {
            Self::Str(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        (size_of::<Self>() + content) as u64
    }
}

impl From<Value> for Sent {
    fn from(value: Value) -> Self {
        match value {
            Value::Null | Value::Unsupported => Self::NULL,
            Value::Boolean(value) => value.into(),
            Value::Int8(value) => value.into(),
            Value::Int16(value) => value.into(),
            Value::Int32(value) => value.into(),
            Value::Int64(value) => value.into(),
            Value::Uint8(value) => value.into(),
            Value::Uint16(value) => value.into(),
            Value::Uint32(value) => value.into(),
            Value::Uint64(value) => value.into(),
            Value::Floating32(value) => value.into(),
            Value::Floating64(value) => value.into(),
            Value::Str(value) => value.into(),
            Value::Binary(value) => value.into(),
        }
    }
}
