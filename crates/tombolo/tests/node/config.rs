//! `node.toml`: what it says, what is wrong with it, what of it can change.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tombolo_testkit::{Sandbox, Serving};

use crate::tls_client::{Client, Identity};
use crate::{done, refused, sandbox, written};

const HTTP_1: &[&[u8]] = &[b"http/1.1"];

/// Writes `etc/node.toml`, with free ports and a certificate, and more lines for `[tls]`.
fn write(sandbox: &Sandbox, lines: &str, tls: &str) {
    let text = format!(
        "listen = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\ndata = \"../lib\"\n{lines}\n[tls]\n\
         listen = \"127.0.0.1:0\"\n{tls}\n[[tls.certificate]]\nchain = \"tls/shop.pem\"\nkey = \"tls/shop.key\"\n\
         default = true\n"
    );
    sandbox.file("etc/node.toml", text);
}

fn serving(sandbox: &Sandbox, more: &[&str]) -> Serving {
    Serving::spawn(sandbox.command(&[&["serve", "--config", "etc/node.toml"], more].concat()))
}

/// A sandbox with a certificate that `write` names.
fn prepared() -> (Sandbox, Identity) {
    let (sandbox, identity) = (sandbox(), Identity::of(&["shop.apps.test"]));
    identity.write(&sandbox, "etc/tls/shop");
    (sandbox, identity)
}

#[test]
fn a_node_serves_as_its_file_says_and_options_win() {
    let (sandbox, identity) = prepared();
    write(&sandbox, "domain = \"Apps.test\"", "redirect = true\nhsts_s = 60");
    {
        let node = serving(&sandbox, &[]);
        node.log_in(&sandbox);
        written(&sandbox, "one");
        done(&sandbox, &["deploy"]);
        let mut client = Client::connect(node.tls_address(), "shop.apps.test", HTTP_1).unwrap();
        assert_eq!(client.shown(), identity.certificate());
        let answer = client.get("shop.apps.test", "/");
        assert_eq!(answer.body, "one");
        assert!(answer.head.contains("strict-transport-security: max-age=60"), "{}", answer.head);
        assert_eq!(node.get("shop.apps.test", "/").status, 308);
        // Beside the file's folder, not beside us.
        assert!(sandbox.path().join("lib/registry.redb").exists());
    }
    let other = Identity::of(&["other.test"]);
    other.write(&sandbox, "other");
    let options =
        ["--domain", "other.test", "--tls-redirect=false", "--tls-certificate", "other.pem", "other.key"];
    let node = serving(&sandbox, &options);
    assert_eq!(node.get("shop.other.test", "/").text(), "one");
    assert_eq!(node.get("shop.apps.test", "/").status, 404);
    let shown = Client::connect(node.tls_address(), "other.test", HTTP_1).unwrap().shown();
    assert_eq!(shown, other.certificate());
    assert!(
        Client::connect(node.tls_address(), "", HTTP_1).is_err(),
        "the file's certificate, the default one, is gone"
    );
}

#[test]
fn a_check_says_what_is_wrong_and_changes_nothing() {
    let (sandbox, _) = prepared();
    let check = ["serve", "--config", "etc/node.toml", "--check"];
    write(&sandbox, "", "");
    let said = done(&sandbox, &check);
    assert!(said.contains("configuration: `etc/node.toml`\ncertificates: 1\n"), "{said}");
    assert!(said.contains("to be made"), "{said}");
    assert!(!sandbox.path().join("lib").exists() && !sandbox.cache().exists());

    {
        let _node = serving(&sandbox, &[]);
        assert!(done(&sandbox, &check).contains("of a node that serves now"));
    }
    // It was killed.
    let before = std::fs::read(sandbox.path().join("lib/registry.redb")).unwrap();
    assert!(done(&sandbox, &check).contains("of a node"));
    assert_eq!(std::fs::read(sandbox.path().join("lib/registry.redb")).unwrap(), before);

    write(&sandbox, "  lisen = \"127.0.0.1:0\"", "");
    let said = refused(&sandbox, &check);
    assert!(said.contains("etc/node.toml:4:3: unknown field `lisen`"), "{said}");
    assert!(said.contains("did you mean `listen`?"), "{said}");
    write(&sandbox, "", "");
    sandbox.file("etc/tls/shop.key", "no key");
    let said = refused(&sandbox, &check);
    assert!(said.contains("`etc/tls/shop.key` is not what it should be, expected a private key"), "{said}");
    Identity::of(&["shop.apps.test"]).write(&sandbox, "etc/tls/shop");
    sandbox.file("lib/node.key", "short");
    assert!(refused(&sandbox, &check).contains("expected a key of 32 bytes"));
    sandbox.file("file", "");
    let said = refused(&sandbox, &["serve", "--check", "--data", "file/below"]);
    assert!(said.contains("cannot use the data folder `file/below`"), "{said}");
    for log in ["file/below/access.log", "etc"] {
        let said = refused(&sandbox, &["serve", "--check", "--access-log", log]);
        assert!(said.contains(&format!("cannot open the access log `{log}`")), "{said}");
    }
    let said = refused(&sandbox, &["serve", "--check", "--config", "none.toml"]);
    assert!(said.contains("cannot read `none.toml`"), "{said}");
    assert_eq!(sandbox.tombolo(&["serve", "--check", "--listen", "nowhere"]).code, Some(2));
}

#[test]
fn what_can_change_changes_without_a_dropped_request() {
    let (sandbox, first) = prepared();
    write(&sandbox, "domain = \"apps.test\"", "");
    let node = serving(&sandbox, &[]);
    node.log_in(&sandbox);
    for text in ["one", "two", "three"] {
        written(&sandbox, text);
        done(&sandbox, &["deploy"]);
    }
    let at = node.tls_address();
    let connect = || Client::connect(at, "shop.apps.test", HTTP_1).unwrap();
    assert_eq!(node.get("shop.apps.test", "/").text(), "three");
    assert_eq!(connect().shown(), first.certificate());
    let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stays = connect();
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(stays.get("shop.apps.test", "/").status, 200);
                assert_eq!(connect().get("shop.apps.test", "/").status, 200);
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        // Whatever fails below, the other thread ends.
        let done_then = || {
            let second = Identity::of(&["shop.apps.test"]);
            second.write(&sandbox, "etc/tls/shop");
            write(&sandbox, "domain = \"other.test\"\nreleases_max = 1", "redirect = true\nhsts_s = 60");
            node.up.signal("HUP");
            node.up.said("Read again, but what is new of `domain` holds after a restart\n");
            assert_eq!(connect().shown(), second.certificate());
            assert_eq!(node.get("shop.apps.test", "/").status, 308);
            let answer = connect().get("shop.apps.test", "/");
            assert!(answer.head.contains("strict-transport-security: max-age=60"), "{}", answer.head);
            written(&sandbox, "four");
            done(&sandbox, &["deploy"]);
            let kept = done(&sandbox, &["releases", "shop"]);
            assert!(kept.lines().count() < 4, "{kept}");

            // What is wrong changes nothing, also of what is right.
            write(&sandbox, "domain = \"apps.test\"", "hsts_s = \"long\"");
            node.up.signal("HUP");
            let said = node.up.said("The node serves as it did before\n");
            assert!(said.contains("error: etc/node.toml:7:10: `tls.hsts_s` is a string, expected"), "{said}");
            assert_eq!(node.get("shop.apps.test", "/").status, 308);
            assert_eq!(connect().shown(), second.certificate());

            write(&sandbox, "domain = \"apps.test\"", "");
            node.up.signal("HUP");
            node.up.said("Read again\n");
            assert_eq!(node.get("shop.apps.test", "/").text(), "four");
        };
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(done_then));
        is_over.store(true, Ordering::Relaxed);
        ended.unwrap();
    });
    assert!(asked.load(Ordering::Relaxed) > 0);
    assert!(node.up.stop().success());
}
