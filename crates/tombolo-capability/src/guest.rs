//! The data of one instance.

use std::any::Any;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::access::Access;
use crate::allowance::Allowance;
use crate::capability::Grants;
use crate::held::{held_bytes, left};
use crate::memory::{HostMemory, MemoryBudget};
use crate::meter::{Meter, Pace};

/// Bytes of one set of headers or trailers that a guest makes. The public side of a node takes no more
/// from a client either.
const FIELDS_BYTES_MAX: usize = 64 << 10;

/// What an instance is made of besides its own memory. Dropping it closes everything it opened.
pub struct Guest {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Box<dyn WasiHttpHooks>,
    table: ResourceTable,
    memory: MemoryBudget,
    /// What it has together with others.
    allowance: Option<Arc<Allowance>>,
    meter: Arc<Meter>,
    grants: Arc<Grants>,
    /// Views opened so far: few, so a list beats a map.
    views: Vec<(Access, Box<dyn Any + Send>)>,
    /// What parts of a composed component see that inherit nothing; made when one first looks.
    denied: Denied,
}

/// A world with nothing in it.
#[derive(Default)]
struct Denied {
    wasi: Option<Box<WasiCtx>>,
    outbound: Option<Box<dyn WasiHttpHooks>>,
}

/// What a [`Guest`] starts from.
pub struct GuestParts {
    /// Environment, arguments, directories, sockets, standard streams.
    pub wasi: WasiCtx,
    /// Where requests of the guest go, and which are refused.
    pub outbound: Box<dyn WasiHttpHooks>,
    /// Its bound on memory, in bytes.
    pub memory_bytes_max: u64,
    /// What it has together with others; nothing if `None`.
    pub allowance: Option<Arc<Allowance>>,
    /// Resources it may have at once.
    pub handles_max: u32,
    /// What its first request uses is charged to.
    pub meter: Arc<Meter>,
    /// What its component was granted.
    pub grants: Arc<Grants>,
}

impl Guest {
    /// A guest that has opened nothing yet.
    pub fn new(parts: GuestParts) -> Self {
        let GuestParts { wasi, outbound, memory_bytes_max, allowance, handles_max, meter, grants } = parts;
        let memory = MemoryBudget::within(memory_bytes_max, Arc::clone(&meter), allowance.clone());
        let mut table = ResourceTable::new();
        table.set_max_capacity(handles_max as usize);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        Self {
            wasi,
            http,
            outbound,
            table,
            memory,
            allowance,
            meter,
            grants,
            views: Vec::new(),
            denied: Denied::default(),
        }
    }

    /// Begins another request, charged to `meter`, whose own requests go over `outbound`.
    pub fn charge(&mut self, meter: Arc<Meter>, outbound: Box<dyn WasiHttpHooks>) {
        self.memory.charge(Arc::clone(&meter));
        // What it held for its last request is gone.
        let _ = self.memory.hold(held_bytes(&mut self.table));
        self.meter = meter;
        self.outbound = outbound;
        self.denied.outbound = None;
    }

    /// How many resources it has left from its requests so far; `None` if one of them is of a request or
    /// an answer, through which it could still speak to the client of that one.
    pub fn left(&mut self) -> Option<usize> {
        left(&mut self.table)
    }

    /// What its present request uses is charged to this.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Whether and how it may go on, asked at every tick of the engine's clock. Who is heavy gives way.
    ///
    /// # Errors
    ///
    /// If it has had all its time or memory.
    pub fn tick(&mut self) -> wasmtime::Result<Pace> {
        let pace = self.meter.tick()?;
        if let Some(allowance) = &self.allowance {
            allowance.spend(self.meter.charged())?;
        }
        self.memory.hold(held_bytes(&mut self.table))?;
        Ok(pace)
    }

    /// The view of type `V` for whoever has `access`, opened if this is the first call for it, and the resources
    /// beside it.
    pub fn view<V: Any + Send>(&mut self, access: Access) -> (&mut V, &mut ResourceTable) {
        let (view, table, _) = self.view_and_memory(access);
        (view, table)
    }

    /// The same, with what the host takes from for what it holds besides resources.
    pub fn view_and_memory<V: Any + Send>(
        &mut self,
        access: Access,
    ) -> (&mut V, &mut ResourceTable, &HostMemory) {
        let open = self.views.iter().position(|(whose, view)| *whose == access && view.is::<V>());
        let index = open.unwrap_or_else(|| {
            let view = self.grants.open::<V>(access);
            self.views.push((access, view.expect("who linked the interface is in the list of capabilities")));
            self.views.len() - 1
        });
        let view = self.views[index].1.downcast_mut().expect("found, or opened, by this type");
        (view, &mut self.table, self.memory.host())
    }

    /// WASI without environment, arguments, directories and sockets.
    pub fn denied_wasi(&mut self) -> WasiCtxView<'_> {
        let ctx = self.denied.wasi.get_or_insert_with(|| Box::new(WasiCtx::builder().build()));
        WasiCtxView { ctx, table: &mut self.table }
    }

    /// `wasi:http` whose requests go through what `refusing` makes.
    pub fn denied_http(
        &mut self,
        refusing: impl FnOnce(&Arc<Meter>) -> Box<dyn WasiHttpHooks>,
    ) -> WasiHttpCtxView<'_> {
        let hooks = self.denied.outbound.get_or_insert_with(|| refusing(&self.meter));
        WasiHttpCtxView { hooks: &mut **hooks, table: &mut self.table, ctx: &mut self.http }
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
