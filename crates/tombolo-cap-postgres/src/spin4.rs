//! `spin:postgres/postgres@4.0.0`: as 3.0.0, and more types, and errors in parts.

use crate::interfaces::{Called, Handle, calls, types_4};
use crate::view::Host;

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:postgres4; world imports { import spin:postgres/postgres@4.0.0; }",
        path: ["../../wit/spin-postgres@4.0.0"],
        world: "tombolo:postgres4/imports",
        imports: { default: async | trappable },
        with: { "spin:postgres/postgres.connection": crate::view::OpenConnection },
    });
}

pub(crate) use generated::spin::postgres::postgres;

types_4!(postgres);
calls!(postgres, postgres);
