//! Headers and trailers of the snapshot. Its functions have no errors, so what 0.2 refuses is a trap.

use wasmtime::component::Resource;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::HeaderError;
use wasmtime_wasi_http::p2::bindings::http::types::HostFields as _;

use super::Host;
use super::snapshot::http::types;

type Fields = Resource<FieldMap>;

/// Why a header is not one.
fn refused(error: HeaderError) -> wasmtime::Error {
    wasmtime::format_err!("a header was refused: {error}")
}

impl types::HostFields for Host<'_> {
    fn new(&mut self, entries: Vec<(String, Vec<u8>)>) -> wasmtime::Result<Fields> {
        self.0.from_list(entries).map_err(refused)
    }

    fn get(&mut self, fields: Fields, name: String) -> wasmtime::Result<Vec<Vec<u8>>> {
        self.0.get(fields, name)
    }

    fn set(&mut self, fields: Fields, name: String, values: Vec<Vec<u8>>) -> wasmtime::Result<()> {
        self.0.set(fields, name, values).map_err(refused)
    }

    fn delete(&mut self, fields: Fields, name: String) -> wasmtime::Result<()> {
        self.0.delete(fields, name).map_err(refused)
    }

    fn append(&mut self, fields: Fields, name: String, value: Vec<u8>) -> wasmtime::Result<()> {
        self.0.append(fields, name, value).map_err(refused)
    }

    fn entries(&mut self, fields: Fields) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        self.0.entries(fields)
    }

    fn clone(&mut self, fields: Fields) -> wasmtime::Result<Fields> {
        wasmtime_wasi_http::p2::bindings::http::types::HostFields::clone(&mut self.0, fields)
    }

    fn drop(&mut self, fields: Fields) -> wasmtime::Result<()> {
        wasmtime_wasi_http::p2::bindings::http::types::HostFields::drop(&mut self.0, fields)
    }
}
