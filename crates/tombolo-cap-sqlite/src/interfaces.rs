//! What all versions of the interface share: each has types of its own that say the same.

use wasmtime::component::Resource;

use crate::view::OpenConnection;

/// A connection of the guest.
pub(crate) type Handle = Resource<OpenConnection>;

/// What a call gives: a trap, an error of the interface, or what was asked for.
pub(crate) type Called<T, E> = wasmtime::Result<Result<T, E>>;

/// The types of one version, from and to those of [`crate::statement`].
macro_rules! types {
    ($sqlite:ident) => {
        impl From<crate::refusal::Refusal> for $sqlite::Error {
            fn from(refusal: crate::refusal::Refusal) -> Self {
                use crate::refusal::Refusal;
                match refusal {
                    Refusal::NoSuchDatabase => Self::NoSuchDatabase,
                    Refusal::AccessDenied => Self::AccessDenied,
                    Refusal::InvalidConnection => Self::InvalidConnection,
                    Refusal::DatabaseFull => Self::DatabaseFull,
                    Refusal::Io(reason) => Self::Io(reason),
                }
            }
        }

        impl From<crate::value::Value> for $sqlite::Value {
            fn from(value: crate::value::Value) -> Self {
                use crate::value::Value;
                match value {
                    Value::Integer(number) => Self::Integer(number),
                    Value::Real(number) => Self::Real(number),
                    Value::Text(text) => Self::Text(text),
                    Value::Blob(bytes) => Self::Blob(bytes),
                    Value::Null => Self::Null,
                }
            }
        }

        impl From<$sqlite::Value> for crate::value::Value {
            fn from(value: $sqlite::Value) -> Self {
                match value {
                    $sqlite::Value::Integer(number) => Self::Integer(number),
                    $sqlite::Value::Real(number) => Self::Real(number),
                    $sqlite::Value::Text(text) => Self::Text(text),
                    $sqlite::Value::Blob(bytes) => Self::Blob(bytes),
                    $sqlite::Value::Null => Self::Null,
                }
            }
        }

        impl From<crate::value::Row> for $sqlite::RowResult {
            fn from(row: crate::value::Row) -> Self {
                Self { values: row.into_iter().map(Into::into).collect() }
            }
        }

        impl From<crate::statement::Answer> for $sqlite::QueryResult {
            fn from(answer: crate::statement::Answer) -> Self {
                let rows = answer.first.items.into_iter().map(Into::into).collect();
                Self { columns: answer.columns, rows }
            }
        }
    };
}

/// The calls that do not return a promise; `$since` are those that not every version has.
macro_rules! calls {
    ($sqlite:ident; $($since:item)*) => {
        impl $sqlite::Host for Host<'_> {}

        impl $sqlite::HostConnection for Host<'_> {
            async fn open(&mut self, database: String) -> Called<Handle, $sqlite::Error> {
                Ok(Host::open(self, &database).map_err(Into::into))
            }

            async fn execute(
                &mut self,
                connection: Handle,
                statement: String,
                parameters: Vec<$sqlite::Value>,
            ) -> Called<$sqlite::QueryResult, $sqlite::Error> {
                let connection = self.connection(&connection)?;
                let parameters = parameters.into_iter().map(Into::into).collect();
                let account = self.account.clone();
                let whole = crate::statement::Delivery::Whole;
                let answer = connection.execute(account, statement, parameters, whole).await;
                Ok(answer.map(|(answer, _)| answer.into()).map_err(Into::into))
            }

            $($since)*

            async fn drop(&mut self, connection: Handle) -> wasmtime::Result<()> {
                self.close(connection)
            }
        }
    };
}

pub(crate) use {calls, types};
