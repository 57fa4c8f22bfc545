use tombolo_model::Inherited;
use wasmparser::{Validator, WasmFeatures};

use crate::compose::{Bundle, HANDLER, Layer, Parts, Plug};
use crate::inspect::inspect;

/// A component that imports `a:b/c@1.0.0`, a host's interface and a name of its own, and exports `run`.
const MAIN: &str = r#"
    (component
        (import "a:b/c@1.0.0" (instance $c (export "f" (func (result u32)))))
        (import "a:b/d@1.0.0" (instance $d (export "f" (func (result u32)))))
        (import "fermyon:spin/key-value@2.0.0" (instance $kv (export "f" (func))))
        (alias export $c "f" (func $f))
        (export "run" (func $f)))
"#;

/// A component that answers the interface `NAME`, and imports one of a host.
const DEPENDENCY: &str = r#"
    (component
        (import "fermyon:spin/key-value@2.0.0" (instance $kv (export "f" (func))))
        (core module $m (func (export "f") (result i32) i32.const 7))
        (core instance $i (instantiate $m))
        (func $f (result TYPE) (canon lift (core func $i "f")))
        (instance $out (export "f" (func $f)))
        (export "NAME" (instance $out)))
"#;

fn dependency(name: &str, ty: &str) -> Parts {
    Parts::from(DEPENDENCY.replace("NAME", name).replace("TYPE", ty).into_bytes())
}

fn plug(name: &str, export: Option<&str>, inherited: Inherited, part: Parts) -> Plug {
    Plug { name: name.parse().unwrap(), export: export.map(str::to_owned), inherited, part }
}

fn with(dependencies: Vec<Plug>) -> Parts {
    Parts { dependencies, ..Parts::from(MAIN.as_bytes().to_vec()) }
}

/// Imports and exports of the whole, or why there is none.
fn composed(parts: &Parts) -> Result<(Vec<String>, Vec<String>), String> {
    let denied = |inherited: &Inherited| match *inherited == Inherited::all() {
        true => Vec::new(),
        false => vec!["fermyon:spin/key-value".to_owned()],
    };
    let bundle = parts.bundle(&denied).map_err(|error| error.to_string())?;
    let component = Bundle::decode(&bundle).expect("was just made").compose();
    let component = component.map_err(|error| error.to_string())?;
    Validator::new_with_features(WasmFeatures::all()).validate_all(&component).unwrap();
    let found = inspect(&component).unwrap();
    Ok((found.imports, found.exports))
}

const KV: &str = "fermyon:spin/key-value@2.0.0";
const DENIED: &str = "denied-fermyon:spin/key-value@2.0.0";

#[test]
fn what_is_answered_is_imported_no_more_and_what_is_not_inherited_is_denied() {
    let none = Inherited::default();
    let one = with(vec![plug("a:b/c", None, none.clone(), dependency("a:b/c@1.0.0", "u32"))]);
    let (imports, exports) = composed(&one).unwrap();
    assert_eq!(exports, ["run"]);
    assert_eq!(imports.len(), 3, "{imports:?}");
    for import in ["a:b/d@1.0.0", KV, DENIED] {
        assert!(imports.iter().any(|it| it == import), "{import} is not among {imports:?}");
    }
    let both = with(vec![
        plug("a:b/c", None, Inherited::all(), dependency("a:b/c@1.0.0", "u32")),
        plug("a:b/d@1.0.0", Some("x:y/z"), Inherited::all(), dependency("x:y/z", "u32")),
    ]);
    assert_eq!(composed(&both).unwrap().0, [KV]);
}

/// What the innermost part gets is what every one above it has, too.
#[test]
fn a_part_may_be_composed_itself_and_denies_more_and_never_less() {
    // Of all of them the innermost alone asks for the store.
    let plain =
        MAIN.replace(r#"(import "fermyon:spin/key-value@2.0.0" (instance $kv (export "f" (func))))"#, "");
    let inner = dependency("a:b/d@1.0.0", "u32");
    let middle = |inherited: Inherited| Parts {
        dependencies: vec![plug("a:b/d", None, inherited, inner.clone())],
        ..Parts::from(
            plain
                .replace("(export \"run\" (func $f))", "(export \"a:b/c@1.0.0\" (instance $c))")
                .replace("a:b/c@1.0.0\" (instance $c (", "x:y/host\" (instance $c (")
                .into_bytes(),
        )
    };
    let imports = |middle_has: Inherited, inner_has: Inherited| {
        let parts = Parts {
            dependencies: vec![plug("a:b/c", None, middle_has, middle(inner_has))],
            ..Parts::from(plain.clone().into_bytes())
        };
        let mut imports = composed(&parts).unwrap().0;
        imports.retain(|import| import.contains("key-value"));
        imports
    };
    let (all, none) = (Inherited::all, Inherited::default);
    assert_eq!(imports(all(), all()), [KV]);
    assert_eq!(imports(all(), none()), [DENIED]);
    assert_eq!(imports(none(), all()), [DENIED]);
    assert_eq!(imports(none(), none()), [DENIED]);
}

#[test]
fn a_compatible_version_of_an_export_answers() {
    let part = dependency("a:b/c@1.2.0", "u32");
    assert!(composed(&with(vec![plug("a:b/c@1.0.0", None, Inherited::all(), part)])).is_ok());
}

#[test]
fn what_does_not_go_together_is_named() {
    let all = Inherited::all;
    let right = || dependency("a:b/c@1.0.0", "u32");
    for (dependencies, expected) in [
        (
            vec![plug("a:b/e", None, all(), right())],
            "dependency `a:b/e` answers none of its imports: it imports `a:b/c@1.0.0`, `a:b/d@1.0.0`, \
             `fermyon:spin/key-value@2.0.0`",
        ),
        (
            vec![plug("a:b/c@2.0.0", None, all(), right())],
            "dependency `a:b/c@2.0.0` answers none of its imports",
        ),
        (
            vec![plug("a:b/c", None, all(), dependency("a:b/c@2.0.0", "u32"))],
            "dependency `a:b/c` does not export `a:b/c@1.0.0`: it exports `a:b/c@2.0.0`",
        ),
        (
            vec![plug("a:b/c", Some("x:y/z"), all(), right())],
            "dependency `a:b/c` does not export `x:y/z`: it exports `a:b/c@1.0.0`",
        ),
        (
            vec![plug("a:b/c", None, all(), dependency("a:b/c@1.0.0", "s32"))],
            "dependency `a:b/c`: its export `a:b/c@1.0.0` does not fit what is imported as `a:b/c@1.0.0`",
        ),
        (
            vec![plug("a:b/c", None, all(), right()), plug("a:b/c@1.0.0", None, all(), right())],
            "the import `a:b/c@1.0.0` is answered by both of the dependencies `a:b/c` and `a:b/c@1.0.0`",
        ),
        (
            vec![plug("a:b/c", None, all(), Parts::from(b"(module)".to_vec()))],
            "its parts cannot be composed: dependency `a:b/c`",
        ),
    ] {
        let refused = composed(&with(dependencies)).unwrap_err();
        assert!(refused.starts_with(expected), "{refused}\nexpected {expected}");
    }
}

const LAYER: &str = r#"
    (component
        (import "wasi:http/handler@0.3.0" (instance $next (export "f" (func (result u32)))))
        (alias export $next "f" (func $f))
        (instance $out (export "f" (func $f)))
        (export "wasi:http/handler@0.3.0" (instance $out)))
"#;

#[test]
fn middleware_stands_before_a_handler_that_is_there() {
    let layer =
        |text: &str| Layer { inherited: Inherited::all(), part: Parts::from(text.as_bytes().to_vec()) };
    let handler = dependency(HANDLER, "u32");
    let before = |main: &Parts, layers: Vec<Layer>| composed(&Parts { middleware: layers, ..main.clone() });
    let (imports, exports) = before(&handler, vec![layer(LAYER), layer(LAYER)]).unwrap();
    assert_eq!((imports, exports), (vec![KV.to_owned()], vec![HANDLER.to_owned()]));
    let other = dependency("wasi:http/incoming-handler@0.2.0", "u32");
    let refused = before(&other, vec![layer(LAYER)]).unwrap_err();
    assert!(refused.starts_with("the component behind the middleware does not export"), "{refused}");
    let last = layer(&DEPENDENCY.replace("NAME", HANDLER).replace("TYPE", "u32"));
    let refused = before(&handler, vec![layer(LAYER), last]).unwrap_err();
    assert!(refused.starts_with("middleware 2 does not import `wasi:http/handler@0.3.0`"), "{refused}");
    let mute = layer(&LAYER.replace("(export \"wasi:http/handler@0.3.0\" (instance $out))", ""));
    let refused = before(&handler, vec![mute]).unwrap_err();
    assert!(refused.starts_with("middleware 1 does not export"), "{refused}");
}
