//! What tenants take of the disk: it is counted, bounded, and given back, and some of it is the node's own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tombolo_model::Digest;
use tombolo_testkit::{Connection, Response, Sandbox, Serving};

use crate::{asked, done, refused, sandbox, written};

/// Sends a file of a tenant.
fn send(node: &Serving, token: &str, tenant: &str, text: &str) -> Response {
    let path = format!("/v1/blobs/{}?tenant={tenant}", Digest::of(text.as_bytes()));
    node.order("PUT", &path, token, Some(text))
}

fn bytes_of(node: &Serving, token: &str, tenant: &str) -> u64 {
    asked(node, token, &format!("/v1/tenants/{tenant}"))["usage"]["releases_bytes"].as_u64().unwrap()
}

/// The file of a blob, which the test must not ask for: who asks relies on it.
fn blob(sandbox: &Sandbox, text: &str) -> PathBuf {
    let digest = Digest::of(text.as_bytes()).hex();
    sandbox.path().join("data/tombolo/releases/blobs").join(digest)
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "{what}: it is not so after 30 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_a_tenant_sends_is_counted_and_bounded() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    done(&sandbox, &["tenants", "quotas", "ada", "--releases-mib", "1"]);
    let [one, other] = ["1", "2"].map(|text| text.repeat(600 << 10));
    assert_eq!(send(&node, &admin, "ada", &one).status, 201);
    assert_eq!(bytes_of(&node, &admin, "ada"), 600 << 10);
    let refusal = send(&node, &admin, "ada", &other);
    assert_eq!(refusal.status, 422);
    assert!(refusal.text().contains("take 1 MiB, of 1 MiB that they may"), "{}", refusal.text());
    // Nor where nobody says beforehand how much comes.
    let mut connection = Connection::open(node.control);
    let path = format!("/v1/blobs/{}?tenant=ada", Digest::of(other.as_bytes()));
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {admin}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    connection.send(head).send(format!("{:x}\r\n{other}\r\n0\r\n\r\n", other.len()));
    assert_eq!(connection.answer().map(|answer| answer.status), Some(422));
    assert_eq!(bytes_of(&node, &admin, "ada"), 600 << 10, "nothing of it is left");
    // Another tenant is not told that it is there, and has it in full.
    let path = format!("/v1/blobs/{}?tenant=bob", Digest::of(one.as_bytes()));
    assert_eq!(node.order("HEAD", &path, &admin, None).status, 404);
    assert_eq!(send(&node, &admin, "bob", &one).status, 201);
    assert_eq!(bytes_of(&node, &admin, "bob"), 600 << 10);

    // What a release takes besides its files counts as well, and the command is told before it sends a large file.
    written(&sandbox, "one");
    done(&sandbox, &["deploy", "--tenant", "ada"]);
    let bytes = bytes_of(&node, &admin, "ada");
    assert!(bytes > 600 << 10, "{bytes}");
    sandbox.web_app("files = [\"large.txt\"]");
    sandbox.file("large.txt", other);
    let reason = refused(&sandbox, &["deploy", "--tenant", "ada"]);
    assert!(reason.contains("the file cannot be taken") && reason.contains("of 1 MiB"), "{reason}");
    let shown = done(&sandbox, &["tenants", "list"]);
    assert!(shown.contains("releases  1 of 1 MiB"), "{shown}");
    // It is known after a restart too.
    drop(node);
    let node = Serving::start(&sandbox);
    assert_eq!(bytes_of(&node, &admin, "bob"), 600 << 10);
    assert!(bytes_of(&node, &admin, "ada") >= bytes);
}

#[test]
fn files_that_no_release_names_go_while_the_node_serves() {
    let sandbox = sandbox();
    let node = Serving::start_with(&sandbox, &["--uploads-kept-s", "1"]);
    let token = node.log_in(&sandbox);
    sandbox.web_app("files = [\"served.txt\"]");
    sandbox.file("served.txt", "served");
    done(&sandbox, &["deploy"]);
    for tenant in ["default", "ada"] {
        assert_eq!(send(&node, &token, tenant, "stray").status, 201);
    }
    assert!(blob(&sandbox, "stray").exists() && blob(&sandbox, "served").exists());
    wait_until("the stray file goes", || !blob(&sandbox, "stray").exists());
    wait_until("nor does it count", || bytes_of(&node, &token, "ada") == 0);
    assert!(blob(&sandbox, "served").exists());
    assert_eq!(node.get("app.localhost", "/").text(), "hello");
    // What was removed with its app goes as well, and what another app needs stays.
    done(&sandbox, &["deploy", "--name", "other"]);
    done(&sandbox, &["apps", "remove", "app"]);
    assert!(bytes_of(&node, &token, "default") > 0);
    assert!(blob(&sandbox, "served").exists());
    done(&sandbox, &["apps", "remove", "other"]);
    wait_until("nothing is left", || bytes_of(&node, &token, "default") == 0);
    assert!(!blob(&sandbox, "served").exists());
}

#[test]
fn an_app_goes_with_what_it_keeps_if_that_is_meant() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    assert_eq!(done(&sandbox, &["apps", "remove", "shop"]), "shop is removed\n");
    assert!(refused(&sandbox, &["apps", "remove", "shop"]).contains("no app `shop`"));
    assert_eq!(node.get("shop.localhost", "/").status, 404);

    sandbox.web_app("key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]");
    done(&sandbox, &["deploy"]);
    done(&sandbox, &["deploy", "--name", "other"]);
    for app in ["app", "other"] {
        done(&sandbox, &["kv", "set", app, "greeting", "welcome"]);
    }
    let reason = refused(&sandbox, &["apps", "remove", "app"]);
    assert!(reason.contains("it keeps keys in a key-value store"), "{reason}");
    assert!(reason.contains("it keeps the SQLite database `default`"), "{reason}");
    assert!(reason.contains("hint") && reason.contains("--with-data"), "{reason}");
    assert_eq!(node.get("app.localhost", "/").status, 200, "it stays as it was");
    assert_eq!(done(&sandbox, &["kv", "get", "app", "greeting"]), "welcome");

    let databases = node.up.path(&sandbox.path().join("data/tombolo/tenants/default/sqlite"));
    assert!(databases.join("app/default.db").exists());
    assert_eq!(done(&sandbox, &["apps", "remove", "app", "--with-data"]), "app is removed\n");
    assert!(!databases.join("app").exists() && databases.join("other/default.db").exists());
    // A new app of this name begins anew.
    done(&sandbox, &["deploy"]);
    assert_eq!(done(&sandbox, &["kv", "list", "app"]), "");
    assert_eq!(done(&sandbox, &["kv", "get", "other", "greeting"]), "welcome");
    assert_eq!(node.get("app.localhost", "/").status, 200);
    let audit = asked(&node, &admin, "/v1/audit");
    let removals = audit.as_array().unwrap().iter().filter(|line| line["what"] == "DELETE /v1/apps/app");
    assert_eq!(removals.map(|line| line["outcome"].as_u64().unwrap()).collect::<Vec<_>>(), [204, 422]);
}

/// A node whose data folder is a disk of a size, mounted in a namespace of the test's own.
fn on_disk(sandbox: &Sandbox, size: &str, arguments: &[&str]) -> Command {
    let data = sandbox.path().join("data/tombolo");
    std::fs::create_dir_all(&data).unwrap();
    let script = format!(r#"mount -t tmpfs -o size={size},mode=700 none "$0" && exec "$@""#);
    let usual = ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    crate::folders::in_namespace(sandbox, &script, &data, &[&usual, arguments].concat())
}

/// Fills a disk but for so many bytes.
fn fill(folder: &Path, left: u64) -> PathBuf {
    let filler = folder.join("filler");
    let disk = rustix::fs::statvfs(folder).unwrap();
    let bytes = disk.f_bavail * disk.f_frsize - left;
    std::fs::write(&filler, vec![0; bytes as usize]).unwrap();
    filler
}

/// What is left below the floor is the node's own: tenants are told, and what has to be done on a full disk can be.
#[test]
fn a_disk_that_is_nearly_full_takes_nothing_of_tenants_and_the_node_goes_on() {
    let sandbox = sandbox();
    let node = Serving::spawn(on_disk(&sandbox, "64m", &["--uploads-kept-s", "1"]));
    let token = node.log_in(&sandbox);
    for text in ["one", "two"] {
        written(&sandbox, text);
        done(&sandbox, &["deploy"]);
    }
    sandbox.guest("kv", "kv.wasm");
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"kv\"\n[[trigger.http]]\nroute = \"/...\"\n\
        component = \"kv\"\n[component.kv]\nsource = \"kv.wasm\"\nkey_value_stores = [\"default\"]\n";
    sandbox.file("spin.toml", manifest);
    done(&sandbox, &["deploy"]);
    assert_eq!(node.get("kv.localhost", "/large").text(), "Ok(())");
    // More than there is, before any of it comes.
    let head = format!(
        "PUT /v1/blobs/{} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\ncontent-length: 80000000\r\n\r\n",
        Digest::of(b"")
    );
    let answer = Connection::open(node.control).send(head).answer().unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (507, Some("application/problem+json")));
    assert!(answer.text().contains("the node has no room for it"), "{}", answer.text());
    assert_eq!(send(&node, &token, "default", "small").status, 201, "what has room is taken");

    // 5 % of 64 MiB are 3.2.
    let filler = fill(&node.up.path(&sandbox.path().join("data/tombolo")), 3 << 20);
    let answer = send(&node, &token, "default", "another");
    assert_eq!(answer.status, 507);
    assert!(answer.text().contains("of which the node keeps 4 for itself"), "{}", answer.text());
    written(&sandbox, "three");
    assert!(refused(&sandbox, &["deploy"]).contains("the node has no room for it"));
    assert!(
        refused(&sandbox, &["kv", "set", "shop", "key", "value"]).contains("the node has no room for it")
    );
    let large = || node.get("kv.localhost", "/large").text();
    wait_until("guests are held back", || large().contains("as many bytes as it may"));
    // It serves, and can be told to serve something else, and to remove things.
    assert_eq!(node.get("shop.localhost", "/").text(), "two");
    done(&sandbox, &["rollback", "shop"]);
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
    done(&sandbox, &["kv", "delete", "shop", "key"]);
    std::fs::remove_file(filler).unwrap();
    wait_until("guests may write again", || large() == "Ok(())");
    written(&sandbox, "three");
    done(&sandbox, &["deploy"]);
    assert_eq!(node.get("shop.localhost", "/").text(), "three");
    done(&sandbox, &["apps", "remove", "shop"]);
}
