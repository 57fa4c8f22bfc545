//! What every capability must pass, called from its own tests.

use wasmtime::component::Linker;
use wasmtime::{Config, Engine};

use crate::access::Access;
use crate::capability::{Abi, Capability};
use crate::guest::Guest;

/// Checks that a capability provides the interfaces it names, to those that were granted them and, under the name
/// that says so, to those that were not.
///
/// # Panics
///
/// If one of them is not there after linking, or is there under a name for another access.
pub fn provides_what_it_names(capability: &impl Capability) {
    for abi in [Abi::Sync, Abi::Async] {
        let mut config = Config::new();
        config.concurrency_support(abi == Abi::Async);
        let engine = Engine::new(&config).expect("the host compiles for itself");
        let interfaces = capability.interfaces(abi);
        let types = capability.types();
        for (access, other) in [(Access::Granted, Access::Denied), (Access::Denied, Access::Granted)] {
            let mut linker = Linker::<Guest>::new(&engine);
            capability.link(abi, access, &mut linker).expect("an empty linker takes any interface");
            for interface in interfaces {
                let (name, not) = (access.name(interface), other.name(interface));
                // Types are imported under their own name by everyone.
                let is_needed = access == Access::Granted || !types.contains(interface);
                assert!(is_linked(&mut linker, &name) || !is_needed, "{name} is named and not linked");
                assert!(!is_linked(&mut linker, &not), "{not} is linked for those that have it {access:?}");
            }
            assert!(!is_linked(&mut linker, "tombolo:none/such@0.0.0"));
        }
        for name in types {
            assert!(interfaces.contains(name), "{name} is said to be types, and is no interface");
        }
    }
}

/// Whether the linker has something of that name: then it takes nothing else of that name.
pub fn is_linked(linker: &mut Linker<Guest>, name: &str) -> bool {
    linker.root().func_wrap(name, |_, (): ()| Ok(())).is_err()
}
