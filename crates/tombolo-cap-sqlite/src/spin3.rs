//! `spin:sqlite/sqlite@3.0.0`: as 2.0.0, and what the last change was.

use crate::interfaces::{Called, Handle, calls, types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:sqlite3; world imports { import spin:sqlite/sqlite@3.0.0; }",
        path: ["../../wit/spin-sqlite@3.0.0"],
        world: "tombolo:sqlite3/imports",
        imports: { default: async | trappable },
        with: { "spin:sqlite/sqlite.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::spin::sqlite::sqlite;

types!(sqlite);
calls!(sqlite;
    async fn last_insert_rowid(&mut self, connection: Handle) -> wasmtime::Result<i64> {
        Ok(self.connection(&connection)?.changes().last_insert_rowid())
    }
    async fn changes(&mut self, connection: Handle) -> wasmtime::Result<u64> {
        Ok(self.connection(&connection)?.changes().rows())
    }
);
