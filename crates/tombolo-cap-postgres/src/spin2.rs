//! `fermyon:spin/postgres@2.0.0`, with the types it shares with MySQL.

use crate::interfaces::{Called, Handle, calls, plain_errors, plain_types};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:postgres2; world imports { import fermyon:spin/postgres@2.0.0; }",
        path: ["../../wit/fermyon-spin@2.0.0"],
        world: "tombolo:postgres2/imports",
        imports: { default: async | trappable },
        with: { "fermyon:spin/postgres.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::fermyon::spin::{postgres, rdbms_types};

impl rdbms_types::Host for Host<'_> {}

plain_errors!(rdbms_types::Error, Other);
plain_types!(rdbms_types);
calls!(postgres, rdbms_types);
