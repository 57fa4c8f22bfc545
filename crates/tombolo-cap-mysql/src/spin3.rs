//! `spin:mysql/mysql@3.0.0`: as 2.0.0 with promises; rows come as a stream.

use std::sync::Arc;

use tombolo_capability::{Guest, HostMemory, Parts};
use wasmtime::component::{Accessor, FutureReader, StreamReader};

use crate::HasMysql;
use crate::interfaces::{Called, Handle, types};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::value::{self, Value};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:mysql3; world imports { import spin:mysql/mysql@3.0.0; }",
        path: ["../../wit/spin-mysql@3.0.0"],
        world: "tombolo:mysql3/imports",
        imports: { default: async | trappable },
        with: {
            "spin:mysql/mysql.connection": crate::view::OpenConnection,
        },
    });
}

pub(crate) use generated::spin::mysql::mysql;
use mysql::{Column, DbValue, Error, ParameterValue};

types!(mysql, mysql::Error, Other);

impl mysql::Host for Host<'_> {}

impl mysql::HostConnection for Host<'_> {
    async fn drop(&mut self, connection: Handle) -> wasmtime::Result<()> {
        self.close(connection)
    }
}

type Row = Vec<DbValue>;

/// Columns, rows, and how the rows ended.
type Streamed = (Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>);

/// A connection and what is charged for its statements: taken from the guest, so that waiting for the server holds
/// nothing of it.
fn session(
    accessor: &Accessor<Guest, HasMysql>,
    connection: &Handle,
) -> wasmtime::Result<(Arc<Session>, HostMemory)> {
    accessor.with(|mut access| {
        let host = access.get();
        Ok((host.connection(connection)?.0, host.account.memory))
    })
}

impl mysql::HostConnectionWithStore<Guest> for HasMysql {
    async fn open(accessor: &Accessor<Guest, Self>, address: String) -> Called<Handle, Error> {
        let wish = accessor.with(|mut access| access.get().wish(address));
        let push = |connection| accessor.with(|mut access| access.get().push(connection));
        Ok(wish.open().await.and_then(push).map_err(Into::into))
    }

    async fn execute(
        accessor: &Accessor<Guest, Self>,
        connection: Handle,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<(), Error> {
        let (session, memory) = session(accessor, &connection)?;
        let parameters = parameters.into_iter().map(Value::from).collect();
        Ok(session.execute(&memory, statement, parameters).await.map_err(Into::into))
    }

    async fn query(
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
