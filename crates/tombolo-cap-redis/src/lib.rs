//! Redis for guests: `fermyon:spin/redis@2.0.0` and `spin:redis/redis@3.0.0`.
//!
//! A guest opens a connection to an address that it was granted. What it opens is a handle: each command takes
//! a connection from the component's pool and gives it back with its answer, so that a thousand handles need a
//! few connections. A command that may leave something set on a connection, or wait on it, gives the handle one
//! of its own, which nobody else ever uses ([`shared`] says which those are).

mod interfaces;
mod refusal;
mod shared;
mod spin1;
mod spin2;
mod spin3;
mod view;

use std::sync::Arc;

use tombolo_capability::{Abi, Access, Capability, FromGuest, GrantError, Guest};
use tombolo_egress::Egress;
use tombolo_model::{AppName, Component, Configuration};
use tombolo_redis::{Connector, Pool};
use wasmtime::component::{HasData, Linker};

pub use view::View;
use view::{Account, Host};

/// Redis servers, wherever guests may connect to.
#[derive(Debug)]
pub struct Redis;

/// Types alone, which a subscriber of spin-sdk up to 5 imports beside its export.
const TYPES: &str = "fermyon:spin/redis-types";

/// What one component was granted.
pub struct Granted {
    egress: Arc<Egress>,
    pool: Arc<Pool>,
    /// Bytes one guest sends to, or takes from, other hosts.
    bytes_max: u64,
}

/// What the interfaces borrow from a guest.
struct HasRedis;

impl HasData for HasRedis {
    type Data<'a> = Host<'a>;
}

impl FromGuest for HasRedis {
    fn from_guest(guest: &mut Guest, access: Access) -> Host<'_> {
        let account = Account { meter: Arc::clone(guest.meter()), memory: guest.memory().host().clone() };
        let (view, table) = guest.view::<View>(access);
        Host { view, table, account }
    }
}

impl Capability for Redis {
    type Granted = Arc<Granted>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        let all = &["fermyon:spin/redis", "fermyon:spin/redis@2.0.0", TYPES, "spin:redis/redis@3.0.0"];
        match abi {
            Abi::Sync => &all[..3],
            Abi::Async => all,
        }
    }

    fn configuration(&self) -> Configuration {
        Configuration::AllowedOutboundHosts
    }

    fn types(&self) -> &'static [&'static str] {
        &[TYPES]
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host = access.host::<HasRedis>();
        spin1::redis::add_to_linker_instance::<_, HasRedis>(
            &mut access.instance(linker, "fermyon:spin/redis")?,
            host,
        )?;
        spin2::redis::add_to_linker_instance::<_, HasRedis>(
            &mut access.instance(linker, "fermyon:spin/redis@2.0.0")?,
            host,
        )?;
        access.instance(linker, TYPES)?;
        if abi == Abi::Async {
            spin3::redis::add_to_linker_instance::<_, HasRedis>(
                &mut access.instance(linker, "spin:redis/redis@3.0.0")?,
                host,
            )?;
        }
        Ok(())
    }

    fn grant(
        &self,
        _: &AppName,
        component: &Component,
        egress: &Arc<Egress>,
    ) -> Result<Self::Granted, GrantError> {
        let pool = Pool::new(Connector::Guest(Arc::clone(egress)));
        let bytes_max = component.limits.outbound_bytes_max;
        Ok(Arc::new(Granted { egress: Arc::clone(egress), pool, bytes_max }))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View::new(Arc::clone(granted))
    }
}

#[cfg(test)]
mod tests;
