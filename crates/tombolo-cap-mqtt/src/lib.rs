//! MQTT for guests: `fermyon:spin/mqtt@2.0.0` and `spin:mqtt/mqtt@3.0.0`, which publish.
//!
//! A guest opens a connection to an address that it was granted. A connection is one handle's alone and is
//! closed with it: what a broker permits, and whom it takes a client for, is bound to the connection. Publishing
//! returns once the broker has acknowledged what its quality of service promises.

mod address;
mod client;
mod interfaces;
mod spin2;
mod spin3;
mod view;

use std::sync::Arc;

use tombolo_capability::{Abi, Access, Capability, FromGuest, GrantError, Guest};
use tombolo_egress::Egress;
use tombolo_model::{AppName, Component, Configuration};
use wasmtime::component::{HasData, Linker};

pub use view::View;
use view::{Account, Host};

/// MQTT brokers, wherever guests may connect to.
#[derive(Debug)]
pub struct Mqtt;

/// What one component was granted.
pub struct Granted {
    egress: Arc<Egress>,
    /// Bytes one guest sends to other hosts.
    bytes_max: u64,
}

/// What the interfaces borrow from a guest.
struct HasMqtt;

impl HasData for HasMqtt {
    type Data<'a> = Host<'a>;
}

impl FromGuest for HasMqtt {
    fn from_guest(guest: &mut Guest, access: Access) -> Host<'_> {
        let meter = Arc::clone(guest.meter());
        let (view, table, memory) = guest.view_and_memory::<View>(access);
        let account = Account { meter, memory: memory.clone() };
        Host { view, table, account }
    }
}

impl Capability for Mqtt {
    type Granted = Arc<Granted>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        let all = &["fermyon:spin/mqtt@2.0.0", "spin:mqtt/mqtt@3.0.0"];
        match abi {
            Abi::Sync => &all[..1],
            Abi::Async => all,
        }
    }

    fn configuration(&self) -> Configuration {
        Configuration::AllowedOutboundHosts
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host = access.host::<HasMqtt>();
        spin2::mqtt::add_to_linker_instance::<_, HasMqtt>(
            &mut access.instance(linker, "fermyon:spin/mqtt@2.0.0")?,
            host,
        )?;
        if abi == Abi::Async {
            spin3::mqtt::add_to_linker_instance::<_, HasMqtt>(
                &mut access.instance(linker, "spin:mqtt/mqtt@3.0.0")?,
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
        let bytes_max = component.limits.outbound_bytes_max;
        Ok(Arc::new(Granted { egress: Arc::clone(egress), bytes_max }))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View::new(Arc::clone(granted))
    }
}

/// Whether this is an address of a server of MQTT, granted or not. What fuzzing reads addresses with.
pub fn is_address(text: &str) -> bool {
    address::Address::parse(text).is_ok()
}

#[cfg(test)]
mod tests;
