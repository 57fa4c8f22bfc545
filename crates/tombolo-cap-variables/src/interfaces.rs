//! The interfaces: each has errors of its own that say the same.

use std::sync::Arc;

use tombolo_capability::Guest;
use wasmtime::component::Accessor;

use crate::view::{Charged, Refusal};
use crate::{HasVariables, Host};

mod sync {
    wasmtime::component::bindgen!({
        inline: "package tombolo:vars2; world imports {
            import fermyon:spin/variables@2.0.0;
            import wasi:config/store@0.2.0-draft-2024-09-27;
        }",
        path: ["../../wit/fermyon-spin@2.0.0", "../../wit/wasi-config@0.2.0-draft-2024-09-27"],
        world: "tombolo:vars2/imports",
        imports: { default: async | trappable },
    });
}

mod unversioned {
    wasmtime::component::bindgen!({
        inline: "package tombolo:vars1; world imports { import fermyon:spin/config; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:vars1/imports",
        imports: { default: async | trappable },
    });
}

mod with_promises {
    wasmtime::component::bindgen!({
        inline: "package tombolo:vars3; world imports { import spin:variables/variables@3.0.0; }",
        path: ["../../wit/spin-variables@3.0.0"],
        world: "tombolo:vars3/imports",
        imports: { default: store | trappable },
    });
}

pub(crate) use sync::fermyon::spin::variables as spin2;
pub(crate) use sync::wasi::config::store as config;
pub(crate) use unversioned::fermyon::spin::config as spin1;
pub(crate) use with_promises::spin::variables::variables as spin3;

/// What a call gives: a trap, an error of the interface, or what was asked for.
type Called<T, E> = wasmtime::Result<Result<T, E>>;

impl From<Refusal> for spin1::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidName(reason) => Self::InvalidKey(reason),
            // So does Spin: its word for what is not there came later.
            Refusal::Undefined(reason) | Refusal::Provider(reason) => Self::Provider(reason),
        }
    }
}

macro_rules! error {
    ($interface:ident) => {
        impl From<Refusal> for $interface::Error {
            fn from(refusal: Refusal) -> Self {
                match refusal {
                    Refusal::InvalidName(reason) => Self::InvalidName(reason),
                    Refusal::Undefined(reason) => Self::Undefined(reason),
                    Refusal::Provider(reason) => Self::Provider(reason),
                }
            }
        }
    };
}

error!(spin2);
error!(spin3);

impl Host<'_> {
    async fn value(&self, name: &str) -> Result<Charged<String>, Refusal> {
        self.view.0.get(name, self.memory).await
    }
}

impl spin1::Host for Host<'_> {
    async fn get_config(&mut self, name: String) -> Called<String, spin1::Error> {
        Ok(self.value(&name).await.map(|found| found.value).map_err(Into::into))
    }
}

impl spin2::Host for Host<'_> {
    async fn get(&mut self, name: String) -> Called<String, spin2::Error> {
        Ok(self.value(&name).await.map(|found| found.value).map_err(Into::into))
    }
}

impl config::Host for Host<'_> {
    async fn get(&mut self, name: String) -> Called<Option<String>, config::Error> {
        Ok(match self.value(&name).await {
            Ok(found) => Ok(Some(found.value)),
            Err(Refusal::InvalidName(_) | Refusal::Undefined(_)) => Ok(None),
            Err(Refusal::Provider(reason)) => Err(config::Error::Upstream(reason)),
        })
    }

    async fn get_all(&mut self) -> Called<Vec<(String, String)>, config::Error> {
        Ok(match self.view.0.all(self.memory).await {
            Ok(found) => Ok(found.value),
            Err(Refusal::Provider(reason)) => Err(config::Error::Upstream(reason)),
            Err(Refusal::InvalidName(reason) | Refusal::Undefined(reason)) => Err(config::Error::Io(reason)),
        })
    }
}

impl spin3::Host for Host<'_> {}

impl spin3::HostWithStore<Guest> for HasVariables {
    async fn get(accessor: &Accessor<Guest, Self>, name: String) -> Called<String, spin3::Error> {
        let (granted, memory) = accessor.with(|mut access| {
            let host = access.get();
            (Arc::clone(&host.view.0), host.memory.clone())
        });
        Ok(granted.get(&name, &memory).await.map(|found| found.value).map_err(Into::into))
    }
}
