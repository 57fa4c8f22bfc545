//! `spin:postgres/postgres@4.2.0`: as 4.1.0, and the same calls with promises; rows come as a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tombolo_capability::{Guest, HeldMemory, HostMemory};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, Resource, StreamProducer, StreamReader, StreamResult, VecBuffer,
};

use crate::HasPostgres;
use crate::interfaces::{Called, Handle, builder, calls, types_4};
use crate::refusal::Refusal;
use crate::rows::{self, Part};
use crate::session::Session;
use crate::value::Value;
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
        let (ended, end) = oneshot::channel();
        let mut rows = Rows { next: None, parts, lent: Vec::new(), ended: Some(ended), _session: session };
        // Who asks only how it ended reads no rows.
        if let Ok(first) = rows.parts.try_recv() {
            if let Some(result) = &first.end {
                rows.end(result.clone());
            }
            rows.next = Some(first);
        }
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, rows)?;
            // Rows were dropped before their end: who stopped reading has nothing to learn.
            let end =
                FutureReader::new(&mut access, async { wasmtime::error::Ok(end.await.unwrap_or(Ok(()))) })?;
            Ok(Ok((columns, rows, end)))
        })
    }
}

/// Rows on their way to the guest, part by part as it reads them.
struct Rows {
    next: Option<Part>,
    parts: rows::Rows,
    /// What the rows take that the guest has not read yet.
    lent: Vec<HeldMemory>,
    /// Taken when the end is told.
    ended: Option<oneshot::Sender<Result<(), Error>>>,
    /// Rows may be read when the guest has let the connection go.
    _session: Arc<Session>,
}

impl Rows {
    fn end(&mut self, result: Result<(), Refusal>) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(result.map_err(Into::into));
        }
    }

    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Part>> {
        match self.next.take() {
            Some(part) => Poll::Ready(Some(part)),
            None => self.parts.poll_recv(context),
        }
    }
}

impl<D> StreamProducer<D> for Rows {
    type Item = Row;
    type Buffer = VecBuffer<Row>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Row, VecBuffer<Row>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let part = match self.poll_part(context) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(part) => part,
        };
        let Some(part) = part else {
            // Whoever read them was ended.
            self.end(Err(Refusal::closed("its rows do not come any more")));
            return Poll::Ready(Ok(StreamResult::Dropped));
        };
        if destination.remaining(&mut store) == Some(0) && part.end.is_none() {
            // A read of nothing asks whether there is something.
            self.next = Some(part);
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let Part { rows, end, held } = part;
        // What was lent before was taken, or this would not be asked.
        self.lent = held;
        let rows: Vec<Row> = rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect();
        destination.set_buffer(rows.into());
        match end {
            None => Poll::Ready(Ok(StreamResult::Completed)),
            Some(result) => {
                self.end(result);
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}
