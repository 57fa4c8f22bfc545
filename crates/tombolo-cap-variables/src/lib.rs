//! The variables of an app: `fermyon:spin/variables@2.0.0`, `spin:variables@3.0.0`, `wasi:config/store@0.2.0-draft-2024-09-27`
//! and, of Spin 1, `fermyon:spin/config`.
//!
//! What is known when the app is read is resolved then; a store of secrets is asked at each call. So a guest can only
//! ask for what its own component was given. An unknown name is an error to Spin's interfaces and `none` to WASI's.

mod interfaces;
mod vault;
mod view;

use std::sync::Arc;

use tombolo_capability::{Abi, Access, Capability, FromGuest, GrantError, Guest, HostMemory};
use tombolo_egress::Egress;
use tombolo_model::{AppName, Component, Configuration};
use wasmtime::component::{HasData, Linker};

use interfaces::{config, spin1, spin2, spin3};
pub use tombolo_remote::AtMost;
pub use vault::{ProviderError, Vault};
pub use view::{Granted, View};

/// The capability, and who is asked for values that are not known.
#[derive(Default)]
pub struct Variables(Arc<[Vault]>);

impl Variables {
    /// Variables whose values some of these have, asked in this order.
    pub fn new(vaults: Vec<Vault>) -> Self {
        Self(vaults.into())
    }
}

struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = Host<'a>;
}

/// An instance's view, borrowed for one call.
struct Host<'a> {
    view: &'a View,
    memory: &'a HostMemory,
}

impl FromGuest for HasVariables {
    fn from_guest(guest: &mut Guest, access: Access) -> Host<'_> {
        let (view, _, memory) = guest.view_and_memory::<View>(access);
        Host { view, memory }
    }
}

impl Capability for Variables {
    type Granted = Arc<Granted>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        let all = &[
            "fermyon:spin/variables@2.0.0",
            "wasi:config/store@0.2.0-draft-2024-09-27",
            "fermyon:spin/config",
            "spin:variables/variables@3.0.0",
        ];
        match abi {
            Abi::Sync => &all[..3],
            Abi::Async => all,
        }
    }

    fn configuration(&self) -> Configuration {
        Configuration::Variables
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host = access.host::<HasVariables>();
        spin1::add_to_linker_instance::<_, HasVariables>(
            &mut access.instance(linker, "fermyon:spin/config")?,
            host,
        )?;
        spin2::add_to_linker_instance::<_, HasVariables>(
            &mut access.instance(linker, "fermyon:spin/variables@2.0.0")?,
            host,
        )?;
        config::add_to_linker_instance::<_, HasVariables>(
            &mut access.instance(linker, "wasi:config/store@0.2.0-draft-2024-09-27")?,
            host,
        )?;
        if abi == Abi::Async {
            spin3::add_to_linker_instance::<_, HasVariables>(
                &mut access.instance(linker, "spin:variables/variables@3.0.0")?,
                host,
            )?;
        }
        Ok(())
    }

    fn grant(
        &self,
        _: &AppName,
        component: &Component,
        _: &Arc<Egress>,
    ) -> Result<Self::Granted, GrantError> {
        Ok(Arc::new(Granted { variables: component.variables.clone(), vaults: Arc::clone(&self.0) }))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View(Arc::clone(granted))
    }
}

#[cfg(test)]
mod tests;
