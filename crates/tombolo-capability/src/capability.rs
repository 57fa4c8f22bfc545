//! The trait of everything a guest can reach.

use std::any::{Any, TypeId};
use std::sync::Arc;

use tombolo_egress::{Egress, EgressConfig};
use tombolo_model::{AppName, Component, Configuration};
use wasmtime::component::Linker;

use crate::access::Access;
use crate::guest::Guest;

/// Which calls an engine's components can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abi {
    /// Calls return when they are done: WASI 0.1 and 0.2.
    Sync,
    /// Calls may also return a promise: the component model's native async, WASI 0.3. An engine
    /// that has it pays for it on every call, so a component that does without gets the other.
    Async,
}

/// One thing a guest may be given, and the only road from a guest to the outside.
pub trait Capability: Send + Sync + 'static {
    /// What one component was granted, checked: in hand, it is a grant that holds.
    type Granted: Send + Sync + 'static;
    /// What one instance works with. It holds its own component's part and nothing else.
    type View: Send + 'static;

    /// The interfaces it provides to components of an ABI, with their versions.
    fn interfaces(&self, abi: Abi) -> &'static [&'static str];

    /// The field of the manifest that grants them: what is composed into a component has them if it inherits that.
    fn configuration(&self) -> Configuration;

    /// Those of the interfaces that are types alone, and need no grant.
    fn types(&self) -> &'static [&'static str] {
        &[]
    }

    /// Adds those interfaces to what a component can import, under the names that `access` gives them
    /// ([`Access::instance`]) and with a view of that access ([`Guest::view`]). Called once per engine and access.
    ///
    /// # Errors
    ///
    /// If the linker has one of them already.
    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()>;

    /// What `component` of `app` was granted; connections to other hosts are made over `egress`. Called once
    /// when the app is prepared, never on the request path.
    ///
    /// # Errors
    ///
    /// If the manifest asks for something there is not.
    fn grant(
        &self,
        app: &AppName,
        component: &Component,
        egress: &Arc<Egress>,
    ) -> Result<Self::Granted, GrantError>;

    /// Opens the view of an instance, on the first call that needs it: on the request path, so it
    /// must neither block nor fail.
    fn open(&self, granted: &Self::Granted) -> Self::View;
}

/// Why a component cannot be granted what its manifest asks for.
#[derive(Debug, thiserror::Error)]
#[error("component `{component}`: {field}: {reason}")]
pub struct GrantError {
    /// Whose grant it is.
    pub component: String,
    /// The field of the manifest that asks.
    pub field: &'static str,
    /// Why not, and what there is instead.
    pub reason: String,
}

/// A [`Capability`] of any type: what a node hands to the runtime as a list.
pub trait AnyCapability: Send + Sync {
    /// See [`Capability::interfaces`].
    fn interfaces(&self, abi: Abi) -> &'static [&'static str];

    /// See [`Capability::configuration`].
    fn configuration(&self) -> Configuration;

    /// See [`Capability::types`].
    fn types(&self) -> &'static [&'static str];

    /// See [`Capability::link`].
    ///
    /// # Errors
    ///
    /// As there.
    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()>;

    /// See [`Capability::grant`]; what is granted can be opened.
    ///
    /// # Errors
    ///
    /// As there.
    fn grant(
        self: Arc<Self>,
        app: &AppName,
        component: &Component,
        egress: &Arc<Egress>,
    ) -> Result<Granted, GrantError>;
}

impl<C: Capability> AnyCapability for C {
    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        Capability::interfaces(self, abi)
    }

    fn configuration(&self) -> Configuration {
        Capability::configuration(self)
    }

    fn types(&self) -> &'static [&'static str] {
        Capability::types(self)
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        Capability::link(self, abi, access, linker)
    }

    fn grant(
        self: Arc<Self>,
        app: &AppName,
        component: &Component,
        egress: &Arc<Egress>,
    ) -> Result<Granted, GrantError> {
        let granted = Capability::grant(&*self, app, component, egress)?;
        let open = move || Box::new(Capability::open(&*self, &granted)) as Box<dyn Any + Send>;
        Ok(Granted { view: TypeId::of::<C::View>(), open: Box::new(open) })
    }
}

/// What one component was granted by one capability.
pub struct Granted {
    view: TypeId,
    open: Box<dyn Fn() -> Box<dyn Any + Send> + Send + Sync>,
}

/// What one component was granted, over all capabilities.
#[derive(Default)]
pub struct Grants {
    granted: Vec<Granted>,
    /// What those parts of it have that inherit nothing: the grants of a component without any.
    denied: Vec<Granted>,
}

impl Grants {
    /// Asks each capability what `component` of `app` was granted.
    ///
    /// # Errors
    ///
    /// The first refusal.
    pub fn of(
        capabilities: &[Arc<dyn AnyCapability>],
        app: &AppName,
        component: &Component,
        egress: &Arc<Egress>,
    ) -> Result<Self, GrantError> {
        let nobody = Component::bare(component.id.clone(), component.source.clone());
        let nowhere = Egress::new(EgressConfig::none());
        let all = |component: &Component, egress: &Arc<Egress>| {
            let grant =
                |capability: &Arc<dyn AnyCapability>| Arc::clone(capability).grant(app, component, egress);
            capabilities.iter().map(grant).collect::<Result<_, _>>()
        };
        Ok(Self { granted: all(component, egress)?, denied: all(&nobody, &nowhere)? })
    }

    /// Opens the view of type `V`; `None` if no capability here has such views.
    pub(crate) fn open<V: Any>(&self, access: Access) -> Option<Box<dyn Any + Send>> {
        let granted = match access {
            Access::Granted => &self.granted,
            Access::Denied => &self.denied,
        };
        let granted = granted.iter().find(|granted| granted.view == TypeId::of::<V>())?;
        Some((granted.open)())
    }
}
