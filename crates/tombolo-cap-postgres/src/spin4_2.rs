//! `spin:postgres/postgres@4.2.0`: as 4.1.0, and the same calls with promises; rows come as a stream.

use std::sync::Arc;

use tombolo_capability::{Guest, HostMemory, Parts};
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::HasPostgres;
use crate::interfaces::{Called, Handle, builder, calls, types_4};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::value::{self, Value};
use crate::view::{Builder, Host};

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:postgres42; world imports { import spin:postgres/postgres@4.2.0; }",
        path: ["../../wit/spin-postgres@4.2.0"],
        world: "tombolo:postgres42/imports",
        imports: { default: async | trappable },
        with: {
            "spin:postgres/postgres.connection": crate::view::OpenConnection,
            "spin:postgres/postgres.connection-builder": crate::view::Builder,
        },
    });
}

pub(crate) use generated::spin::postgres::postgres;
use postgres::{Column, DbValue, Error, ParameterValue};

types_4!(postgres);
builder!(postgres);
calls!(postgres, postgres);

type Row = Vec<DbValue>;

/// Columns, rows, and how the rows ended.
type Streamed = (Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>);

/// A connection and what is charged for its statements: taken from the guest, so that waiting for the server holds
/// nothing of it.
fn session(
    accessor: &Accessor<Guest, HasPostgres>,
    connection: &Handle,
) -> wasmtime::Result<(Arc<Session>, HostMemory)> {
    accessor.with(|mut access| {
        let host = access.get();
        Ok((host.connection(connection)?.0, host.account.memory))
    })
}

impl postgres::HostConnectionBuilderWithStore<Guest> for HasPostgres {
    async fn build_async(
        accessor: &Accessor<Guest, Self>,
        builder: Resource<Builder>,
    ) -> Called<Handle, Error> {
        let opened = match accessor.with(|mut access| access.get().wish_of(&builder))? {
            Ok(wish) => wish.open().await,
            Err(refusal) => Err(refusal),
        };
        let push = |connection| accessor.with(|mut access| access.get().push(connection));
        Ok(opened.and_then(push).map_err(Into::into))
    }
}

impl postgres::HostConnectionWithStore<Guest> for HasPostgres {
    async fn open_async(accessor: &Accessor<Guest, Self>, address: String) -> Called<Handle, Error> {
        let wish = accessor.with(|mut access| access.get().wish(address));
        let push = |connection| accessor.with(|mut access| access.get().push(connection));
        Ok(wish.open().await.and_then(push).map_err(Into::into))
    }

    async fn execute_async(
        accessor: &Accessor<Guest, Self>,
        connection: Handle,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<u64, Error> {
        let (session, memory) = session(accessor, &connection)?;
        let parameters = parameters.into_iter().map(Value::from).collect();
        Ok(session.execute(&memory, statement, parameters).await.map_err(Into::into))
    }

    async fn query_async(
        accessor: &Accessor<Guest, Self>,
        connection: Handle,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<Streamed, Error> {
        let (session, memory) = session(accessor, &connection)?;
        let parameters = parameters.into_iter().map(Value::from).collect();
        let (columns, parts) = match session.stream(&memory, statement, parameters).await {
            Ok(answer) => answer,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let columns = columns.into_iter().map(Into::into).collect();
        let mut rest = parts;
        let parts = Parts {
            first: rest.try_recv().ok(),
            rest: Some(rest),
            // Whoever read them was ended.
            lost: Refusal::closed("its rows do not come any more"),
            item: |row: value::Row| row.into_iter().map(Into::into).collect(),
            // Rows may be read when the guest has let the connection go.
            keeper: session,
        };
        let (rows, end) = accessor.with(|access| parts.open(access))?;
        Ok(Ok((columns, rows, end)))
    }
}
