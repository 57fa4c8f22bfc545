//! PostgreSQL for guests: `fermyon:spin/postgres` without a version and as of 2.0.0, and `spin:postgres/postgres@3.0.0` to `@4.2.0`.
//!
//! A guest opens a connection by address, which must be granted. The connection is its own until it lets it go,
//! with transaction, settings and temporary tables: then it is cleaned and waits for the next of its component,
//! or is closed.
//!
//! Read in this order: [`address`], [`view`] (what a guest has), [`link`] (a connection), [`session`] (statements
//! on it), [`rows`], [`tap`], [`value`] with [`encode`] and [`decode`].

mod address;
mod calendar;
mod decode;
mod encode;
mod interfaces;
mod link;
mod numeric;
mod refusal;
mod rows;
mod session;
mod spin1;
mod spin2;
mod spin3;
mod spin4;
mod spin4_1;
mod spin4_2;
mod tap;
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

/// Connections to PostgreSQL servers.
#[derive(Clone, Copy, Debug)]
pub struct Postgres;

/// What one component was granted: wherever its `allowed_outbound_hosts` lead.
pub struct Granted {
    egress: Arc<Egress>,
    idle: Arc<Idle<Link>>,
}

/// What the interfaces borrow from a guest.
struct HasPostgres;

impl HasData for HasPostgres {
    type Data<'a> = Host<'a>;
}

impl FromGuest for HasPostgres {
    fn from_guest(guest: &mut Guest, access: Access) -> Host<'_> {
        let account = Account { meter: Arc::clone(guest.meter()), memory: guest.memory().host().clone() };
        let (view, table) = guest.view::<View>(access);
        Host { view, table, account }
    }
}

impl Capability for Postgres {
    type Granted = Arc<Granted>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        let all = &[
            "fermyon:spin/rdbms-types",
            "fermyon:spin/postgres",
            "fermyon:spin/rdbms-types@2.0.0",
            "fermyon:spin/postgres@2.0.0",
            "spin:postgres/postgres@3.0.0",
            "spin:postgres/postgres@4.0.0",
            "spin:postgres/postgres@4.1.0",
            "spin:postgres/postgres@4.2.0",
        ];
        match abi {
            // A component that imports 4.2.0 without its promises gets what 4.1.0 has, which is the same.
            Abi::Sync => &all[..7],
            Abi::Async => all,
        }
    }

    fn configuration(&self) -> Configuration {
        Configuration::AllowedOutboundHosts
    }

    fn types(&self) -> &'static [&'static str] {
        &["fermyon:spin/rdbms-types", "fermyon:spin/rdbms-types@2.0.0"]
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host = access.host::<HasPostgres>();
        spin1::rdbms_types::add_to_linker_instance::<_, HasPostgres>(
            &mut access.instance(linker, "fermyon:spin/rdbms-types")?,
            host,
        )?;
        spin1::postgres::add_to_linker_instance::<_, HasPostgres>(
            &mut access.instance(linker, "fermyon:spin/postgres")?,
            host,
        )?;
        spin2::rdbms_types::add_to_linker_instance::<_, HasPostgres>(
            &mut access.instance(linker, "fermyon:spin/rdbms-types@2.0.0")?,
            host,
        )?;
        spin2::postgres::add_to_linker_instance::<_, HasPostgres>(
            &mut access.instance(linker, "fermyon:spin/postgres@2.0.0")?,
            host,
        )?;
        spin3::postgres::add_to_linker_instance::<_, HasPostgres>(
            &mut access.instance(linker, "spin:postgres/postgres@3.0.0")?,
            host,
        )?;
        spin4::postgres::add_to_linker_instance::<_, HasPostgres>(
            &mut access.instance(linker, "spin:postgres/postgres@4.0.0")?,
            host,
        )?;
        spin4_1::postgres::add_to_linker_instance::<_, HasPostgres>(
            &mut access.instance(linker, "spin:postgres/postgres@4.1.0")?,
            host,
        )?;
        if abi == Abi::Async {
            spin4_2::postgres::add_to_linker_instance::<_, HasPostgres>(
                &mut access.instance(linker, "spin:postgres/postgres@4.2.0")?,
                host,
            )?;
        }
        Ok(())
    }

    fn grant(&self, _: &AppName, _: &Component, egress: &Arc<Egress>) -> Result<Self::Granted, GrantError> {
        Ok(Arc::new(Granted { egress: Arc::clone(egress), idle: Idle::of(egress, Protocol::Postgres) }))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View::new(Arc::clone(granted))
    }
}

/// Whether this is an address of a server of PostgreSQL, granted or not. What fuzzing reads addresses with.
pub fn is_address(text: &str) -> bool {
    address::Address::parse(text).is_ok()
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
