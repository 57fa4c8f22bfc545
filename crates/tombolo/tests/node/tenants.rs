//! What a token is good for: every path of the interface, from the document that describes it.

use tombolo_testkit::{Sandbox, Serving};

use crate::{asked, done, sandbox, written};

/// Every method and path there is.
fn every_path(node: &Serving) -> Vec<(String, String)> {
    let document = node.order("GET", "/v1/openapi.json", "", None);
    let document: serde_json::Value = serde_json::from_slice(&document.body).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    });
    all.collect()
}

fn token(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let all = [&["tokens", "create"], arguments].concat();
    done(sandbox, &all).trim().to_owned()
}

/// A body that would do something, for those that take one.
fn body(method: &str, path: &str) -> Option<&'static str> {
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    match (method, path) {
        ("PUT", "/v1/blobs/{digest}") => Some("abc"),
        ("POST", "/v1/blobs/missing") => Some(r#"{"digests":[]}"#),
        ("PUT", "/v1/apps/{app}/active") => {
            assert_eq!(digest, tombolo_model::Digest::of(b"abc").to_string());
            Some(
                r#"{"release":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","generation":1}"#,
            )
        }
        ("PUT", "/v1/apps/{app}/variables/{name}") => Some(r#"{"value":"x"}"#),
        ("PUT", "/v1/apps/{app}/previews/{digest}") => Some("{}"),
        ("PUT", "/v1/tenants/{tenant}/quotas") => Some(r#"{"apps_max":0}"#),
        ("PUT", _) => Some(""),
        ("POST", "/v1/tokens") => Some(r#"{"name":"x","scope":"tenant","tenant":"ada"}"#),
        _ => None,
    }
}

fn filled(path: &str) -> String {
    path.replace("{app}", "shop")
        .replace("{tenant}", "ada")
        .replace("{digest}", &tombolo_model::Digest::of(b"abc").to_string())
        .replace("{domain}", "shop.example")
        .replace("{store}", "default")
        .replace("{key}", "greeting")
        .replace("{name}", "greeting")
        .replace("{id}", "000000000000")
}

#[test]
fn nothing_is_told_without_a_token() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    let all = every_path(&node);
    assert!(all.len() > 18, "{all:?}");
    for (method, path) in all {
        for token in ["", "tbl_0000000000000000000000000000000000000000000000000000000000000000"] {
            let answer = node.order(&method, &filled(&path), token, body(&method, &path));
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
}

#[test]
fn a_tenants_token_sees_and_changes_nothing_of_another_tenant() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy", "--tenant", "ada"]);
    done(&sandbox, &["variables", "set", "shop", "adas_own", "x", "--tenant", "ada"]);
    assert_eq!(node.get("shop--ada.localhost", "/").text(), "one");
    let before = asked(&node, &admin, "/v1/apps/shop?tenant=ada");
    for scope in ["tenant", "read"] {
        let bob = token(&sandbox, &["bob", "--scope", scope, "--for", "bob"]);
        for (method, path) in every_path(&node) {
            let named = format!("{}?tenant=ada", filled(&path));
            // Without a tenant in its path, an app is the token's own tenant's.
            for path_and_query in [named, filled(&path)] {
                let answer = node.order(&method, &path_and_query, &bob, body(&method, &path));
                let text = answer.text();
                let told = !["adas_own", "shop--ada"].iter().any(|own| text.contains(own));
                assert!(told, "{method} {path_and_query} tells: {text}");
                if path_and_query.contains("tenant=ada")
                    && !path.starts_with("/v1/tokens")
                    && path != "/v1/tenants"
                {
                    assert!(matches!(answer.status, 403 | 404), "{method} {path_and_query}: {text}");
                }
            }
        }
        let own = asked(&node, &bob, "/v1/apps");
        assert_eq!(own, serde_json::json!([]));
    }
    assert_eq!(asked(&node, &admin, "/v1/apps/shop?tenant=ada"), before);
    assert_eq!(asked(&node, &admin, "/v1/apps/shop/variables?tenant=ada"), serde_json::json!(["adas_own"]));
}

#[test]
fn a_token_for_one_app_deploys_that_one() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    let deploy = token(&sandbox, &["robot", "--scope", "deploy", "--app", "shop"]);
    let read = token(&sandbox, &["eyes", "--scope", "read"]);
    let as_who = |token: &str, arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.env("TOMBOLO_TOKEN", token).env("TOMBOLO_NODE", format!("http://{}", node.control));
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    written(&sandbox, "two");
    assert!(as_who(&deploy, &["deploy"]).0);
    assert_eq!(node.get("shop.localhost", "/").text(), "two");
    let (success, reason) = as_who(&deploy, &["deploy", "--name", "other"]);
    assert!(!success && reason.contains("not found"), "{reason}");
    let (success, reason) = as_who(&deploy, &["variables", "set", "shop", "a", "b"]);
    assert!(!success && reason.contains("does not allow"), "{reason}");
    let (success, reason) = as_who(&read, &["deploy"]);
    assert!(!success && reason.contains("for looking"), "{reason}");
    assert!(as_who(&read, &["releases", "shop"]).0);

    let listed = done(&sandbox, &["tokens", "list"]);
    let id = listed.lines().find(|line| line.contains("robot")).unwrap().split(' ').next().unwrap();
    done(&sandbox, &["tokens", "revoke", id]);
    let (success, reason) = as_who(&deploy, &["releases", "shop"]);
    assert!(!success && reason.contains("no valid token"), "{reason}");
}

#[test]
fn what_was_changed_or_refused_is_in_the_audit_log() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy", "--tenant", "ada"]);
    node.order("GET", "/v1/apps", "tbl_wrong", None);
    let ada = token(&sandbox, &["ada", "--scope", "tenant", "--for", "ada"]);
    let lines = asked(&node, &admin, "/v1/audit");
    let lines = lines.as_array().unwrap();
    let find = |what: &str| lines.iter().find(|line| line["what"].as_str().unwrap() == what).unwrap();
    let activated = find("PUT /v1/apps/shop/active");
    assert_eq!((activated["who"].as_str(), activated["outcome"].as_u64()), (Some("first"), Some(200)));
    assert_eq!(activated["from"].as_str(), Some("127.0.0.1"));
    let wrong = lines.iter().find(|line| line["outcome"] == 401).unwrap();
    assert_eq!(wrong["who"].as_str(), Some("-"));
    let own = asked(&node, &ada, "/v1/audit");
    let own = own.as_array().unwrap();
    assert!(!own.is_empty() && own.iter().all(|line| line["what"] != "POST /v1/tokens"), "{own:?}");
    assert!(!node.order("GET", "/v1/audit", &admin, None).text().contains("tbl_"));
}

/// Tenants write the manifests: what these name on the node's own network is not opened by that.
#[test]
fn a_manifest_opens_no_network_of_the_node() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    // The node's own control interface, which asks for no token here.
    let url = format!("http://{}/healthz", node.control);
    sandbox.web_app("allowed_outbound_hosts = [\"http://127.0.0.1:*\"]");
    done(&sandbox, &["deploy"]);
    let told = node.get("app.localhost", &format!("/fetch?url={url}")).text();
    assert!(told.contains("Prohibited"), "{told}");
    drop(node);

    let arguments = ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--private-networks"];
    let node = Serving::spawn(sandbox.command(&arguments));
    assert_eq!(node.order("GET", "/v1/apps", &token, None).status, 200);
    let url = format!("http://{}/healthz", node.control);
    assert_eq!(node.get("app.localhost", &format!("/fetch?url={url}")).text(), "ok\n");
}

/// The same for the messages of Redis: the server is there, and is not asked.
#[test]
fn a_trigger_opens_no_network_of_the_node() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    sandbox.guest("messages-3", "app.wasm");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.redis]]\naddress = \"redis://{}\"\n\
         channel = \"c\"\ncomponent = \"app\"\n[component.app]\nsource = \"app.wasm\"\n",
        listener.local_addr().unwrap()
    );
    sandbox.file("spin.toml", manifest);
    done(&sandbox, &["deploy"]);
    let told = node.up.said("no messages from");
    assert!(told.contains("leads to an address that was not granted"), "{told}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody connected");
}

/// Whoever asks without a good token must not push out of the log what others did.
#[test]
fn strangers_do_not_fill_the_audit_log() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    let long = format!("/v1/apps/{}", "x".repeat(2000));
    for _ in 0..20 {
        assert_eq!(node.order("DELETE", &long, "tbl_wrong", None).status, 401);
    }
    let lines = asked(&node, &admin, "/v1/audit");
    let lines: Vec<_> = lines.as_array().unwrap().iter().filter(|line| line["outcome"] == 401).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0]["what"].as_str().unwrap().len() < 400);
}

/// Who goes before the node looks at what they ask has not asked. Whatever was done is in the log.
#[test]
fn a_change_is_written_down_also_if_nobody_waits_for_its_answer() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    let name = |round: u32| format!("/v1/apps/shop/variables/v{round}");
    (0..30).for_each(|round| {
        assert_eq!(node.order("PUT", &name(round), &admin, Some(r#"{"value":"x"}"#)).status, 204);
    });
    for round in 0..30 {
        let name = name(round);
        let head = format!("DELETE {name} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {admin}\r\n\r\n");
        let mut connection = tombolo_testkit::Connection::open(node.control);
        connection.send(head);
        // Some go at once, some while it is done, some after it.
        std::thread::sleep(std::time::Duration::from_micros(300) * round);
    }
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let left = asked(&node, &admin, "/v1/apps/shop/variables");
        let lines = asked(&node, &admin, "/v1/audit");
        let lines = lines.as_array().unwrap().iter();
        let told = lines.filter(|line| line["what"].as_str().unwrap().starts_with("DELETE ")).count();
        let gone = 30 - left.as_array().unwrap().len();
        if gone > 0 && gone == told {
            return;
        }
        assert!(std::time::Instant::now() < until, "{gone} are gone, {told} are in the log");
        std::thread::yield_now();
    }
}
