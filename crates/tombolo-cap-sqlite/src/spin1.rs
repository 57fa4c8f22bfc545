//! `fermyon:spin/sqlite`, without a version, as Spin 1 had it: a connection is a number.

use wasmtime::component::Resource;

use crate::interfaces::{Called, types};
use crate::statement::Delivery;
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:sqlite1; world imports { import fermyon:spin/sqlite; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:sqlite1/imports",
        imports: { default: async | trappable },
    });
}

pub(crate) use generated::fermyon::spin::sqlite;

types!(sqlite);

impl sqlite::Host for Host<'_> {
    async fn open(&mut self, database: String) -> Called<u32, sqlite::Error> {
        Ok(Host::open(self, &database).map(|connection| connection.rep()).map_err(Into::into))
    }

    async fn execute(
        &mut self,
        number: u32,
        statement: String,
        parameters: Vec<sqlite::Value>,
    ) -> Called<sqlite::QueryResult, sqlite::Error> {
        // A number is that of a resource, and a guest may have made it up.
        let Ok(connection) = self.connection(&Resource::new_borrow(number)) else {
            return Ok(Err(sqlite::Error::InvalidConnection));
        };
        let parameters = parameters.into_iter().map(Into::into).collect();
        let answer = connection.execute(self.account.clone(), statement, parameters, Delivery::Whole).await;
        Ok(answer.map(|(answer, _)| answer.into()).map_err(Into::into))
    }

    async fn close(&mut self, number: u32) -> wasmtime::Result<()> {
        // A number of no connection is nothing to close.
        let _ = Host::close(self, Resource::new_own(number));
        Ok(())
    }
}
