//! Which interfaces a component finds.

use tombolo_capability::{Abi, Guest};
use tombolo_model::Configuration;
use wasmtime::component::Linker;

use crate::denied::configuration;
use crate::{snapshot, spin1};

/// Adds WASI and `wasi:http` to what components of this ABI can import: every 0.2.x, 0.3.0
/// where there is native async, and where there is none the snapshot that came before 0.2; and requests as Spin 1 had
/// them.
///
/// # Errors
///
/// If the linker has one of them already.
pub fn link(abi: Abi, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    spin1::link(linker)?;
    match abi {
        Abi::Sync => snapshot::link(linker),
        Abi::Async => {
            wasmtime_wasi::p3::add_to_linker(linker)?;
            wasmtime_wasi_http::p3::add_to_linker(linker)
        }
    }
}

/// Whether [`link`] provides the interface a component imports as `name`, with its version.
///
/// Every 0.2.x is the same interface with additions (semantic versioning within 0.2), release
/// candidates are none of them.
pub fn provides(abi: Abi, name: &str) -> bool {
    if let Some(interface) = name.strip_suffix(snapshot::VERSION) {
        return abi == Abi::Sync && snapshot::INTERFACES.contains(&interface);
    }
    let Some((interface, version)) = name.split_once('@') else { return spin1::INTERFACES.contains(&name) };
    if version.contains('-') {
        return false;
    }
    let list = match (abi, version.split('.').collect::<Vec<_>>().as_slice()) {
        (_, ["0", "2", _]) => WASI_0_2,
        (Abi::Async, ["0", "3", _]) => WASI_0_3,
        _ => return false,
    };
    list.contains(&interface)
}

/// Every interface that leads to what needs a grant, without its version, and the field of the manifest for it.
pub fn configured() -> impl Iterator<Item = (&'static str, Configuration)> {
    let all = WASI_0_2.iter().chain(WASI_0_3).chain(snapshot::INTERFACES).chain(spin1::INTERFACES);
    all.filter_map(|interface| Some((*interface, configuration(interface)?)))
}

const WASI_0_2: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

const WASI_0_3: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/types",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:clocks/types",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/client",
    "wasi:http/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/types",
];

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_capability::Access;
    use tombolo_capability::conformance::is_linked;
    use wasmtime::{Config, Engine};

    #[test]
    fn both_abis_link_and_a_second_link_is_refused() {
        for abi in [Abi::Sync, Abi::Async] {
            let mut config = Config::new();
            config.concurrency_support(abi == Abi::Async);
            let mut linker = Linker::new(&Engine::new(&config).unwrap());
            link(abi, &mut linker).unwrap();
            assert!(link(abi, &mut linker).is_err());
        }
    }

    /// The lists above against what is really linked.
    #[test]
    fn the_lists_name_what_is_linked() {
        let mut config = Config::new();
        config.concurrency_support(true);
        let mut linker = Linker::new(&Engine::new(&config).unwrap());
        link(Abi::Async, &mut linker).unwrap();
        let lists = [(WASI_0_2, "0.2.12"), (WASI_0_3, "0.3.0")];
        for (list, version) in lists {
            for interface in list {
                let name = format!("{interface}@{version}");
                // Types alone ask nothing of a linker.
                let is_types = ["wasi:cli/types", "wasi:clocks/types"].contains(interface);
                assert!(is_types || is_linked(&mut linker, &name), "{name} is in the list and not linked");
                assert!(provides(Abi::Async, &name));
            }
        }
        config.concurrency_support(false);
        let mut linker = Linker::new(&Engine::new(&config).unwrap());
        link(Abi::Sync, &mut linker).unwrap();
        for name in spin1::INTERFACES {
            assert!(is_linked(&mut linker, name) && provides(Abi::Sync, name), "{name}");
        }
        for interface in snapshot::INTERFACES {
            let name = format!("{interface}{}", snapshot::VERSION);
            assert!(is_linked(&mut linker, &name) && provides(Abi::Sync, &name), "{name}");
        }
        assert!(!provides(Abi::Sync, "wasi:cli/environment@0.2.0-rc-2023-10-18"));
        assert!(provides(Abi::Sync, "wasi:io/streams@0.2.0"));
        assert!(!provides(Abi::Sync, "wasi:http/types@0.3.0"));
        assert!(!provides(Abi::Async, "wasi:http/types@0.3.0-rc-2026-03-15"));
        assert!(!provides(Abi::Sync, "wasi:nn/tensor@0.2.0"));
    }

    /// What needs a grant is there for those that have none, and nothing else is.
    #[test]
    fn what_needs_a_grant_is_also_linked_without_one() {
        for abi in [Abi::Sync, Abi::Async] {
            let mut config = Config::new();
            config.concurrency_support(abi == Abi::Async);
            let mut linker = Linker::new(&Engine::new(&config).unwrap());
            crate::link_denied(abi, &mut linker).unwrap();
            let (two, three) = (WASI_0_2.iter(), WASI_0_3.iter());
            let names = two.map(|it| (it, "@0.2.0")).chain(three.map(|it| (it, "@0.3.0")));
            let snapshot = snapshot::INTERFACES.iter().map(|it| (it, snapshot::VERSION));
            for (interface, version) in
                names.chain(snapshot).chain(spin1::INTERFACES.iter().map(|it| (it, "")))
            {
                let name = format!("{interface}{version}");
                let is_needed = provides(abi, &name) && crate::configuration(interface).is_some();
                assert_eq!(is_linked(&mut linker, &Access::Denied.name(&name)), is_needed, "{name}");
            }
        }
    }
}
