//! `spin:sqlite/sqlite@3.1.0`: as 3.0.0, and the same calls with promises; rows come as a stream.

use tombolo_capability::{Guest, Parts};
use wasmtime::component::{Accessor, FutureReader, StreamReader};

use crate::HasSqlite;
use crate::interfaces::{Called, Handle, calls, types};
use crate::refusal::Refusal;
use crate::statement::{Answer, Delivery};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:sqlite31; world imports { import spin:sqlite/sqlite@3.1.0; }",
        path: ["../../wit/spin-sqlite@3.1.0"],
        world: "tombolo:sqlite31/imports",
        imports: { default: async | trappable },
        with: { "spin:sqlite/sqlite.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::spin::sqlite::sqlite;
use sqlite::{Error, RowResult, Value};

types!(sqlite);
calls!(sqlite;
    async fn last_insert_rowid(&mut self, connection: Handle) -> wasmtime::Result<i64> {
        Ok(self.connection(&connection)?.changes().last_insert_rowid())
    }
    async fn changes(&mut self, connection: Handle) -> wasmtime::Result<u64> {
        Ok(self.connection(&connection)?.changes().rows())
    }
);

/// Columns, rows, and how the rows ended.
type Streamed = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl sqlite::HostConnectionWithStore<Guest> for HasSqlite {
    async fn open_async(accessor: &Accessor<Guest, Self>, database: String) -> Called<Handle, Error> {
        Ok(accessor.with(|mut access| access.get().open(&database)).map_err(Into::into))
    }

    async fn execute_async(
        accessor: &Accessor<Guest, Self>,
        connection: Handle,
        statement: String,
        parameters: Vec<Value>,
    ) -> Called<Streamed, Error> {
        // Taken out, so that waiting for the disk holds nothing of the guest.
        let (connection, account) = accessor.with(|mut access| {
            let host = access.get();
            wasmtime::error::Ok((host.connection(&connection)?, host.account))
        })?;
        let parameters = parameters.into_iter().map(Into::into).collect();
        let (answer, stop) =
            match connection.execute(account, statement, parameters, Delivery::Streamed).await {
                Ok(answered) => answered,
                Err(refusal) => return Ok(Err(refusal.into())),
            };
        let Answer { columns, first, rest } = answer;
        let parts = Parts {
            first: Some(first),
            rest,
            // Its thread is gone.
            lost: Refusal::InvalidConnection,
            item: RowResult::from,
            // Rows may be read when the guest has let the connection go.
            keeper: (connection, stop),
        };
        let (rows, end) = accessor.with(|access| parts.open(access))?;
        Ok(Ok((columns, rows, end)))
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<Guest, Self>,
        connection: Handle,
    ) -> wasmtime::Result<i64> {
        accessor.with(|mut access| Ok(access.get().connection(&connection)?.changes().last_insert_rowid()))
    }

    async fn changes_async(accessor: &Accessor<Guest, Self>, connection: Handle) -> wasmtime::Result<u64> {
        accessor.with(|mut access| Ok(access.get().connection(&connection)?.changes().rows()))
    }
}
