//! What happened, and who is told.

use tombolo_testkit::{Connection, Serving};

use crate::{done, refused, sandbox, written};

/// The events that somebody is told.
fn events(node: &Serving, token: &str, query: &str) -> Vec<serde_json::Value> {
    let answer = node.order("GET", &format!("/v1/events{query}"), token, None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[test]
fn what_happens_is_told_to_those_it_concerns() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    let mut followed = Connection::open(node.control);
    followed.send(format!(
        "GET /v1/events?lines=0&follow=true HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {admin}\r\n\r\n"
    ));
    assert_eq!(followed.head().unwrap().status, 200);
    for text in ["one", "two"] {
        written(&sandbox, text);
        done(&sandbox, &["deploy", "--tenant", "ada"]);
    }
    done(&sandbox, &["rollback", "shop", "--tenant", "ada"]);
    sandbox.file("spin.toml", "spin_manifest_version = 2\n[application]\nname = \"shop\"\n");
    let reason = refused(&sandbox, &["deploy", "--tenant", "ada"]);
    let ada = done(&sandbox, &["tokens", "create", "adas", "--scope", "read", "--for", "ada"]);
    done(&sandbox, &["tokens", "create", "second", "--scope", "admin"]);
    let listed = done(&sandbox, &["tokens", "list"]);
    let id = listed.lines().find(|line| line.contains("second")).unwrap().split(' ').next().unwrap();
    done(&sandbox, &["tokens", "revoke", id]);
    assert_eq!(node.order("DELETE", "/v1/apps/shop?tenant=ada", &admin, None).status, 204);

    let all = events(&node, &admin, "");
    let expected = [
        "activated",
        "activated",
        "rolled-back",
        "deployment-refused",
        "token-made",
        "token-made",
        "token-revoked",
        "app-removed",
    ];
    assert_eq!(kinds(&all), expected, "{all:?}");
    for event in &all {
        let chunk = followed.chunk().unwrap().expect("an event");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&chunk).unwrap(), *event);
    }
    assert_eq!(all[2]["release"], all[0]["release"]);
    assert_eq!((all[2]["tenant"].as_str(), all[2]["app"].as_str()), (Some("ada"), Some("shop")));
    assert_eq!(all[2]["who"].as_str(), Some("first"));
    let detail = all[3]["detail"].as_str().unwrap();
    assert!(detail.contains("nothing to serve") && reason.contains("nothing to serve"), "{detail}");
    assert!(!all.iter().any(|event| event.to_string().contains("tbl_")), "no token is told");

    // A tenant is told its own, and not of tokens that are for all.
    let own = events(&node, ada.trim(), "");
    let expected =
        ["activated", "activated", "rolled-back", "deployment-refused", "token-made", "app-removed"];
    assert_eq!(kinds(&own), expected);
    assert_eq!(events(&node, ada.trim(), "?lines=1"), own[5..]);
    assert_eq!(node.order("GET", "/v1/events?tenant=default", ada.trim(), None).status, 404);
    let bob = done(&sandbox, &["tokens", "create", "bobs", "--scope", "tenant", "--for", "bob"]);
    assert_eq!(kinds(&events(&node, bob.trim(), "")), ["token-made"]);
    let robot = done(&sandbox, &["tokens", "create", "robot", "--scope", "deploy", "--app", "x"]);
    assert_eq!(node.order("GET", "/v1/events", robot.trim(), None).status, 403);

    let printed = done(&sandbox, &["events", "--lines", "20"]);
    let line = printed.lines().find(|line| line.contains("rolled-back")).unwrap();
    assert!(line.starts_with("20") && line.contains("ada/shop") && line.contains("first"), "{printed}");
    let more = followed.chunk().unwrap();
    assert!(more.is_some(), "tokens were made meanwhile");
    assert!(node.up.stop().success());
    while followed.chunk().unwrap().is_some() {}
}

#[test]
fn an_app_that_does_not_come_up_again_is_an_event() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.web_app("[variables]\nx = { default = \"\" }");
    done(&sandbox, &["deploy"]);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    assert!(node.up.stop().success());
    // Its release is gone: what is left of it is a name.
    let key = sandbox.path().join("data/tombolo/releases");
    remove_documents(&key);
    let node = Serving::start(&sandbox);
    let told = events(&node, &token, "");
    let failed: Vec<_> = told.iter().filter(|event| event["kind"] == "app-failed").collect();
    assert_eq!(failed.len(), 2, "{told:?}");
    assert!(failed.iter().any(|event| event["app"] == "shop" && event["who"] == "-"), "{failed:?}");
    assert!(failed[0]["detail"].as_str().unwrap().contains("no release"), "{failed:?}");
    assert_eq!(node.order("GET", "/readyz", "", None).status, 200, "others are served");
}

/// Removes the documents of releases, which are blobs that begin like one.
fn remove_documents(folder: &std::path::Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            remove_documents(&path);
        } else if std::fs::read(&path).unwrap().starts_with(b"{\"manifest\"") {
            std::fs::remove_file(&path).unwrap();
        }
    }
}
