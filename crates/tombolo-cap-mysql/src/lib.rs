//! MySQL and MariaDB for guests: `fermyon:spin/mysql@2.0.0` and `spin:mysql/mysql@3.0.0`.
//!
//! A guest opens a connection by address, which must be granted. The connection is its own until it lets it go,
//! with transaction, settings and temporary tables: then it is cleaned and waits for the next of its component,
//! or is closed.
//!
//! Read in this order: [`address`], [`view`] (what a guest has), [`link`] (a connection), [`session`] (statements
//! on it), [`cursor`], [`rows`], [`value`].

mod address;
mod cursor;
mod interfaces;
mod link;
mod refusal;
mod rows;
mod session;
mod spin1;
mod spin2;
mod spin3;
mod value;
mod view;

use std::sync::Arc;

use tombolo_capability::{Abi, Access, Capability, FromGuest, GrantError, Guest};
use tombolo_egress::Egress;
use tombolo_egress::idle::Idle;
use tombolo_model::networking::Protocol;
use tombolo_model::{AppName, Component, Configuration};
use wasmtime::component::{HasData, Linker};

use link::Link;
pub use view::View;
use view::{Account, Host};

/// Connections to MySQL servers.
#[derive(Clone, Copy, Debug)]
pub struct Mysql;

/// What one component was granted: wherever its `allowed_outbound_hosts` lead.
pub struct Granted {
    egress: Arc<Egress>,
    idle: Arc<Idle<Link>>,
}

/// What the interfaces borrow from a guest.
struct HasMysql;

impl HasData for HasMysql {
    type Data<'a> = Host<'a>;
}

impl FromGuest for HasMysql {
    fn from_guest(guest: &mut Guest, access: Access) -> Host<'_> {
        let account = Account { meter: Arc::clone(guest.meter()), memory: guest.memory().host().clone() };
        let (view, table) = guest.view::<View>(access);
        Host { view, table, account }
    }
}

impl Capability for Mysql {
    type Granted = Arc<Granted>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        match abi {
            Abi::Sync => &["fermyon:spin/mysql", "fermyon:spin/mysql@2.0.0"],
            // Every call of the last returns a promise.
            Abi::Async => &["fermyon:spin/mysql", "fermyon:spin/mysql@2.0.0", "spin:mysql/mysql@3.0.0"],
        }
    }

    fn configuration(&self) -> Configuration {
        Configuration::AllowedOutboundHosts
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host = access.host::<HasMysql>();
        // Its types are linked with PostgreSQL's; types alone need not be.
        spin1::mysql::add_to_linker_instance::<_, HasMysql>(
            &mut access.instance(linker, "fermyon:spin/mysql")?,
            host,
        )?;
        spin2::mysql::add_to_linker_instance::<_, HasMysql>(
            &mut access.instance(linker, "fermyon:spin/mysql@2.0.0")?,
            host,
        )?;
        if abi == Abi::Async {
            spin3::mysql::add_to_linker_instance::<_, HasMysql>(
                &mut access.instance(linker, "spin:mysql/mysql@3.0.0")?,
                host,
            )?;
        }
        Ok(())
    }

    fn grant(&self, _: &AppName, _: &Component, egress: &Arc<Egress>) -> Result<Self::Granted, GrantError> {
        Ok(Arc::new(Granted { egress: Arc::clone(egress), idle: Idle::of(egress, Protocol::Mysql) }))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View::new(Arc::clone(granted))
    }
}

/// Whether this is an address of a server of MySQL, granted or not. What fuzzing reads addresses with.
pub fn is_address(text: &str) -> bool {
    address::Address::parse(text).is_ok()
}

#[cfg(test)]
mod tests;
