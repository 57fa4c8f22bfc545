//! The variables of an app: `fermyon:spin/variables@2.0.0`, `spin:variables@3.0.0` and
//! `wasi:config/store@0.2.0-draft-2024-09-27`.
//!
//! Values are resolved when the app is read, so a guest can only ask for what its own component was
//! given. An unknown name is an error to Spin's interfaces and `none` to WASI's.

use std::collections::BTreeMap;
use std::sync::Arc;

use tombolo_capability::{Abi, Access, Capability, GrantError, Guest};
use tombolo_egress::Egress;
use tombolo_model::{AppName, Component, Configuration};
use wasmtime::component::{Accessor, HasData, Linker};

mod sync {
    wasmtime::component::bindgen!({
        inline: "package tombolo:vars2; world imports {
            import fermyon:spin/variables@2.0.0;
            import wasi:config/store@0.2.0-draft-2024-09-27;
        }",
        path: ["../../wit/fermyon-spin@2.0.0", "../../wit/wasi-config@0.2.0-draft-2024-09-27"],
        world: "tombolo:vars2/imports",
        imports: { default: trappable },
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

use sync::fermyon::spin::variables as spin2;
use sync::wasi::config::store as config;
use with_promises::spin::variables::variables as spin3;

/// The capability: it has nothing of its own, every value is in the grant.
pub struct Variables;

/// The variables of one instance, by name.
pub struct View(Arc<BTreeMap<String, String>>);

/// Why there is no value.
enum Refusal {
    InvalidName(String),
    Undefined(String),
}

impl View {
    fn get(&self, name: &str) -> Result<String, Refusal> {
        let valid = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !valid {
            return Err(Refusal::InvalidName(format!("`{name}` is not lower_snake_case")));
        }
        let undefined = || Refusal::Undefined(format!("this component has no variable `{name}`"));
        self.0.get(name).cloned().ok_or_else(undefined)
    }
}

struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = Host<'a>;
}

struct Host<'a>(&'a View);

fn host(guest: &mut Guest, access: Access) -> Host<'_> {
    Host(guest.view::<View>(access).0)
}

impl Capability for Variables {
    type Granted = Arc<BTreeMap<String, String>>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        let all = &[
            "fermyon:spin/variables@2.0.0",
            "wasi:config/store@0.2.0-draft-2024-09-27",
            "spin:variables/variables@3.0.0",
        ];
        match abi {
            Abi::Sync => &all[..2],
            Abi::Async => all,
        }
    }

    fn configuration(&self) -> Configuration {
        Configuration::Variables
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host: fn(&mut Guest) -> Host<'_> = match access {
            Access::Granted => |guest| host(guest, Access::Granted),
            Access::Denied => |guest| host(guest, Access::Denied),
        };
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
        Ok(Arc::new(component.variables.clone()))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View(Arc::clone(granted))
    }
}

impl spin2::Host for Host<'_> {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<String, spin2::Error>> {
        Ok(self.0.get(&name).map_err(|refusal| match refusal {
            Refusal::InvalidName(reason) => spin2::Error::InvalidName(reason),
            Refusal::Undefined(reason) => spin2::Error::Undefined(reason),
        }))
    }
}

impl config::Host for Host<'_> {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, config::Error>> {
        Ok(Ok(self.0.get(&key).ok()))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, config::Error>> {
        let all = self.0.0.iter().map(|(name, value)| (name.clone(), value.clone()));
        Ok(Ok(all.collect()))
    }
}

impl spin3::Host for Host<'_> {}

impl spin3::HostWithStore<Guest> for HasVariables {
    async fn get(
        accessor: &Accessor<Guest, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, spin3::Error>> {
        let value = accessor.with(|mut access| access.get().0.get(&name));
        Ok(value.map_err(|refusal| match refusal {
            Refusal::InvalidName(reason) => spin3::Error::InvalidName(reason),
            Refusal::Undefined(reason) => spin3::Error::Undefined(reason),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_capability::conformance;
    use tombolo_egress::EgressConfig;
    use tombolo_model::Source;

    #[test]
    fn it_provides_what_it_names() {
        conformance::provides_what_it_names(&Variables);
    }

    #[test]
    fn a_component_sees_its_own_variables_only() {
        let component = Component {
            variables: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
            ..Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()))
        };
        let granted = Variables
            .grant(&"shop".parse().unwrap(), &component, &Egress::new(EgressConfig::none()))
            .unwrap();
        let view = Variables.open(&granted);
        assert_eq!(view.get("region").ok().as_deref(), Some("eu"));
        assert!(matches!(view.get("token"), Err(Refusal::Undefined(_))));
        assert!(matches!(view.get("Not-A-Name"), Err(Refusal::InvalidName(_))));
        let mut host = Host(&view);
        assert!(matches!(config::Host::get(&mut host, "token".into()), Ok(Ok(None))));
    }
}
