//! `fermyon:spin/postgres`, without a version, as Spin 1 had it: each call names its server. With the types it shares with
//! MySQL.

use crate::interfaces::{Called, plain_errors, plain_types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:postgres1; world imports { import fermyon:spin/postgres; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:postgres1/imports",
        imports: { default: async | trappable },
    });
}

pub(crate) use generated::fermyon::spin::{postgres, rdbms_types};
use postgres::PgError;
use rdbms_types::{ParameterValue, RowSet};

impl rdbms_types::Host for Host<'_> {}

plain_errors!(postgres::PgError, OtherError);
plain_types!(rdbms_types);

impl postgres::Host for Host<'_> {
    async fn query(
        &mut self,
        address: String,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<RowSet, PgError> {
        let connection = match self.wish(address).open().await {
            Ok(connection) => connection,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let parameters = parameters.into_iter().map(Into::into).collect();
        Ok(match connection.0.query(&self.account.memory, statement, parameters).await {
            Ok((columns, rows, _held)) => Ok(RowSet {
                columns: columns.into_iter().map(Into::into).collect(),
                rows: rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect(),
            }),
            Err(refusal) => Err(refusal.into()),
        })
    }

    async fn execute(
        &mut self,
        address: String,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Called<u64, PgError> {
        let connection = match self.wish(address).open().await {
            Ok(connection) => connection,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let parameters = parameters.into_iter().map(Into::into).collect();
        let done = connection.0.execute(&self.account.memory, statement, parameters).await;
        Ok(done.map_err(Into::into))
    }
}
