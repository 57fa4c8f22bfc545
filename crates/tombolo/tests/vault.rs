//! Variables from a store of secrets that speaks Vault's protocol, through the whole program. Debian has no package of
//! one, so the test has a server of its own.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tombolo_testkit::servers::service::{Asked, Service};
use tombolo_testkit::{Sandbox, Up};

/// The value of each secret, by its path.
type Secrets = Arc<Mutex<Vec<(&'static str, &'static str)>>>;

/// A vault whose key-value engine is at `secret` and whose token is `key`.
fn vault(secrets: &Secrets) -> Service {
    let secrets = Arc::clone(secrets);
    Service::start(move |asked: &Asked| {
        assert_eq!(asked.method, "GET");
        if asked.headers["x-vault-token"] != "key" {
            return Some((403, json!({ "errors": ["permission denied"] }).to_string()));
        }
        let path = asked.path.strip_prefix("/v1/secret/data/")?;
        let secrets = secrets.lock().unwrap();
        match secrets.iter().find(|(secret, _)| *secret == path) {
            None => Some((404, json!({ "errors": [] }).to_string())),
            Some((_, value)) => {
                let data = json!({ "data": { "value": value }, "metadata": { "version": 1 } });
                Some((200, json!({ "request_id": "1", "data": data, "warnings": null }).to_string()))
            }
        }
    })
}

/// An app of `guest` with variables, and more lines for its component.
fn app(guest: &str, lines: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app.wasm");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"app\"\n[variables]\nregion = {{ default = \"us\" }}\ntoken = {{ required = true }}\n\
         host = {{ default = \"127.0.0.2\" }}\n[component.app]\nsource = \"app.wasm\"\n\
         variables = {{ region = \"{{{{ region }}}}-west\", token = \"{{{{ token }}}}\" }}\n{lines}\n"
    );
    sandbox.file("spin.toml", text);
    sandbox
}

/// The runtime configuration that names the vault at `url`, before what else it says.
fn configure(sandbox: &Sandbox, url: &str, key: &str, more: &str) {
    let vault = format!(
        "[[variables_provider]]\ntype = \"vault\"\nurl = \"{url}\"\ntoken = \"{key}\"\nmount = \"secret\"\n\
         prefix = \"shop\"\n"
    );
    sandbox.file("runtime.toml", vault + more);
}

const CONFIGURED: [&str; 2] = ["--runtime-config-file", "runtime.toml"];

/// Each call has the value that is there then, by every interface.
#[test]
fn a_value_is_asked_for_at_each_call() {
    let secrets = Secrets::default();
    let server = vault(&secrets);
    for guest in ["spin-2", "spin-3", "spin-5", "spin-6", "spin-7"] {
        *secrets.lock().unwrap() = vec![("shop/region", "eu")];
        let sandbox = app(guest, "");
        configure(&sandbox, &server.url(), "key", "");
        let up = Up::start(&sandbox, &CONFIGURED);
        assert_eq!(up.get("/variables").text(), "ok", "{}", up.said("Listening"));
    }
    let sandbox = app("spin-5", "");
    configure(&sandbox, &server.url(), "key", "");
    let up = Up::start(&sandbox, &CONFIGURED);
    let get = |name: &str| up.get(&format!("/variable?{name}")).text();
    assert_eq!(get("region"), "Ok(\"eu-west\")");
    *secrets.lock().unwrap() = vec![("shop/token", "one")];
    assert_eq!((get("region"), get("token")), ("Ok(\"us-west\")".to_owned(), "Ok(\"one\")".to_owned()));
    *secrets.lock().unwrap() = vec![("shop/token", "two"), ("token", "of another prefix")];
    assert_eq!(get("token"), "Ok(\"two\")");
    secrets.lock().unwrap().clear();
    assert!(get("token").starts_with("Err(Error::Undefined("), "{}", get("token"));
}

/// The first provider that has a value counts, whether it is asked or known.
#[test]
fn providers_count_in_their_order() {
    let secrets = Secrets::default();
    *secrets.lock().unwrap() = vec![("shop/region", "vault")];
    let server = vault(&secrets);
    let sandbox = app("spin-5", "");
    let known =
        "[[variables_provider]]\ntype = \"static\"\nvalues = { region = \"known\", token = \"known\" }\n";
    configure(&sandbox, &server.url(), "key", known);
    let up = Up::start(&sandbox, &CONFIGURED);
    assert_eq!(up.get("/variable?region").text(), "Ok(\"vault-west\")");
    assert_eq!(up.get("/variable?token").text(), "Ok(\"known\")");
}

#[test]
fn a_vault_that_fails_is_an_error_of_the_provider() {
    let secrets = Secrets::default();
    let mut server = vault(&secrets);
    let sandbox = app("spin-5", "");
    configure(&sandbox, &server.url(), "other", "");
    let up = Up::start(&sandbox, &CONFIGURED);
    let get = |name: &str| up.get(&format!("/variable?{name}")).text();
    assert_eq!(get("region"), "Err(Error::Provider(\"the provider answered 403\"))");
    up.said("a vault answered 403 Forbidden for the variable `region`");
    server.stop();
    assert_eq!(get("region"), "Err(Error::Provider(\"the provider failed: cannot connect\"))");
    let log = up.said("a vault failed: cannot connect: ");
    assert!(!log.contains("other"), "{log}");
}

/// Too much for what the instance has left of its memory; and not a secret with a text in `value`.
#[test]
fn a_value_is_bounded() {
    let text = json!({ "data": { "data": { "value": "x".repeat(20 << 20) } } }).to_string();
    let server = Service::start(move |asked| match asked.path.as_str() {
        "/v1/secret/data/shop/token" => Some((200, text.clone())),
        _ => Some((200, json!({ "data": { "data": { "other": 1 } } }).to_string())),
    });
    let sandbox = app("spin-5", "[component.app.tool.tombolo]\nmemory_mib_max = 16");
    configure(&sandbox, &server.url(), "key", "");
    let up = Up::start(&sandbox, &CONFIGURED);
    let said = up.get("/variable?token").text();
    assert!(said.starts_with("Err(Error::Provider(\"the value is too large: "), "{said}");
    let said = up.get("/variable?region").text();
    assert_eq!(said, "Err(Error::Provider(\"the provider has something else than a text\"))");
}

/// Where a component may connect to must be known when the app is read: it is asked for then.
#[test]
fn what_must_be_known_at_the_start_is_asked_for_then() {
    let upstream = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    upstream.web_app("");
    let upstream = Up::start(&upstream, &[]);
    let secrets = Secrets::default();
    *secrets.lock().unwrap() = vec![("shop/host", "127.0.0.1")];
    let mut server = vault(&secrets);
    let sandbox = app("spin-5", "allowed_outbound_hosts = [\"http://{{ host }}:*\"]");
    configure(&sandbox, &server.url(), "key", "");
    let up = Up::start(&sandbox, &CONFIGURED);
    let port = upstream.address().port();
    let said = up.get(&format!("/outbound?http://127.0.0.1:{port}/")).text();
    assert_eq!(said, "hello", "{}", up.said("Listening"));
    server.stop();
    let mut arguments = vec!["up", "--listen", "127.0.0.1:0"];
    arguments.extend(CONFIGURED);
    let refused = sandbox.tombolo(&arguments);
    let expected = "the value of `{{ host }}` is not known: the provider failed: cannot connect";
    assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{}", refused.stderr);
    assert!(refused.stderr.contains("spin.toml:"), "{}", refused.stderr);
}
