//! The data of one instance.

use std::any::Any;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::capability::Grants;
use crate::memory::MemoryBudget;

/// What an instance is made of besides its own memory. Dropping it closes everything it opened.
pub struct Guest {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Box<dyn WasiHttpHooks>,
    table: ResourceTable,
    memory: MemoryBudget,
    grants: Arc<Grants>,
    /// Views opened so far: few, so a list beats a map.
    views: Vec<Box<dyn Any + Send>>,
}

/// What a [`Guest`] starts from.
pub struct GuestParts {
    /// Environment, arguments, directories, sockets, standard streams.
    pub wasi: WasiCtx,
    /// Where requests of the guest go, and which are refused.
    pub outbound: Box<dyn WasiHttpHooks>,
    /// Its bound on memory.
    pub memory: MemoryBudget,
    /// What its component was granted.
    pub grants: Arc<Grants>,
}

impl Guest {
    /// A guest that has opened nothing yet.
    pub fn new(parts: GuestParts) -> Self {
        let GuestParts { wasi, outbound, memory, grants } = parts;
        let table = ResourceTable::new();
        Self { wasi, http: WasiHttpCtx::new(), outbound, table, memory, grants, views: Vec::new() }
    }

    /// The view of type `V`, opened if this is the first call for it, and the resources beside it.
    pub fn view<V: Any + Send>(&mut self) -> (&mut V, &mut ResourceTable) {
        let open = self.views.iter().position(|view| view.is::<V>());
        let index = open.unwrap_or_else(|| {
            let view = self.grants.open::<V>();
            self.views.push(view.expect("who linked the interface is in the list of capabilities"));
            self.views.len() - 1
        });
        let view = self.views[index].downcast_mut().expect("found, or opened, by this type");
        (view, &mut self.table)
    }

    /// The bound on the memory of the instance, and its use.
    pub fn memory(&mut self) -> &mut MemoryBudget {
        &mut self.memory
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut *self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}
