//! What apps keep in key-value stores, their hosts, and what goes on in them, from the command line.

use tombolo_testkit::Serving;

use crate::{asked, done, refused, sandbox, written};

#[test]
fn what_an_app_keeps_can_be_seen_and_changed() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.guest("kv", "kv.wasm");
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
        component = \"kv\"\n[component.kv]\nsource = \"kv.wasm\"\nkey_value_stores = [\"default\"]\n";
    sandbox.file("spin.toml", manifest);
    done(&sandbox, &["deploy"]);
    assert_eq!(node.get("app.localhost", "/seen").text(), "false");
    // What is set from outside is what the guest sees, and the other way round.
    done(&sandbox, &["kv", "set", "app", "late", "x"]);
    assert_eq!(node.get("app.localhost", "/seen").text(), "true");
    assert_eq!(node.get("app.localhost", "/forget").text(), "Ok(())");
    assert!(refused(&sandbox, &["kv", "get", "app", "late"]).contains("no key `late`"));

    let odd = "a/b ?c=\u{e9}&d%2f\n..";
    let value = sandbox.tombolo_reading("two\nlines\n", &["kv", "set", "app", odd]);
    assert_eq!(value.code, Some(0), "{}", value.stderr);
    assert_eq!(done(&sandbox, &["kv", "get", "app", odd]), "two\nlines\n");
    assert_eq!(done(&sandbox, &["kv", "list", "app"]), "a/b ?c=\u{e9}&d%2f\\u{a}..\n");
    let json: Vec<String> = serde_json::from_str(&done(&sandbox, &["kv", "list", "app", "--json"])).unwrap();
    assert_eq!(json, [odd]);
    done(&sandbox, &["kv", "delete", "app", odd]);
    done(&sandbox, &["kv", "delete", "app", odd]);
    assert_eq!(done(&sandbox, &["kv", "list", "app"]), "");
    assert!(refused(&sandbox, &["kv", "list", "app", "--store", "other"]).contains("no store `other`"));
    assert!(refused(&sandbox, &["kv", "list", "none"]).contains("no app `none`"));

    // More than one answer has.
    for number in 0..5 {
        done(&sandbox, &["kv", "set", "app", &format!("key-{number}"), "x"]);
    }
    let page = asked(&node, &token, "/v1/apps/app/key-value/default?count=2&after=key-1");
    assert_eq!(page, serde_json::json!({ "keys": ["key-2", "key-3"], "more": true }));
    let last = asked(&node, &token, "/v1/apps/app/key-value/default?count=2&after=key-3");
    assert_eq!(last, serde_json::json!({ "keys": ["key-4"], "more": false }));
    let long = "k".repeat(5000);
    let path = format!("/v1/apps/app/key-value/default/{long}");
    assert_eq!(node.order("PUT", &path, &token, Some("x")).status, 413);
}

/// One app of a tenant does not see what another keeps, nor does a token for looking change anything.
#[test]
fn what_apps_keep_is_apart_and_looking_changes_nothing() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    written(&sandbox, "one");
    for app in ["shop", "other"] {
        done(&sandbox, &["deploy", "--name", app]);
    }
    done(&sandbox, &["deploy", "--tenant", "ada"]);
    done(&sandbox, &["kv", "set", "shop", "a", "1"]);
    assert_eq!(done(&sandbox, &["kv", "list", "other"]), "");
    assert_eq!(done(&sandbox, &["kv", "list", "shop", "--tenant", "ada"]), "");
    let make = |arguments: &[&str]| {
        done(&sandbox, &[&["tokens", "create", "x"], arguments].concat()).trim().to_owned()
    };
    let (read, robot) = (make(&["--scope", "read"]), make(&["--scope", "deploy", "--app", "shop"]));
    let path = "/v1/apps/shop/key-value/default/a";
    assert_eq!(node.order("GET", path, &read, None).text(), "1");
    assert_eq!(node.order("PUT", path, &read, Some("2")).status, 403);
    assert_eq!(node.order("DELETE", path, &read, None).status, 403);
    assert_eq!(node.order("PUT", path, &robot, Some("2")).status, 204);
    assert_eq!(node.order("GET", path, &robot, None).text(), "2");
    let other = "/v1/apps/other/key-value/default/a";
    assert_eq!(node.order("PUT", other, &robot, Some("2")).status, 404);
}

#[test]
fn an_admin_names_the_hosts_of_an_app() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    assert_eq!(done(&sandbox, &["domains", "shop"]), "");
    assert_eq!(done(&sandbox, &["domains", "shop", "add", "Shop.example"]), "shop.example\n");
    assert_eq!(node.get("shop.example", "/").text(), "one");
    assert_eq!(
        done(&sandbox, &["domains", "shop", "--json"]).split_whitespace().collect::<String>(),
        "[\"shop.example\"]"
    );
    assert_eq!(done(&sandbox, &["domains", "shop", "remove", "shop.example"]), "");
    assert_eq!(node.get("shop.example", "/").status, 404);
    assert!(refused(&sandbox, &["domains", "none"]).contains("no app `none`"));
    assert_eq!(sandbox.tombolo(&["domains", "shop", "add"]).code, Some(2));
    assert_eq!(sandbox.tombolo(&["domains", "shop", "add", "10.0.0.1"]).code, Some(2));
}

#[test]
fn what_goes_on_is_shown_to_people_and_programs() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    let address = node.up.address();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = tombolo_testkit::Connection::open(address);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                connection.send("GET / HTTP/1.1\r\nhost: shop.localhost\r\n\r\n").answer().unwrap();
            }
        });
        let json = done(&sandbox, &["top", "--once", "--json", "--interval", "1"]);
        let table = done(&sandbox, &["top", "--once", "--interval", "1"]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let rates: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((rates[0]["tenant"].as_str(), rates[0]["app"].as_str()), (Some("default"), Some("shop")));
        assert!(rates[0]["requests_per_s"].as_f64().unwrap() > 1.0, "{rates}");
        assert_eq!(rates[0]["errors_per_s"].as_f64(), Some(0.0));
        assert!(rates[0]["p50_ms"].as_f64().unwrap() <= rates[0]["p99_ms"].as_f64().unwrap());
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines.len() == 2 && lines[0].starts_with("APP") && lines[1].starts_with("default/shop"),
            "{table}"
        );
        assert!(!table.contains('\u{1b}'), "no terminal, nothing for one");
    });
}

#[test]
fn shells_complete_every_command() {
    let sandbox = sandbox();
    for shell in ["bash", "zsh", "fish"] {
        let script = done(&sandbox, &["completions", shell]);
        for command in ["serve", "deploy", "logs", "top", "kv", "domains"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    let syntax = std::process::Command::new("bash")
        .args(["-n", "-c", &done(&sandbox, &["completions", "bash"])])
        .output()
        .unwrap();
    assert!(syntax.status.success(), "{syntax:?}");
}
