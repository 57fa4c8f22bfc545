//! What one instance sees of PostgreSQL, and the operations all interfaces share.

use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tombolo_capability::{HeldMemory, HostMemory, Meter};
use tombolo_egress::tls;
use wasmtime::component::{Resource, ResourceTable};

use crate::address::Address;
use crate::refusal::Refusal;
use crate::session::Session;
use crate::{Granted, link};

/// PostgreSQL as one instance has it.
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

/// A connection that is to be made, as a resource of the guest.
#[expect(unreachable_pub, reason = "bindgen re-exports it, and only a public type can be")]
pub struct Builder {
    address: Result<(String, HeldMemory), Refusal>,
    roots: Option<(String, HeldMemory)>,
}

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
    roots: Option<String>,
}

/// Bytes of an address.
const ADDRESS_BYTES_MAX: usize = 8 << 10;
/// Bytes of the certificates that a connection trusts.
const ROOTS_BYTES_MAX: usize = 256 << 10;

impl Wish {
    /// Connects, or takes a connection that waits.
    pub(crate) async fn open(self) -> Result<OpenConnection, Refusal> {
        let Self { granted, account, address: text, roots } = self;
        // A connection that waits for the next guest is known by both.
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(Refusal::Connection("invalid address: it is too long".to_owned()));
        }
        if roots.as_ref().is_some_and(|roots| roots.len() > ROOTS_BYTES_MAX) {
            let reason = format!("invalid root certificate: more than {ROOTS_BYTES_MAX} bytes");
            return Err(Refusal::Other(reason));
        }
        let address = Address::parse(&text)?;
        address.check(&granted.egress)?;
        let trust: Option<Arc<ClientConfig>> = match &roots {
            None => None,
            Some(roots) => Some(tls::with_roots(roots.as_bytes()).map_err(|error| not_trusted(&error))?),
        };
        let key: Arc<str> = match roots {
            None => text.into(),
            // No address has a zero in it.
            Some(roots) => format!("{text}\0{roots}").into(),
        };
        let held = hold(&account.memory, &key)?;
        let opened = match granted.idle.take_soon(&key).await {
            Some(waiting) => waiting,
            None => link::open(&granted.egress, &address, trust.as_ref(), &account.meter).await?,
        };
        Ok(OpenConnection(Arc::new(Session::new(opened, Arc::clone(&granted.idle), key, held))))
    }
}

fn hold(memory: &HostMemory, text: &str) -> Result<HeldMemory, Refusal> {
    let held = memory.take(text.len() as u64);
    held.map_err(|error| Refusal::Other(format!("it is too large: {error} (`memory_mib_max`)")))
}

fn not_trusted(error: &tls::RootError) -> Refusal {
    Refusal::Other(format!("invalid root certificate: {error}"))
}

impl Host<'_> {
    /// What `address` asks for.
    pub(crate) fn wish(&self, address: String) -> Wish {
        let (granted, account) = (Arc::clone(&self.view.granted), self.account.clone());
        Wish { granted, account, address, roots: None }
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

    /// A connection that is to be made. What is wrong with its address is said when it is built.
    pub(crate) fn build(&mut self, address: String) -> wasmtime::Result<Resource<Builder>> {
        let address = hold(&self.account.memory, &address).map(|held| (address, held));
        Ok(self.table.push(Builder { address, roots: None })?)
    }

    /// Trusts a certificate besides those that everybody trusts.
    pub(crate) fn trust(
        &mut self,
        builder: &Resource<Builder>,
        roots: String,
    ) -> wasmtime::Result<Result<(), Refusal>> {
        let builder = self.table.get_mut(builder)?;
        let read = tls::with_roots(roots.as_bytes()).map_err(|error| not_trusted(&error));
        let held = read.and_then(|_| hold(&self.account.memory, &roots));
        Ok(held.map(|held| builder.roots = Some((roots, held))))
    }

    /// What a builder asks for.
    pub(crate) fn wish_of(&self, builder: &Resource<Builder>) -> wasmtime::Result<Result<Wish, Refusal>> {
        let Builder { address, roots } = self.table.get(builder)?;
        Ok(address.as_ref().map_err(Clone::clone).map(|(address, _)| Wish {
            roots: roots.as_ref().map(|(roots, _)| roots.clone()),
            ..self.wish(address.clone())
        }))
    }

    pub(crate) fn forget(&mut self, builder: Resource<Builder>) -> wasmtime::Result<()> {
        self.table.delete(builder)?;
        Ok(())
    }
}
