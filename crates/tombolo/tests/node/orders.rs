//! What is sent to the control interface and is not as it should be.

use tombolo_model::Digest;
use tombolo_testkit::{Connection, Serving};

use crate::{done, refused, sandbox, written};

fn problem(answer: &tombolo_testkit::Response) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.text());
    answer.text()
}

#[test]
fn a_file_that_is_not_what_it_says_is_not_kept() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    let digest = Digest::of(b"expected");
    let path = format!("/v1/blobs/{digest}");
    let wrong = node.order("PUT", &path, &token, Some("another"));
    assert_eq!(wrong.status, 400);
    assert!(problem(&wrong).contains(&Digest::of(b"another").to_string()));
    assert_eq!(node.order("HEAD", &path, &token, None).status, 404);

    // Cut before its end.
    let mut connection = Connection::open(node.control);
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\ncontent-length: 8\r\n\r\nexpe"
    );
    connection.send(head).writer().shutdown(std::net::Shutdown::Write).unwrap();
    let cut = connection.answer();
    assert!(cut.is_none_or(|answer| answer.status == 400));
    assert_eq!(node.order("HEAD", &path, &token, None).status, 404);

    assert_eq!(node.order("PUT", &path, &token, Some("expected")).status, 201);
    assert_eq!(node.order("PUT", &path, &token, Some("expected")).status, 201, "it may be sent again");
    assert_eq!(node.order("HEAD", &path, &token, None).status, 200);
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\ncontent-length: 999999999999\r\n\r\n"
    );
    let large = Connection::open(node.control).send(head).answer().unwrap();
    assert_eq!(large.status, 413);
}

#[test]
fn a_release_that_cannot_be_served_is_refused_with_all_reasons() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    let send = |document: &str| {
        let path = format!("/v1/apps/shop/releases/{}", Digest::of(document.as_bytes()));
        node.order("PUT", &path, &token, Some(document))
    };
    let check = |document: &str, status: u16, parts: &[&str]| {
        let answer = send(document);
        let text = problem(&answer);
        assert_eq!(answer.status, status, "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    check("{", 400, &["line 1"]);
    check(r#"{"manifest":"","files":{},"more":1}"#, 400, &["more"]);
    check(
        r#"{"manifest":"spin_manifest_version = 1","files":{}}"#,
        422,
        &["spin.toml", "spin_manifest_version"],
    );
    let absent = Digest::of(b"absent");
    check(
        &format!(r#"{{"manifest":"","files":{{"a":{{"digest":"{absent}","bytes":1}}}}}}"#),
        422,
        &["was not sent"],
    );
    check(
        &format!(r#"{{"manifest":"","files":{{"../a":{{"digest":"{absent}","bytes":1}}}}}}"#),
        400,
        &["`../a`"],
    );
    let manifest = "spin_manifest_version = 2\\n[application]\\nname = \\\"a\\\"\\n[[trigger.http]]\\nroute = \
        \\\"/...\\\"\\ncomponent = \\\"web\\\"\\n[component.web]\\nsource = \\\"x\\\"\\nfiles = [{ source = \\\"../x\\\", destination = \\\"/\\\" }]\\n";
    check(
        &format!(r#"{{"manifest":"{manifest}","files":{{}}}}"#),
        422,
        &["lacks", "outside of the app's folder"],
    );
    let wrong = node.order("PUT", &format!("/v1/apps/shop/releases/{absent}"), &token, Some("{}"));
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    assert_eq!(
        node.order("GET", "/v1/apps/shop", &token, None).status,
        404,
        "nothing was left of any of them"
    );
}

/// One deploy tells all that is to be done, whichever step of making it ready finds it.
#[test]
fn what_is_missing_unknown_undefined_or_above_a_quota_is_told_at_once() {
    let sandbox = sandbox();
    let (_node, _token) = Serving::first(&sandbox);
    done(&sandbox, &["tenants", "quotas", "default", "--memory-mib", "64", "--concurrency", "8"]);
    sandbox
        .file("import.wat", r#"(component (import "acme:one/first@1.0.0" (instance (export "f" (func)))))"#);
    sandbox.guest("web", "web.wasm");
    sandbox.file(
        "spin.toml",
        "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[variables]\nkey = { required = true }\n\
         host = { required = true }\n[[trigger.http]]\nroute = \"/...\"\ncomponent = \"a\"\n[[trigger.http]]\n\
         route = \"/b\"\ncomponent = \"b\"\n[component.a]\nsource = \"import.wat\"\n\
         [component.a.tool.tombolo]\nmemory_mib_max = 512\n[component.b]\nsource = \"web.wasm\"\n\
         key_value_stores = [\"elsewhere\"]\nallowed_outbound_hosts = [\"https://{{ host }}\"]\n\
         [component.b.variables]\nkey = \"{{ key }}\"\n[component.b.tool.tombolo]\nconcurrency_max = 9\n",
    );
    let told = refused(&sandbox, &["deploy"]);
    for reason in [
        "variable `key` has no value: set it with `tombolo variables set shop key`",
        "variable `host` has no value",
        "component `a`: `memory_mib_max` is 512, and its tenant has 64 for all",
        "component `b`: `concurrency_max` is 9, and its tenant has 8 for all",
        "it imports what is not there: acme:one/first@1.0.0",
        "elsewhere",
    ] {
        assert!(told.contains(reason), "{reason} is not in: {told}");
    }
    for name in ["key", "host"] {
        done(&sandbox, &["variables", "set", "shop", name, "x"]);
    }
    let told = refused(&sandbox, &["deploy"]);
    assert!(!told.contains("has no value") && told.contains("memory_mib_max"), "{told}");
    done(&sandbox, &["tenants", "quotas", "default", "--usual"]);
    let told = refused(&sandbox, &["deploy"]);
    assert!(!told.contains("for all") && told.contains("acme:one") && told.contains("elsewhere"), "{told}");
}

#[test]
fn names_and_words_that_are_not_as_expected_are_refused() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    for (method, path, body, status, part) in [
        ("GET", "/v1/apps/Shop", None, 400, "`Shop`"),
        ("GET", "/v1/apps/none", None, 404, "`none`"),
        ("GET", "/v1/apps?tenent=a", None, 400, "tenent"),
        ("GET", "/v1/apps?tenant=A", None, 400, "`A`"),
        ("GET", "/v1/nothing", None, 404, "openapi.json"),
        ("POST", "/v1/apps", None, 405, "cannot be done"),
        ("PUT", "/v1/apps/shop/active", Some("{}"), 400, "release"),
        ("PUT", "/v1/apps/shop/active", Some(r#"{"release":"sha256:00","generation":1}"#), 400, "sha256"),
        ("PUT", "/v1/apps/shop/domains/10.0.0.1", None, 400, "10.0.0.1"),
        ("PUT", "/v1/apps/shop/domains/x.localhost", None, 400, "localhost"),
        ("POST", "/v1/tokens", Some(r#"{"name":"","scope":"read"}"#), 400, "name"),
        ("POST", "/v1/tokens", Some(r#"{"name":"x","scope":"deploy"}"#), 400, "app"),
        ("POST", "/v1/tokens", Some(r#"{"name":"x","scope":"root"}"#), 400, "root"),
        ("DELETE", "/v1/tokens/0000", None, 404, "0000"),
        ("PUT", "/v1/blobs/md5:00", Some(""), 400, "md5"),
    ] {
        let answer = node.order(method, path, &token, body);
        let text = problem(&answer);
        assert_eq!(answer.status, status, "{method} {path}: {text}");
        assert!(text.contains(part), "{method} {path}: {text}");
    }
    assert_eq!(node.order("GET", "/healthz", "", None).status, 200);
    assert_eq!(node.order("GET", "/readyz", "", None).status, 200);
}

#[test]
fn an_app_answers_at_its_domains() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    done(&sandbox, &["deploy", "--name", "other"]);
    let put = |app: &str| node.order("PUT", &format!("/v1/apps/{app}/domains/Shop.example"), &token, None);
    assert_eq!(put("shop").status, 200);
    assert_eq!(node.get("shop.example", "/").text(), "one");
    assert_eq!(put("other").status, 409, "one host is one app's");
    assert_eq!(node.order("DELETE", "/v1/apps/shop/domains/shop.example", &token, None).status, 200);
    assert_eq!(node.get("shop.example", "/").status, 404);
    assert_eq!(put("other").status, 200);
    assert_eq!(node.order("DELETE", "/v1/apps/other", &token, None).status, 204);
    assert_eq!(node.get("other.localhost", "/").status, 404);
    assert_eq!(put("shop").status, 200, "with an app its domains are free");
}

/// Two processes on one folder would each overwrite what the other keeps.
#[test]
fn a_second_node_on_the_same_data_is_refused() {
    let sandbox = sandbox();
    let (_node, _) = Serving::first(&sandbox);
    let second = sandbox.tombolo(&["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("registry.redb"), "{}", second.stderr);
}
