//! From candidates of WASI to the releases they became.
//!
//! The WIT of 0.3.0's candidate of March 2026 and of the release is the same, word for word, in what the crate `wasip3` has
//! of them (0.6.0 and 0.7.1): one function that was unstable in the candidate, `exit-with-code`, is stable in the release.
//!
//! That of 0.2.0's candidate of November 2023 differs from the release, in what spin-sdk 5.2.0 carries of both, in this:
//! timeouts of requests were called `-ms`, which is renamed as well; sockets had `ipv6-only`, and the trailers of a body could
//! be taken more than once. The linker refuses a component that uses one of the last two, by its name.
//!
//! The snapshot of October 2023 is the release in some of its interfaces, but for names of functions of sockets; the others
//! keep their version and are linked apart.
//!
//! So a component that was built for one of them, as with spin-sdk 6, is one for the release once its names say so. One that
//! has an interface of both, as Python's spin-sdk 5 makes them, gets the candidate's as of a later patch release, where the
//! linker finds the same: a component has each name once.

use std::borrow::Cow;
use std::collections::HashSet;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent, component_utils};
use wasm_encoder::{
    Alias, Component, ComponentAliasSection, ComponentExportSection, ComponentExternName,
    ComponentImportSection, ComponentInstanceSection, ComponentSectionId, ComponentType, InstanceType,
    RawSection,
};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use crate::snapshot;

/// How names of the candidate of 0.3.0 end.
pub const CANDIDATE: &str = "@0.3.0-rc-2026-03-15";
/// How names of the candidate of 0.2.0 end.
pub const NOVEMBER: &str = "@0.2.0-rc-2023-11-10";

/// What of the snapshot of October 2023 is 0.2.0 by another name; the rest is [`crate::snapshot`]'s.
const OCTOBER: &[&str] = &[
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
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
];

/// Whether an interface is of a candidate that is the release by another name.
pub fn is_of_one(name: &str) -> bool {
    let is_october = || name.strip_suffix(snapshot::VERSION).is_some_and(|name| OCTOBER.contains(&name));
    name.starts_with("wasi:") && (name.ends_with(CANDIDATE) || name.ends_with(NOVEMBER) || is_october())
}

/// A component that is not valid.
#[derive(Debug, thiserror::Error)]
#[error("not valid WebAssembly: {reason}")]
pub struct CandidateError {
    reason: String,
}

/// The component with the names of the release in place of its candidate's.
///
/// # Errors
///
/// If it is not valid.
pub fn released(component: &[u8]) -> Result<Vec<u8>, CandidateError> {
    let refuse = |reason: String| CandidateError { reason };
    // What copies it takes it as valid.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator.validate_all(component).map_err(|error| refuse(error.to_string()))?;
    let mut renamer = Renamer::of(component).map_err(|error| refuse(error.to_string()))?;
    let mut made = Component::new();
    let copied = renamer.parse_component(&mut made, Parser::new(0), component);
    copied.map_err(|error| refuse(error.to_string()))?;
    Ok(made.finish())
}

/// A name as the release has it.
fn renamed(name: &str) -> &str {
    if is_of_one(name) {
        return name.split_once("-rc-").map_or(name, |(release, _)| release);
    }
    // Nothing else has these names in any WASI.
    match name {
        "[method]tcp-socket.keep-alive" => "[method]tcp-socket.keep-alive-enabled",
        "[method]tcp-socket.set-keep-alive" => "[method]tcp-socket.set-keep-alive-enabled",
        "[method]tcp-socket.unicast-hop-limit" => "[method]tcp-socket.hop-limit",
        "[method]tcp-socket.set-unicast-hop-limit" => "[method]tcp-socket.set-hop-limit",
        _ => {
            let function = name.strip_suffix("-timeout-ms").and(name.strip_suffix("-ms"));
            function.filter(|_| name.starts_with("[method]request-options.")).unwrap_or(name)
        }
    }
}

/// Copies a component, but for names.
struct Renamer<'a> {
    /// What it imports and exports already, as do the components in it: the name of an argument is that of an import.
    taken: HashSet<&'a str>,
}

impl<'a> Renamer<'a> {
    fn of(component: &'a [u8]) -> wasmparser::Result<Self> {
        let mut taken = HashSet::new();
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::ComponentImportSection(section) => {
                    for import in section {
                        taken.insert(import?.name.name);
                    }
                }
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        taken.insert(export?.name.name);
                    }
                }
                _ => {}
            }
        }
        Ok(Self { taken })
    }

    /// A name as the release has it, or the first patch of the release that is not there.
    fn renamed<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let release = renamed(name);
        match release.rsplit_once(".0") {
            Some((minor, "")) if is_of_one(name) && self.taken.contains(release) => {
                let mut patches = (1_u64..).map(|patch| format!("{minor}.{patch}"));
                let free = patches.find(|name| !self.taken.contains(name.as_str()));
                Cow::Owned(free.expect("a component has fewer names than there are numbers"))
            }
            _ => Cow::Borrowed(release),
        }
    }

    fn extern_name<'n>(&self, name: wasmparser::ComponentExternName<'n>) -> ComponentExternName<'n> {
        ComponentExternName { name: self.renamed(name.name), ..name.into() }
    }
}

type Renamed = Result<(), reencode::Error>;

impl Reencode for Renamer<'_> {
    type Error = Infallible;
}

impl ReencodeComponent for Renamer<'_> {
    /// Core modules have no names of interfaces that anything outside their component sees.
    fn parse_component_submodule(&mut self, component: &mut Component, _: Parser, module: &[u8]) -> Renamed {
        component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: module });
        Ok(())
    }

    fn parse_component_import_section(
        &mut self,
        imports: &mut ComponentImportSection,
        section: wasmparser::ComponentImportSectionReader<'_>,
    ) -> Renamed {
        for import in section {
            let import = import?;
            imports.import(self.extern_name(import.name), self.component_type_ref(import.ty)?);
        }
        Ok(())
    }

    fn parse_component_export(
        &mut self,
        exports: &mut ComponentExportSection,
        export: wasmparser::ComponentExport<'_>,
    ) -> Renamed {
        let ty = export.ty.map(|ty| self.component_type_ref(ty)).transpose()?;
        let index = self.component_external_index(export.kind, export.index);
        exports.export(self.extern_name(export.name), export.kind.into(), index, ty);
        Ok(())
    }

    fn parse_component_type_declaration(
        &mut self,
        component: &mut ComponentType,
        declaration: wasmparser::ComponentTypeDeclaration<'_>,
    ) -> Renamed {
        match declaration {
            wasmparser::ComponentTypeDeclaration::Export { name, ty } => {
                component.export(self.extern_name(name), self.component_type_ref(ty)?);
            }
            wasmparser::ComponentTypeDeclaration::Import(import) => {
                component.import(self.extern_name(import.name), self.component_type_ref(import.ty)?);
            }
            other => component_utils::parse_component_type_declaration(self, component, other)?,
        }
        Ok(())
    }

    fn parse_component_instance_type_declaration(
        &mut self,
        instance: &mut InstanceType,
        declaration: wasmparser::InstanceTypeDeclaration<'_>,
    ) -> Renamed {
        match declaration {
            wasmparser::InstanceTypeDeclaration::Export { name, ty } => {
                instance.export(self.extern_name(name), self.component_type_ref(ty)?);
                Ok(())
            }
            other => component_utils::parse_component_instance_type_declaration(self, instance, other),
        }
    }

    fn parse_component_instance(
        &mut self,
        instances: &mut ComponentInstanceSection,
        instance: wasmparser::ComponentInstance<'_>,
    ) -> Renamed {
        match instance {
            wasmparser::ComponentInstance::Instantiate { component_index, args } => {
                let component = self.component_index(component_index);
                let mut arguments = Vec::new();
                for argument in &args {
                    let index = self.component_external_index(argument.kind, argument.index);
                    arguments.push((self.renamed(argument.name), argument.kind.into(), index));
                }
                instances.instantiate(component, arguments);
            }
            wasmparser::ComponentInstance::FromExports(exports) => {
                let mut items = Vec::new();
                for export in &exports {
                    let index = self.component_external_index(export.kind, export.index);
                    items.push((self.extern_name(export.name), export.kind.into(), index));
                }
                instances.export_items(items);
            }
        }
        Ok(())
    }

    fn parse_component_alias_section(
        &mut self,
        aliases: &mut ComponentAliasSection,
        section: wasmparser::ComponentAliasSectionReader<'_>,
    ) -> Renamed {
        for alias in section {
            match alias? {
                wasmparser::ComponentAlias::InstanceExport { kind, instance_index, name } => {
                    let (instance, name) =
                        (self.component_instance_index(instance_index), self.renamed(name));
                    aliases.alias(Alias::InstanceExport { instance, kind: kind.into(), name: &name });
                }
                other => drop(aliases.alias(self.component_alias(other)?)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names wherever a component has them: its imports and exports, types, instances, those nested in it.
    const NESTED: &str = r#"
        (component
            (type $http (component (import "wasi:http/types@VERSION" (instance (export "r" (type (sub resource)))))))
            (import "wasi:http/types@VERSION" (instance $types (export "r" (type (sub resource)))))
            (import "other:http/types@VERSION" (instance))
            (component $inner
                (import "wasi:http/types@VERSION" (instance $types (export "r" (type (sub resource)))))
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func $f (canon lift (core func $i "f")))
                (instance $out (export "handle" (func $f)))
                (export "wasi:http/handler@VERSION" (instance $out)))
            (instance $made (instantiate $inner (with "wasi:http/types@VERSION" (instance $types))))
            (alias export $made "wasi:http/handler@VERSION" (instance $handler))
            (instance $all (export "wasi:http/handler@VERSION" (instance $handler)))
            (export "wasi:http/handler@VERSION" (instance $handler)))
    "#;

    fn component(version: &str) -> Vec<u8> {
        wat::parse_str(NESTED.replace("VERSION", version)).unwrap()
    }

    fn is_valid(component: &[u8]) -> bool {
        Validator::new_with_features(WasmFeatures::all()).validate_all(component).is_ok()
    }

    #[test]
    fn a_component_of_the_candidate_becomes_one_of_the_release() {
        let candidate = component("0.3.0-rc-2026-03-15");
        let released = released(&candidate).unwrap();
        assert!(is_valid(&candidate) && is_valid(&released));
        let text = String::from_utf8_lossy(&released);
        // The one name that is not WASI's stays, and so do custom sections.
        assert_eq!(text.matches("-rc-2026-03-15").count(), 1, "{text}");
        assert!(text.contains("other:http/types@0.3.0-rc-2026-03-15"));
    }

    #[test]
    fn names_of_candidates_become_those_of_0_2() {
        let renamed_all = released(&component("0.2.0-rc-2023-11-10")).unwrap();
        assert!(is_valid(&renamed_all));
        assert_eq!(String::from_utf8_lossy(&renamed_all).matches("-rc-2023-11-10").count(), 1);
        for (name, expected) in [
            ("wasi:io/streams@0.2.0-rc-2023-11-10", "wasi:io/streams@0.2.0"),
            ("wasi:io/streams@0.2.0-rc-2023-10-18", "wasi:io/streams@0.2.0-rc-2023-10-18"),
            ("wasi:cli/stdout@0.2.0-rc-2023-10-18", "wasi:cli/stdout@0.2.0"),
            ("[method]tcp-socket.unicast-hop-limit", "[method]tcp-socket.hop-limit"),
            ("[method]udp-socket.unicast-hop-limit", "[method]udp-socket.unicast-hop-limit"),
            ("[method]request-options.set-connect-timeout-ms", "[method]request-options.set-connect-timeout"),
            ("[method]request-options.connect-timeout", "[method]request-options.connect-timeout"),
            ("[method]other.connect-timeout-ms", "[method]other.connect-timeout-ms"),
        ] {
            assert_eq!(renamed(name), expected);
        }
    }

    /// Both are found by the linker, which takes every 0.3.x for the same.
    #[test]
    fn a_component_of_both_keeps_both_apart() {
        let both = r#"
            (component
                (import "wasi:http/types@0.3.0-rc-2026-03-15" (instance (export "r" (type (sub resource)))))
                (import "wasi:http/types@0.3.0" (instance (export "r" (type (sub resource)))))
                (import "wasi:cli/exit@0.3.0-rc-2026-03-15" (instance (export "exit" (func))))
                (instance $handler)
                (export "wasi:http/handler@0.3.0-rc-2026-03-15" (instance $handler)))
        "#;
        let released = released(&wat::parse_str(both).unwrap()).unwrap();
        assert!(is_valid(&released));
        let names = Renamer::of(&released).unwrap().taken;
        let expected = [
            "wasi:cli/exit@0.3.0",
            "wasi:http/handler@0.3.0",
            "wasi:http/types@0.3.0",
            "wasi:http/types@0.3.1",
        ];
        assert_eq!(names, HashSet::from(expected));
    }

    #[test]
    fn what_is_not_a_component_is_refused() {
        let candidate = component("0.3.0-rc-2026-03-15");
        assert!(released(b"\0asm").is_err());
        for length in [9, 40, candidate.len() / 2, candidate.len() - 1] {
            let cut = &candidate[..length];
            assert!(released(cut).is_err(), "{length}");
        }
    }
}
