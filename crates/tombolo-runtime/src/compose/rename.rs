//! Renames what a part imports and does not inherit.

use tombolo_capability::Access;
use wasm_encoder::reencode::{ReencodeComponent, RoundtripReencoder};
use wasm_encoder::{Component, ComponentExternName, ComponentImportSection, ComponentSectionId, RawSection};
use wasmparser::{Chunk, Parser, Payload};

/// The component with those of its imports under names of [`Access::Denied`] that are in `denied`, without their
/// versions. Only the outermost imports are anybody's but its own.
pub(super) fn renamed(component: &[u8], denied: &[String]) -> Result<Vec<u8>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let is_denied = |name: &str| {
        let interface = name.split_once('@').map_or(name, |(interface, _)| interface);
        denied.iter().any(|denied| denied == interface)
    };
    let mut made = Component::new();
    let mut parser = Parser::new(0);
    let mut at = 0;
    loop {
        let chunk = parser.parse(&component[at..], true).map_err(|error| text(&error))?;
        let Chunk::Parsed { consumed, payload } = chunk else { return Err("it is cut short".to_owned()) };
        at += consumed;
        let section = match payload {
            Payload::Version { .. } => continue,
            Payload::End(_) => return Ok(made.finish()),
            Payload::ComponentImportSection(section) => {
                let mut imports = ComponentImportSection::new();
                for import in section {
                    let import = import.map_err(|error| text(&error))?;
                    let access = if is_denied(import.name.name) { Access::Denied } else { Access::Granted };
                    let renamed = access.name(import.name.name);
                    let ty = RoundtripReencoder.component_type_ref(import.ty);
                    let name = ComponentExternName { name: renamed, ..import.name.into() };
                    imports.import(name, ty.map_err(|error| text(&error))?);
                }
                made.section(&imports);
                continue;
            }
            Payload::ModuleSection { unchecked_range, .. } => {
                (ComponentSectionId::CoreModule.into(), unchecked_range)
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                (ComponentSectionId::Component.into(), unchecked_range)
            }
            other => other.as_section().ok_or("it has something that is no section")?,
        };
        let (id, range) = section;
        let data = component.get(range.clone()).ok_or("it is cut short")?;
        made.section(&RawSection { id, data });
        // Behind what is nested, which nobody looked into.
        at = at.max(range.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{Validator, WasmFeatures};

    const NESTED: &str = r#"
        (component
            (import "wasi:http/types@0.2.0" (instance $types (export "r" (type (sub resource)))))
            (alias export $types "r" (type $r))
            (import "wasi:http/outgoing-handler@0.2.3" (instance
                (alias outer 1 $r (type $r)) (export "r" (type (eq $r)))))
            (import "wasi:http/outgoing-handlers@0.2.3" (instance $other))
            (component $inner (import "wasi:http/outgoing-handler@0.2.3" (instance)))
            (instance (instantiate $inner (with "wasi:http/outgoing-handler@0.2.3" (instance $other))))
            (core module (func (export "f"))))
    "#;

    #[test]
    fn what_is_denied_is_imported_by_another_name_and_nothing_else_changes() {
        let component = wat::parse_str(NESTED).unwrap();
        let denied = ["wasi:http/outgoing-handler".to_owned()];
        let made = renamed(&component, &denied).unwrap();
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        validator.validate_all(&made).unwrap();
        let found = crate::inspect::inspect(&made).unwrap();
        let expected = [
            "wasi:http/types@0.2.0",
            "denied-wasi:http/outgoing-handler@0.2.3",
            "wasi:http/outgoing-handlers@0.2.3",
        ];
        assert_eq!(found.imports, expected);
        assert_eq!(made.len(), component.len() + "denied-".len());
        assert_eq!(renamed(&component, &[]).unwrap(), component);
    }

    #[test]
    fn what_is_cut_is_refused() {
        let component = wat::parse_str(NESTED).unwrap();
        for length in 0..component.len() {
            // Cut between two sections it is a component, only another one.
            if let Ok(made) = renamed(&component[..length], &[]) {
                assert_eq!(made, component[..length]);
            }
        }
    }
}
