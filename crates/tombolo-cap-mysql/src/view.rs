//! What one instance sees of MySQL, and the operations all interfaces share.

use std::sync::Arc;

use tombolo_capability::{HostMemory, Meter};
use wasmtime::component::{Resource, ResourceTable};

use crate::address::Address;
use crate::refusal::Refusal;
use crate::session::Session;
use crate::{Granted, link};

/// MySQL as one instance has it.
pub struct View {
    granted: Arc<Granted>,
}

impl View {
    pub(crate) fn new(granted: Arc<Granted>) -> Self {
        Self { granted }
    }
}

/// An open connection, as a resource of the guest.
#[expect(unreachable_pub, reason = "bindgen re-exports it, and only a public type can be")]
#[derive(Clone)]
pub struct OpenConnection(pub(crate) Arc<Session>);

/// An instance's view and its resources, borrowed for one call.
pub(crate) struct Host<'a> {
    pub(crate) view: &'a mut View,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) account: Account,
}

/// Whom a statement is charged to.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) meter: Arc<Meter>,
    pub(crate) memory: HostMemory,
}

/// What is asked for when a connection is to be opened, taken from the guest so that it can go on meanwhile.
pub(crate) struct Wish {
    granted: Arc<Granted>,
    account: Account,
    address: String,
}

impl Wish {
    /// Connects, or takes a connection that waits.
    pub(crate) async fn open(self) -> Result<OpenConnection, Refusal> {
        let Self { granted, account, address: text } = self;
        let address = Address::parse(&text)?;
        address.check(&granted.egress)?;
        let held = account.memory.take(text.len() as u64);
        let held = held.map_err(|error| Refusal::Other(format!("the address is too large: {error}")))?;
        let opened = link::open(&granted.egress, &granted.idle, &text, &address, &account.meter).await?;
        let session = Session::new(opened, Arc::clone(&granted.idle), text.into(), held);
        Ok(OpenConnection(Arc::new(session)))
    }
}

impl Host<'_> {
    /// What `address` asks for.
    pub(crate) fn wish(&self, address: String) -> Wish {
        Wish { granted: Arc::clone(&self.view.granted), account: self.account.clone(), address }
    }

    /// Makes an opened connection the guest's.
    pub(crate) fn push(&mut self, connection: OpenConnection) -> Result<Resource<OpenConnection>, Refusal> {
        self.table.push(connection).map_err(|error| Refusal::Connection(error.to_string()))
    }

    /// The connection behind a resource. The guest cannot have made one up: an error is a trap.
    pub(crate) fn connection(&self, resource: &Resource<OpenConnection>) -> wasmtime::Result<OpenConnection> {
        Ok(self.table.get(resource)?.clone())
    }

    pub(crate) fn close(&mut self, resource: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        Ok(())
    }
}
