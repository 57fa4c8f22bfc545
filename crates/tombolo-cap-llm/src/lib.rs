//! Large language models for guests: `fermyon:spin/llm@2.0.0`, and without a version as Spin 1 had it.
//!
//! A component names the models it uses in `ai_models`; whoever operates the node names the server that has them.
//! The models themselves are not run here: an answer is that of the server, by Spin's own protocol or by OpenAI's.

mod interfaces;
mod open_ai;
mod server;
mod spin;
mod spin1;
mod spin2;
mod view;

use std::sync::Arc;

use tombolo_capability::{Abi, Access, Capability, FromGuest, GrantError, Guest};
use tombolo_egress::Egress;
use tombolo_model::{AppName, Component, Configuration, LlmCompute};
use wasmtime::component::{HasData, Linker};

use server::Server;
pub use view::View;
use view::{Granted, Host};

/// Large language models, at the server that the operator named.
pub struct Llm(Option<Arc<Server>>);

impl Llm {
    /// The models of that server; without one, every call says so, as with Spin.
    pub fn new(compute: Option<LlmCompute>) -> Self {
        Self(compute.map(|compute| Arc::new(Server::new(compute))))
    }
}

/// What the interface borrows from a guest.
struct HasLlm;

impl HasData for HasLlm {
    type Data<'a> = Host<'a>;
}

impl FromGuest for HasLlm {
    fn from_guest(guest: &mut Guest, access: Access) -> Host<'_> {
        let (view, _, memory) = guest.view_and_memory::<View>(access);
        Host { view, memory }
    }
}

impl Capability for Llm {
    type Granted = Arc<Granted>;
    type View = View;

    fn interfaces(&self, _: Abi) -> &'static [&'static str] {
        &["fermyon:spin/llm@2.0.0", "fermyon:spin/llm"]
    }

    fn configuration(&self) -> Configuration {
        Configuration::AiModels
    }

    fn link(&self, _: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host = access.host::<HasLlm>();
        spin1::llm::add_to_linker_instance::<_, HasLlm>(
            &mut access.instance(linker, "fermyon:spin/llm")?,
            host,
        )?;
        let mut instance = access.instance(linker, "fermyon:spin/llm@2.0.0")?;
        spin2::llm::add_to_linker_instance::<_, HasLlm>(&mut instance, host)
    }

    fn grant(
        &self,
        _: &AppName,
        component: &Component,
        _: &Arc<Egress>,
    ) -> Result<Self::Granted, GrantError> {
        Ok(Arc::new(Granted { models: component.ai_models.clone(), server: self.0.clone() }))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View::new(Arc::clone(granted))
    }
}

#[cfg(test)]
mod tests;
