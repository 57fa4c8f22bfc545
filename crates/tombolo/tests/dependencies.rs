//! Components that are composed of several: dependencies and middleware.

use tombolo_testkit::{Response, Sandbox, Up};

/// An app whose component imports what `dependency` exports, with more lines for its manifest.
fn app(dependency: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("dependent", "dependent.wasm");
    sandbox.guest("dependency", "dependency.wasm");
    sandbox.file("secret.txt", "a secret");
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "app"

        [[trigger.http]]
        route = "/..."
        component = "main"

        [component.main]
        source = "dependent.wasm"
        environment = {{ LEVEL = "high" }}
        variables = {{ region = "eu" }}
        key_value_stores = ["default"]
        sqlite_databases = ["default"]
        allowed_outbound_hosts = ["http://self", "redis://127.0.0.1:1", "mqtt://127.0.0.1:1", "mysql://127.0.0.1:1",
            "postgres://127.0.0.1:1"]
        files = [{{ source = "secret.txt", destination = "/secret.txt" }}]
        {more}
        [component.main.dependencies]
        {dependency}
    "#
    );
    sandbox.file("spin.toml", text);
    sandbox
}

const USUAL: &str = r#""tombolo:parts/probe@0.1.0" = { path = "dependency.wasm" }"#;

/// What the dependency, or the component itself, finds of each capability: lines of `name: what came of it`.
fn found(sandbox: &Sandbox, who: &str) -> String {
    Up::start(sandbox, &[]).get(&format!("/{who}")).text()
}

fn line<'a>(found: &'a str, name: &str) -> &'a str {
    let lines = || found.lines().filter_map(|line| line.split_once(": "));
    lines().find(|(own, _)| *own == name).map_or_else(|| panic!("no {name} in {found}"), |(_, what)| what)
}

/// What each capability says to those who were not granted it.
const DENIED: &[(&str, &str)] = &[
    ("environment", "none"),
    ("files", "none"),
    ("variables", "undefined"),
    ("key-value", "access-denied"),
    ("keyvalue", "access-denied"),
    ("sqlite", "access-denied"),
    ("http", "denied"),
    ("redis", "refused"),
    ("mqtt", "refused"),
    ("mysql", "refused"),
    ("postgres", "refused"),
];

/// And to those who were.
const GRANTED: &[(&str, &str)] = &[
    ("environment", "high"),
    ("files", "a secret"),
    ("variables", "eu"),
    ("key-value", "ok"),
    ("keyvalue", "ok"),
    ("sqlite", "ok"),
    ("http", "ok"),
    // They were let through, and nobody is there.
    ("redis", "away"),
    ("mqtt", "away"),
    ("mysql", "away"),
    ("postgres", "away"),
];

#[test]
fn a_dependency_answers_and_has_nothing_of_what_the_component_was_granted() {
    let sandbox = app(USUAL, "");
    let inside = found(&sandbox, "dependency");
    for (name, expected) in DENIED {
        assert_eq!(line(&inside, name), *expected, "{inside}");
    }
    let own = found(&sandbox, "itself");
    for (name, expected) in GRANTED {
        assert_eq!(line(&own, name), *expected, "{own}");
    }
}

#[test]
fn a_dependency_that_inherits_everything_has_what_the_component_has() {
    let all = r#""tombolo:parts" = { path = "dependency.wasm", inherit_configuration = true }"#;
    for (dependency, more) in [(all, ""), (USUAL, "dependencies_inherit_configuration = true")] {
        let found = found(&app(dependency, more), "dependency");
        for (name, expected) in GRANTED {
            assert_eq!(line(&found, name), *expected, "{found}");
        }
    }
}

#[test]
fn a_dependency_has_what_it_inherits_and_no_more() {
    for (field, names) in [
        ("environment", &["environment"][..]),
        ("files", &["files"]),
        ("variables", &["variables"]),
        ("key_value_stores", &["key-value", "keyvalue"]),
        ("sqlite_databases", &["sqlite"]),
        ("allowed_outbound_hosts", &["http", "redis", "mqtt", "mysql", "postgres"]),
    ] {
        let dependency = format!(
            r#""tombolo:parts/probe" = {{ path = "dependency.wasm", inherit_configuration = ["{field}"] }}"#
        );
        let found = found(&app(&dependency, ""), "dependency");
        for ((name, denied), (_, granted)) in DENIED.iter().zip(GRANTED) {
            let expected = if names.contains(name) { granted } else { denied };
            assert_eq!(line(&found, name), *expected, "{field}: {found}");
        }
    }
}

#[test]
fn a_dependency_may_be_a_component_of_the_app_and_another_export_than_the_import() {
    let other = "[component.other]\nsource = \"dependency.wasm\"\n";
    let sandbox = app(
        r#""tombolo:parts/probe@0.1.0" = { component = "other", export = "tombolo:parts/second@0.1.0" }"#,
        "",
    );
    let text = std::fs::read_to_string(sandbox.path().join("spin.toml")).unwrap();
    sandbox.file("spin.toml", format!("{text}\n{other}"));
    let found = found(&sandbox, "dependency");
    assert_eq!(line(&found, "who"), "second", "{found}");
}

/// Why `up` refuses the app.
#[track_caller]
fn refused(sandbox: &Sandbox, expected: &str) {
    let finished = sandbox.tombolo(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains(expected), "{}\nexpected {expected}", finished.stderr);
}

#[test]
fn what_cannot_be_composed_is_told_when_the_app_is_loaded() {
    let path = r#"path = "dependency.wasm""#;
    refused(&app("", ""), "it imports what is not there: tombolo:parts/probe@0.1.0");
    refused(
        &app(&format!(r#""tombolo:parts/probe@0.2.0" = {{ {path} }}"#), ""),
        "dependency `tombolo:parts/probe@0.2.0` answers none of its imports",
    );
    refused(
        &app(&format!(r#""tombolo:parts/probe" = {{ {path}, export = "tombolo:parts/third@0.1.0" }}"#), ""),
        "dependency `tombolo:parts/probe` does not export `tombolo:parts/third@0.1.0`: it exports",
    );
    refused(&app(r#""tombolo:parts/probe" = { path = "none.wasm" }"#, ""), "none.wasm");
    refused(&app(r#""tombolo:parts/probe" = { component = "none" }"#, ""), "there is no component `none`");
    refused(
        &app(r#""tombolo:parts/probe" = { component = "main" }"#, ""),
        "components depend on each other in a circle",
    );
}

#[test]
fn what_was_compiled_of_other_parts_is_not_used() {
    let sandbox = app(USUAL, "");
    assert_eq!(line(&found(&sandbox, "dependency"), "who"), "first");
    // The same files, the same component: who answers is another one.
    let text = std::fs::read_to_string(sandbox.path().join("spin.toml")).unwrap();
    let second = r#"path = "dependency.wasm", export = "tombolo:parts/second@0.1.0""#;
    sandbox.file("spin.toml", text.replace(r#"path = "dependency.wasm""#, second));
    assert_eq!(line(&found(&sandbox, "dependency"), "who"), "second");
    // And one more thing is inherited.
    sandbox.file(
        "spin.toml",
        text.replace(r#""dependency.wasm""#, r#""dependency.wasm", inherit_configuration = ["files"]"#),
    );
    assert_eq!(line(&found(&sandbox, "dependency"), "files"), "a secret");
}

#[test]
fn a_dependency_that_changes_is_served_anew() {
    let sandbox = app(USUAL, "");
    std::fs::remove_file(sandbox.path().join("dependency.wasm")).unwrap();
    // Of other bytes, and the same in all that counts.
    sandbox.guest("dependency", "whole.wasm");
    let whole = std::fs::read(sandbox.path().join("whole.wasm")).unwrap();
    sandbox.file("dependency.wasm", &whole);
    let up = Up::start(&sandbox, &["--watch"]);
    assert_eq!(up.get("/dependency").status, 200);
    sandbox.file("dependency.wasm", "broken");
    up.said("not WebAssembly");
    assert_eq!(up.get("/dependency").status, 200, "what was served is served");
    sandbox.file("dependency.wasm", [&whole[..], b"\0\x02\x01x"].concat());
    up.said("Serving app anew");
    assert_eq!(line(&up.get("/dependency").text(), "who"), "first");
}

/// An app of a component of spin-sdk 7 with middleware before it.
fn behind(middleware: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("middleware", "middleware.wasm");
    sandbox.guest("hello-wasi3", "hello.wasm");
    sandbox.guest("web", "web.wasm");
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "app"

        [[trigger.http]]
        route = "/..."
        component = "hello"
        dependencies.middleware = [{middleware}]

        [[trigger.http]]
        route = "/alone/..."
        component = "hello"

        [component.hello]
        source = "hello.wasm"
        variables = {{ name = "granted" }}

        [component.layer]
        source = "middleware.wasm"

        {more}
    "#
    );
    sandbox.file("spin.toml", text);
    sandbox
}

/// What the middleware that saw an answer said to it.
fn layers(answer: &Response) -> Vec<&str> {
    let said = answer.headers.iter().filter(|(name, _)| name == "x-layer");
    said.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn a_request_passes_all_middleware_and_so_does_its_answer() {
    let sandbox = behind(
        r#"{ component = "layer" }, { path = "middleware.wasm", inherit_configuration = ["variables"] }"#,
        "",
    );
    let up = Up::start(&sandbox, &[]);
    let answer = up.get("/some/path");
    assert_eq!((answer.status, answer.text()), (200, "Hello from WebAssembly\n".to_owned()));
    // The innermost is first to see the answer: it inherits the variable, the outermost does not.
    assert_eq!(layers(&answer), ["granted", "nothing"]);
    let refused = up.get("/refused");
    assert_eq!((refused.status, layers(&refused).len()), (403, 0), "the first of them answered");
    let alone = up.get("/alone/refused");
    assert_eq!((alone.status, layers(&alone).len()), (200, 0), "another trigger has none");
}

#[test]
fn middleware_that_cannot_stand_there_is_told_when_the_app_is_loaded() {
    refused(
        &behind(r#"{ path = "hello.wasm" }"#, ""),
        "middleware 1 does not import `wasi:http/handler@0.3.0`, so no request would get past it",
    );
    let sandbox = behind(r#"{ component = "layer" }"#, "");
    let text = std::fs::read_to_string(sandbox.path().join("spin.toml")).unwrap();
    sandbox.file("spin.toml", text.replace("\"hello.wasm\"", "\"web.wasm\""));
    refused(&sandbox, "the component behind the middleware does not export `wasi:http/handler@0.3.0`");
}
