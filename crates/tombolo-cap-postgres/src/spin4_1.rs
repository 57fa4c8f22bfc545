//! `spin:postgres/postgres@4.1.0`: as 4.0.0, and whom a connection trusts.

use wasmtime::component::Resource;

use crate::interfaces::{Called, Handle, builder, calls, types_4};
use crate::view::{Builder, Host};

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:postgres41; world imports { import spin:postgres/postgres@4.1.0; }",
        path: ["../../wit/spin-postgres@4.1.0"],
        world: "tombolo:postgres41/imports",
        imports: { default: async | trappable },
        with: {
            "spin:postgres/postgres.connection": crate::view::OpenConnection,
            "spin:postgres/postgres.connection-builder": crate::view::Builder,
        },
    });
}

pub(crate) use generated::spin::postgres::postgres;

types_4!(postgres);
builder!(postgres);
calls!(postgres, postgres);
