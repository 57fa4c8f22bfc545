//! `spin:sqlite/sqlite@3.1.0`: as 3.0.0, and the same calls with promises; rows come as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};
use tombolo_capability::{Guest, HeldMemory};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, StreamProducer, StreamReader, StreamResult, VecBuffer,
};

use crate::HasSqlite;
use crate::interfaces::{Called, Handle, calls, types};
use crate::refusal::Refusal;
use crate::statement::{Answer, Delivery, Part};
use crate::view::{Host, OpenConnection, StopWhenDropped};

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
        let (ended, end) = oneshot::channel();
        let done = first.end.clone();
        let mut rows = Rows {
            next: Some(first),
            rest,
            lent: None,
            ended: Some(ended),
            _connection: connection,
            _stop: stop,
        };
        // Who asks only how it ended reads no rows.
        if let Some(result) = done {
            rows.end(result);
        }
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, rows)?;
            // Rows were dropped before their end: who stopped reading has nothing to learn.
            let end =
                FutureReader::new(&mut access, async { wasmtime::error::Ok(end.await.unwrap_or(Ok(()))) })?;
            Ok(Ok((columns, rows, end)))
        })
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

/// Rows on their way to the guest, part by part as it reads them.
struct Rows {
    next: Option<Part>,
    rest: Option<mpsc::Receiver<Part>>,
    /// What the rows take that the guest has not read yet.
    lent: Option<HeldMemory>,
    /// Taken when the end is told.
    ended: Option<oneshot::Sender<Result<(), Error>>>,
    /// Rows may be read when the guest has let the connection go.
    _connection: OpenConnection,
    _stop: StopWhenDropped,
}

impl Rows {
    fn end(&mut self, result: Result<(), Refusal>) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(result.map_err(Into::into));
        }
    }

    /// The next part: the first, one that has come, or none for now.
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Part>> {
        match (self.next.take(), &mut self.rest) {
            (Some(part), _) => Poll::Ready(Some(part)),
            (None, Some(rest)) => rest.poll_recv(context),
            (None, None) => Poll::Ready(None),
        }
    }
}

impl<D> StreamProducer<D> for Rows {
    type Item = RowResult;
    type Buffer = VecBuffer<RowResult>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, RowResult, VecBuffer<RowResult>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let part = match self.poll_part(context) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(part) => part,
        };
        let Some(part) = part else {
            // Its thread is gone.
            self.end(Err(Refusal::InvalidConnection));
            return Poll::Ready(Ok(StreamResult::Dropped));
        };
        if destination.remaining(&mut store) == Some(0) && part.end.is_none() {
            // A read of nothing asks whether there is something.
            self.next = Some(part);
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let Part { rows, end, held } = part;
        // What was lent before was taken, or this would not be asked.
        self.lent = Some(held);
        destination.set_buffer(rows.into_iter().map(Into::into).collect::<Vec<RowResult>>().into());
        match end {
            None => Poll::Ready(Ok(StreamResult::Completed)),
            Some(result) => {
                self.end(result);
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}
