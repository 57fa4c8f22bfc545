//! `fermyon:spin/sqlite@2.0.0`.

use crate::interfaces::{Called, Handle, calls, types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:sqlite2; world imports { import fermyon:spin/sqlite@2.0.0; }",
        path: ["../../wit/fermyon-spin@2.0.0"],
        world: "tombolo:sqlite2/imports",
        imports: { default: async | trappable },
        with: { "fermyon:spin/sqlite.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::fermyon::spin::sqlite;

types!(sqlite);
calls!(sqlite;);
