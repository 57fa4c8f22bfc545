//! `spin:postgres/postgres@3.0.0`: as 2.0.0, and dates and times.

use crate::interfaces::{Called, Handle, calls, plain_errors};
use crate::value::{Column, Kind, Value};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:postgres3; world imports { import spin:postgres/postgres@3.0.0; }",
        path: ["../../wit/spin-postgres@3.0.0"],
        world: "tombolo:postgres3/imports",
        imports: { default: async | trappable },
        with: { "spin:postgres/postgres.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::spin::postgres::postgres;
use postgres::{DbDataType, DbValue, ParameterValue};

plain_errors!(postgres::Error, Other);
calls!(postgres, postgres);

impl From<Value> for DbValue {
    fn from(value: Value) -> Self {
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
            Value::Date(value) => Self::Date(value),
            Value::Time(value) => Self::Time(value),
            Value::Datetime(value) => Self::Datetime(value),
            _ => Self::Unsupported,
        }
    }
}

impl From<ParameterValue> for Value {
    fn from(value: ParameterValue) -> Self {
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
            ParameterValue::Date(value) => Self::Date(value),
            ParameterValue::Time(value) => Self::Time(value),
            ParameterValue::Datetime(value) => Self::Datetime(value),
            ParameterValue::Timestamp(value) => Self::Timestamp(value),
        }
    }
}

impl From<Column> for postgres::Column {
    fn from(column: Column) -> Self {
        let data_type = match column.kind {
            Kind::Boolean => DbDataType::Boolean,
            Kind::Int16 => DbDataType::Int16,
            Kind::Int32 => DbDataType::Int32,
            Kind::Int64 => DbDataType::Int64,
            Kind::Floating32 => DbDataType::Floating32,
            Kind::Floating64 => DbDataType::Floating64,
            Kind::Str => DbDataType::Str,
            Kind::Binary => DbDataType::Binary,
            Kind::Date => DbDataType::Date,
            Kind::Time => DbDataType::Time,
            Kind::Datetime => DbDataType::Datetime,
            _ => DbDataType::Other,
        };
        Self { name: column.name, data_type }
    }
}
