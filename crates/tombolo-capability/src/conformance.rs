//! What every capability must pass, called from its own tests.

use wasmtime::component::Linker;
use wasmtime::{Config, Engine};

use crate::capability::{Abi, Capability};
use crate::guest::Guest;

/// Checks that a capability provides the interfaces it names.
///
/// # Panics
///
/// If one of them is not there after linking.
pub fn provides_what_it_names(capability: &impl Capability) {
    for abi in [Abi::Sync, Abi::Async] {
        let mut config = Config::new();
        config.concurrency_support(abi == Abi::Async);
        let engine = Engine::new(&config).expect("the host compiles for itself");
        let interfaces = capability.interfaces(abi);
        let mut linker = Linker::<Guest>::new(&engine);
        capability.link(abi, &mut linker).expect("an empty linker takes any interface");
        for interface in interfaces {
            assert!(is_linked(&mut linker, interface), "{interface} is named and not linked");
        }
        assert!(!is_linked(&mut linker, "tombolo:none/such@0.0.0"));
    }
}

/// Whether the linker has something of that name: then it takes nothing else of that name.
pub fn is_linked(linker: &mut Linker<Guest>, name: &str) -> bool {
    linker.root().func_wrap(name, |_, (): ()| Ok(())).is_err()
}
