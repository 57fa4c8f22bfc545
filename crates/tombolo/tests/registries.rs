//! Components that are packages of a registry.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use serde_json::json;
use tombolo_model::Digest;
use tombolo_testkit::servers::registry::Registry;
use tombolo_testkit::{Sandbox, Up};
use ureq::http::StatusCode;

/// Puts bytes into a registry.
fn blob(host: &str, repository: &str, bytes: &[u8]) -> String {
    let digest = Digest::of(bytes).to_string();
    let begun = ureq::post(format!("http://{host}/v2/{repository}/blobs/uploads/")).send_empty().unwrap();
    let location = begun.headers()["location"].to_str().unwrap().to_owned();
    let sign = if location.contains('?') { '&' } else { '?' };
    let done = ureq::put(format!("{location}{sign}digest={digest}"))
        .header("content-type", "application/octet-stream")
        .send(bytes);
    assert_eq!(done.unwrap().status(), StatusCode::CREATED);
    digest
}

/// Publishes a package as `wkg` does, with layers of a type.
fn publish(host: &str, repository: &str, version: &str, kind: &str, layers: &[&[u8]]) {
    let layer = |bytes: &&[u8]| {
        let digest = blob(host, repository, bytes);
        json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
    };
    let layers: Vec<_> = layers.iter().map(layer).collect();
    let config = b"{}";
    let media = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media,
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json",
            "digest": blob(host, repository, config),
            "size": config.len(),
        },
        "layers": layers,
    });
    let url = format!("http://{host}/v2/{repository}/manifests/{version}");
    let done = ureq::put(url).header("content-type", media).send(manifest.to_string().as_bytes());
    assert_eq!(done.unwrap().status(), StatusCode::CREATED);
}

/// An app whose component, or whose component's dependency, is a package.
fn app(sandbox: &Sandbox, lines: &str) {
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"web\"\n[component.web]\n{lines}\n"
    );
    sandbox.file("spin.toml", text);
}

fn source(host: &str, package: &str, version: &str) -> String {
    format!("source = {{ registry = \"{host}\", package = \"{package}\", version = \"{version}\" }}")
}

const WASM: &str = "application/wasm";

#[test]
fn a_component_may_be_a_package_of_a_registry() {
    let mut registry = Registry::start();
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let web = std::fs::read(sandbox.guest("web", "web.wasm")).unwrap();
    publish(&registry.host(), "acme/web", "1.2.3", WASM, &[&web]);
    app(&sandbox, &source(&registry.host(), "acme:web", "1.2.3"));
    assert_eq!(Up::start(&sandbox, &[]).get("/").text(), "hello");
    // A version is what it is: nobody is asked again.
    registry.stop();
    assert_eq!(Up::start(&sandbox, &[]).get("/").text(), "hello");
}

#[test]
fn a_dependency_is_the_newest_version_that_fits() {
    let registry = Registry::start();
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("dependent", "dependent.wasm");
    let dependency = std::fs::read(sandbox.guest("dependency", "dependency.wasm")).unwrap();
    let host = registry.host();
    publish(&host, "tombolo/parts", "0.1.0", WASM, &[b"of another time"]);
    publish(&host, "tombolo/parts", "0.1.1", WASM, &[&dependency]);
    publish(&host, "tombolo/parts", "0.2.0", WASM, &[b"of another time"]);
    app(
        &sandbox,
        &format!(
            "source = \"dependent.wasm\"\n[component.web.dependencies]\n\
             \"tombolo:parts/probe@0.1.0\" = {{ registry = \"{host}\", version = \"0.1.0\" }}"
        ),
    );
    let up = Up::start(&sandbox, &[]);
    assert!(up.get("/dependency").text().contains("who: first"));
}

#[test]
fn what_a_registry_has_not_is_named() {
    let mut registry = Registry::start();
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let host = registry.host();
    publish(&host, "acme/text", "1.0.0", "text/plain", &[b"no code"]);
    publish(&host, "acme/two", "1.0.0", WASM, &[b"one", b"two"]);
    publish(&host, "acme/broken", "1.0.0", WASM, &[b"broken"]);
    let refused = |source: String, expected: &str| {
        app(&sandbox, &source);
        let refused = sandbox.tombolo(&["up", "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains(expected), "{}\nexpected {expected}", refused.stderr);
    };
    let at = |package: &str, version: &str| source(&host, package, version);
    refused(at("acme:none", "1.0.0"), "component `web`: cannot find acme:none@1.0.0 of 127.0.0.1:");
    refused(at("acme:text", "1.1.0"), "/v2/acme/text/manifests/1.1.0`: it answers 404 Not Found");
    refused(at("acme:text", "1.0.0"), "has 0 layers of type `application/wasm`, expected one");
    refused(at("acme:two", "1.0.0"), "has 2 layers of type `application/wasm`, expected one");
    refused(at("acme:broken", "1.0.0"), "not WebAssembly");
    refused(at("acme", "1.0.0"), "`acme` is not the name of a package");
    refused(at("acme:web", "1"), "`1` is not a version");
    refused(
        "source = { package = \"acme:web\", version = \"1.0.0\" }".to_owned(),
        "`[component.web.source]` has no `registry`, expected the host of a registry of packages",
    );
    let newer = format!(
        "source = \"w\"\ndependencies = {{ \"acme:text\" = {{ registry = \"{host}\", version = \">= 2\" }} }}"
    );
    refused(newer, "lists no version that is `>=2`");
    registry.stop();
    refused(at("acme:text", "1.0.0"), "cannot find acme:text@1.0.0");
}
