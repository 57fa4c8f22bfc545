//! `fermyon:spin/mysql@2.0.0`, with the types it shares with PostgreSQL.

use crate::interfaces::{Called, Handle, types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:mysql2; world imports { import fermyon:spin/mysql@2.0.0; }",
        path: ["../../wit/fermyon-spin@2.0.0"],
        world: "tombolo:mysql2/imports",
        imports: { default: async | trappable },
        with: { "fermyon:spin/mysql.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::fermyon::spin::{mysql, rdbms_types};
use rdbms_types::{Error, ParameterValue, RowSet};

types!(rdbms_types, rdbms_types::Error, Other);

impl mysql::Host for Host<'_> {}

impl mysql::HostConnection for Host<'_> {
    async fn open(&mut self, address: String) -> Called<Handle, Error> {
        let opened = self.wish(address).open().await;
        Ok(opened.and_then(|connection| self.push(connection)).map_err(Into::into))
    }

    async fn query(
        &mut self,
        connection: Handle,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<RowSet, Error> {
        let session = self.connection(&connection)?.0;
        let parameters = parameters.into_iter().map(Into::into).collect();
        let answer = session.query(&self.account.memory, statement, parameters).await;
        Ok(match answer {
            Ok((columns, read)) => Ok(RowSet {
                columns: columns.into_iter().map(Into::into).collect(),
                rows: read.rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect(),
            }),
            Err(refusal) => Err(refusal.into()),
        })
    }

    async fn execute(
        &mut self,
        connection: Handle,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<(), Error> {
        let session = self.connection(&connection)?.0;
        let parameters = parameters.into_iter().map(Into::into).collect();
        Ok(session.execute(&self.account.memory, statement, parameters).await.map_err(Into::into))
    }

    async fn drop(&mut self, connection: Handle) -> wasmtime::Result<()> {
        self.close(connection)
    }
}
