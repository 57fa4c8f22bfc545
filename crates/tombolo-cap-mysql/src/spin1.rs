//! `fermyon:spin/mysql`, without a version, as Spin 1 had it: each call names its server.

use crate::interfaces::{Called, types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:mysql1; world imports { import fermyon:spin/mysql; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:mysql1/imports",
        imports: { default: async | trappable },
    });
}

pub(crate) use generated::fermyon::spin::{mysql, rdbms_types};
use mysql::MysqlError;
use rdbms_types::{ParameterValue, RowSet};

types!(rdbms_types, mysql::MysqlError, OtherError);

impl mysql::Host for Host<'_> {
    async fn query(
        &mut self,
        address: String,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<RowSet, MysqlError> {
        let connection = match self.wish(address).open().await {
            Ok(connection) => connection,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let parameters = parameters.into_iter().map(Into::into).collect();
        Ok(match connection.0.query(&self.account.memory, statement, parameters).await {
            Ok((columns, read)) => Ok(RowSet {
                columns: columns.into_iter().map(Into::into).collect(),
                rows: read.rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect(),
            }),
            Err(refusal) => Err(refusal.into()),
        })
    }

    async fn execute(
        &mut self,
        address: String,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<(), MysqlError> {
        let connection = match self.wish(address).open().await {
            Ok(connection) => connection,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let parameters = parameters.into_iter().map(Into::into).collect();
        let done = connection.0.execute(&self.account.memory, statement, parameters).await;
        Ok(done.map_err(Into::into))
    }
}
