//! The rows of a statement, as they come.

use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, Conn, Params, QueryResult};
use tombolo_capability::{HeldMemory, HostMemory, MemoryExceeded};

use crate::refusal::Refusal;
use crate::value::{Column, Row, Value};

/// Why a statement does not go on.
pub(crate) enum Stop {
    /// The server or the client says so.
    Failed(mysql_async::Error),
    /// The result is larger than the memory.
    TooLarge(MemoryExceeded),
    /// There are not so many parameters as the statement expects.
    Parameters { expected: u16, given: usize },
    /// The guest has gone.
    Gone,
}

impl From<mysql_async::Error> for Stop {
    fn from(error: mysql_async::Error) -> Self {
        Self::Failed(error)
    }
}

/// A statement that was executed and whose rows are still to come.
pub(crate) struct Cursor<'a> {
    result: QueryResult<'a, 'static, BinaryProtocol>,
    pub(crate) columns: Vec<Column>,
    memory: HostMemory,
    /// A row that cannot be expressed: those behind it are read, for the sake of the connection, and dropped.
    bad: Option<Refusal>,
}

/// Rows that were read, what they take, and how they ended, if they did.
pub(crate) struct Read {
    pub(crate) rows: Vec<Row>,
    pub(crate) held: HeldMemory,
    pub(crate) end: Option<Result<(), Refusal>>,
}

impl<'a> Cursor<'a> {
    pub(crate) async fn start(
        client: &'a mut Conn,
        sql: &str,
        parameters: Vec<Value>,
        memory: HostMemory,
    ) -> Result<Self, Stop> {
        // Asked here, for the client gives up its connection over it.
        let expected = client.prep(sql).await?.num_params();
        if usize::from(expected) != parameters.len() {
            return Err(Stop::Parameters { expected, given: parameters.len() });
        }
        let parameters = Params::Positional(parameters.into_iter().map(Into::into).collect());
        let result = client.exec_iter(sql, parameters).await?;
        let columns = result.columns_ref().iter().map(Column::of).collect();
        Ok(Self { result, columns, memory, bad: None })
    }

    /// Reads rows until there are `enough`: asked with their number and bytes before each.
    pub(crate) async fn read(&mut self, mut enough: impl FnMut(usize, u64) -> bool) -> Result<Read, Stop> {
        let mut held = self.memory.take(0).map_err(Stop::TooLarge)?;
        let (mut rows, mut bytes) = (Vec::new(), 0);
        loop {
            if enough(rows.len(), bytes) {
                return Ok(Read { rows, held, end: None });
            }
            // Without columns there is no set of rows, and nothing to ask for.
            let found = if self.columns.is_empty() { None } else { self.result.next().await? };
            let Some(row) = found else {
                // A procedure may have more sets; the interface has one.
                self.skip().await?;
                let end = self.bad.take().map_or(Ok(()), Err);
                return Ok(Read { rows, held, end: Some(end) });
            };
            if self.bad.is_some() {
                continue;
            }
            match self.row(row, &mut held)? {
                Ok(row) => {
                    bytes += row.iter().map(Value::bytes).sum::<u64>();
                    rows.push(row);
                }
                Err(refusal) => self.bad = Some(refusal),
            }
        }
    }

    /// Reads whatever is left, and drops it.
    pub(crate) async fn skip(&mut self) -> Result<(), Stop> {
        while !self.result.is_empty() {
            while self.result.next().await?.is_some() {}
        }
        Ok(())
    }

    /// A row is charged twice, for what comes next is its copy in the memory of the guest.
    fn row(&self, row: mysql_async::Row, held: &mut HeldMemory) -> Result<Result<Row, Refusal>, Stop> {
        let mut values = Row::with_capacity(self.columns.len());
        for (column, sent) in self.columns.iter().zip(row.unwrap()) {
            let value = match column.read(sent) {
                Ok(value) => value,
                Err(refusal) => return Ok(Err(refusal)),
            };
            held.grow(2 * value.bytes()).map_err(Stop::TooLarge)?;
            values.push(value);
        }
        Ok(Ok(values))
    }
}
