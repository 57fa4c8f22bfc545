//! Files as a part of an app, from its start over its changes to its log.

use std::fs;
use std::time::{Duration, Instant};

use tombolo_testkit::Up;

use crate::site::{MANIFEST, sandbox, site};

#[test]
fn components_and_files_share_an_app() {
    let sandbox = sandbox();
    sandbox.guest("web", "web.wasm");
    let component = "[[trigger.http]]\nroute = \"/echo/...\"\ncomponent = \"web\"\n[component.web]\nsource = \"web.wasm\"\n";
    sandbox.file("spin.toml", format!("{MANIFEST}{component}"));
    sandbox.file("dist/index.html", "home");
    sandbox.file("dist/echo/hidden.txt", "behind the component");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/").text(), "home");
    assert_eq!(up.post("/echo", b"from the component").text(), "from the component");
    assert_eq!(up.get("/echo/hidden.txt").status, 404);
    drop(up);
    sandbox.file("spin.toml", format!("{MANIFEST}{}", component.replace("/echo/...", "/...")));
    let refused = sandbox.tombolo(&["up"]);
    assert_eq!(
        (refused.code, refused.stderr.as_str()),
        (Some(1), "error: the route `/...` is that of component `web` and of the static assets in `dist`\n")
    );
}

#[test]
fn a_directory_that_is_not_there_is_named_with_its_field() {
    let sandbox = sandbox();
    sandbox.file("spin.toml", MANIFEST);
    let refused = sandbox.tombolo(&["up"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.ends_with(
            "error: static assets of `/...`: cannot read `directory`, which is `./dist`: No such file or directory \
             (os error 2)\n\nhint: build what goes there first, or correct `directory`, which is relative to the \
             manifest\n"
        ),
        "{}",
        refused.stderr
    );
    sandbox.file("dist", "a file");
    let refused = sandbox.tombolo(&["up"]);
    assert!(refused.stderr.contains("`./dist`: Not a directory"), "{}", refused.stderr);
}

/// What is built anew is served anew: without a restart, and without being told.
#[test]
fn changed_files_are_served_at_once() {
    let sandbox = site("");
    let up = Up::start(&sandbox, &[]);
    let mut tags = Vec::new();
    for content in ["1", "2", "3", "1"] {
        sandbox.file("dist/app.js", content);
        let response = up.get("/app.js");
        assert_eq!(response.text(), content);
        tags.push(response.header("etag").unwrap().to_owned());
    }
    assert!(tags[0] == tags[3] && tags[0] != tags[1] && tags[1] != tags[2], "{tags:?}");
    // A folder that is put in the place of the old one, as a release does.
    fs::rename(sandbox.path().join("dist"), sandbox.path().join("before")).unwrap();
    assert_eq!(up.get("/app.js").status, 500);
    up.said("site: static assets of /...: request");
    sandbox.file("dist/app.js", "after");
    assert_eq!(up.get("/app.js").text(), "after");
}

#[test]
fn a_changed_manifest_is_followed() {
    let sandbox = site("");
    sandbox.file("other/app.js", "other");
    let up = Up::start(&sandbox, &["--watch"]);
    assert_eq!(up.get("/app.js").text(), "const it = 1;");
    sandbox.file("dist/app.js", "changed");
    assert_eq!(up.get("/app.js").text(), "changed");
    let until = Instant::now() + Duration::from_secs(30);
    sandbox.file("spin.toml", MANIFEST.replace("dist", "missing"));
    up.said("The app is served as it was before");
    assert_eq!(up.get("/app.js").text(), "changed");
    sandbox.file("spin.toml", MANIFEST.replace("dist", "other"));
    while up.get("/app.js").text() != "other" {
        assert!(Instant::now() < until);
    }
}

#[test]
fn a_request_for_a_file_is_in_the_log_of_requests() {
    let sandbox = site("");
    let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0", "--server-timing"]);
    command.env("TOMBOLO_LOG", "request=info");
    let up = Up::spawn(command);
    let response = up.get("/app.js");
    assert!(response.header("server-timing").unwrap().starts_with("total;dur="));
    let said = up.said("response_bytes=13");
    let event = said.lines().find(|line| line.contains("response_bytes=13")).unwrap();
    for part in ["app=\"site\"", "assets=\"/...\"", "outcome=Answered", "status=200"] {
        assert!(event.contains(part), "{event}");
    }
}
