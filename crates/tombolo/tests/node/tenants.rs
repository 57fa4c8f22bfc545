//! What a token is good for: every path of the interface, from the document that describes it.

use tombolo_model::{Digest, Release};
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

/// What there is of a tenant, by its names: all that the paths of the interface are about.
struct There {
    tenant: &'static str,
    /// A token of it.
    token: String,
    /// Its id.
    id: String,
    /// A release that its app does not serve, and how often what it serves was changed.
    release: String,
    generation: u64,
    /// One that nobody sent yet.
    document: String,
}

impl There {
    /// Makes sure that all of it is there, whatever was removed.
    fn of(sandbox: &Sandbox, node: &Serving, admin: &str, tenant: &'static str) -> Self {
        let run = |arguments: &[&str]| done(sandbox, &[arguments, &["--tenant", tenant]].concat());
        sandbox.guest("kv", "kv.wasm");
        for version in ["1", "2"] {
            sandbox.file(
                "spin.toml",
                format!(
                    "spin_manifest_version = 2\n[application]\nname = \"shop\"\nversion = \"{version}\"\n\
                     [[trigger.http]]\nroute = \"/...\"\ncomponent = \"kv\"\n[component.kv]\n\
                     source = \"kv.wasm\"\nkey_value_stores = [\"default\"]\n"
                ),
            );
            run(if version == "1" { &["deploy"] } else { &["deploy", "--preview"] });
        }
        run(&["variables", "set", "shop", "greeting", "its_own"]);
        run(&["kv", "set", "shop", "greeting", "its_own"]);
        run(&["domains", "shop", "add", &format!("{tenant}.example")]);
        let sent = node.order("PUT", &Self::blob(tenant), admin, Some("abc"));
        assert!(matches!(sent.status, 200 | 201), "{}", sent.text());
        let token = token(sandbox, &[&format!("{tenant}s"), "--scope", "tenant", "--for", tenant]);
        let listed = asked(node, admin, "/v1/tokens");
        let own = listed.as_array().unwrap().iter().rfind(|it| it["name"] == format!("{tenant}s")).unwrap();
        let shop = asked(node, admin, &format!("/v1/apps/shop?tenant={tenant}"));
        let releases = asked(node, admin, &format!("/v1/apps/shop/releases?tenant={tenant}"));
        let release = releases.as_array().unwrap().iter().find(|it| it["version"] == "2").unwrap();
        let manifest = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\n\
                        route = \"/...\"\nstatic_response = { status_code = 200, body = \"x\" }\n";
        let unsent = Release { manifest: manifest.to_owned(), profile: None, files: [].into() };
        Self {
            tenant,
            token,
            id: own["id"].as_str().unwrap().to_owned(),
            release: release["digest"].as_str().unwrap().to_owned(),
            generation: shop["generation"].as_u64().unwrap(),
            document: String::from_utf8(unsent.document()).unwrap(),
        }
    }

    fn blob(tenant: &str) -> String {
        format!("/v1/blobs/{}?tenant={tenant}", Digest::of(b"abc"))
    }

    /// A path about it, without a question.
    fn path(&self, path: &str) -> String {
        let digest = match path {
            "/v1/blobs/{digest}" => Digest::of(b"abc").to_string(),
            "/v1/apps/{app}/releases/{digest}" => Digest::of(self.document.as_bytes()).to_string(),
            _ => self.release.clone(),
        };
        path.replace("{app}", "shop")
            .replace("{tenant}", self.tenant)
            .replace("{digest}", &digest)
            .replace("{domain}", &format!("{}.example", self.tenant))
            .replace("{store}", "default")
            .replace("{key}", "greeting")
            .replace("{name}", "greeting")
            .replace("{id}", &self.id)
    }

    /// A body that does something, for those that take one.
    fn body(&self, method: &str, path: &str) -> Option<String> {
        let Self { release, generation, tenant, .. } = self;
        Some(match (method, path) {
            ("PUT", "/v1/blobs/{digest}") => "abc".to_owned(),
            ("POST", "/v1/blobs/missing") => r#"{"digests":[]}"#.to_owned(),
            ("PUT", "/v1/apps/{app}/releases/{digest}") => self.document.clone(),
            ("PUT", "/v1/apps/{app}/active") => {
                format!(r#"{{"release":"{release}","generation":{generation}}}"#)
            }
            ("PUT", "/v1/apps/{app}/variables/{name}") => r#"{"value":"x"}"#.to_owned(),
            ("PUT", "/v1/apps/{app}/previews/{digest}") => "{}".to_owned(),
            ("PUT", "/v1/tenants/{tenant}/quotas") => r#"{"apps_max":0}"#.to_owned(),
            ("PUT", _) => String::new(),
            ("POST", "/v1/tokens") => format!(r#"{{"name":"x","scope":"tenant","tenant":"{tenant}"}}"#),
            _ => return None,
        })
    }
}

#[test]
fn nothing_is_told_without_a_token() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    let there = There::of(&sandbox, &node, &admin, "ada");
    let all = every_path(&node);
    assert!(all.len() > 18, "{all:?}");
    for (method, path) in all {
        for token in ["", "tbl_0000000000000000000000000000000000000000000000000000000000000000"] {
            let body = there.body(&method, &path);
            let answer = node.order(&method, &there.path(&path), token, body.as_deref());
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
}

/// What only admins may.
const ADMINS: [(&str, &str); 3] = [
    ("PUT", "/v1/tenants/{tenant}/quotas"),
    ("DELETE", "/v1/tenants/{tenant}/quotas"),
    ("PUT", "/v1/apps/{app}/domains/{domain}"),
];

/// Without this the next test would find that nobody may what nobody can.
#[test]
fn a_tenants_token_does_of_its_own_what_every_path_is_for() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    for (method, path) in every_path(&node) {
        let ada = There::of(&sandbox, &node, &admin, "ada");
        let at = match (method.as_str(), path.as_str()) {
            ("DELETE", "/v1/apps/{app}") => format!("{}?tenant=ada&with_data=true", ada.path(&path)),
            _ => format!("{}?tenant=ada", ada.path(&path)),
        };
        let answer = node.order(&method, &at, &ada.token, ada.body(&method, &path).as_deref());
        let is_admins = ADMINS.contains(&(method.as_str(), path.as_str()));
        let expected = if is_admins { 403..=403 } else { 200..=204 };
        assert!(expected.contains(&answer.status), "{method} {at}: {} {}", answer.status, answer.text());
    }
}

#[test]
fn a_tenants_token_sees_and_changes_nothing_of_another_tenant() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    let ada = There::of(&sandbox, &node, &admin, "ada");
    let all = || {
        let of = |path: &str| node.order("GET", path, &admin, None).text();
        ["", "/releases", "/variables", "/key-value/default"]
            .map(|what| of(&format!("/v1/apps/shop{what}?tenant=ada")))
    };
    let before = all();
    let scopes: [&[&str]; 3] = [&["tenant"], &["read"], &["deploy", "--app", "shop"]];
    for scope in scopes {
        let bob = token(&sandbox, &[&["bob", "--for", "bob", "--scope"], scope].concat());
        for (method, path) in every_path(&node) {
            // Without a tenant in its path, an app is the token's own tenant's.
            for at in [format!("{}?tenant=ada", ada.path(&path)), ada.path(&path)] {
                let answer = node.order(&method, &at, &bob, ada.body(&method, &path).as_deref());
                let text = answer.text();
                let told = ["its_own", "ada.example", "shop--ada", &ada.id, &ada.release];
                // What it asked itself is in its own log.
                let is_log = path == "/v1/audit";
                let told = told.iter().find(|own| !is_log && text.contains(**own) && !at.contains(**own));
                assert!(told.is_none(), "{method} {at} tells {told:?}: {text}");
                // Lists are of what a token may see, whatever is asked.
                let is_list = method == "GET" && matches!(path.as_str(), "/v1/tokens" | "/v1/tenants");
                if at.contains("ada") && !is_list {
                    assert!(matches!(answer.status, 403 | 404), "{method} {at}: {} {text}", answer.status);
                }
                if is_list {
                    let list: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                    let of = |it: &serde_json::Value| it["tenant"] == "bob" || it["name"] == "bob";
                    let all = list.as_array().into_iter().flatten();
                    assert!(all.into_iter().all(of), "{method} {at}: {text}");
                }
            }
        }
        let of_bob = |list: &str, field: &str| {
            let list = asked(&node, &bob, list);
            assert!(list.as_array().unwrap().iter().all(|it| it[field] == "bob"), "{list}");
        };
        of_bob("/v1/apps", "tenant");
        // It takes a token for the whole tenant.
        if scope.len() == 1 {
            of_bob("/v1/audit", "who");
        }
    }
    assert_eq!(all(), before);
    assert_eq!(node.order("GET", "/v1/apps", &ada.token, None).status, 200, "nobody revoked it");
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
