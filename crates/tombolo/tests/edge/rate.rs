//! How often clients may ask.

use tombolo_testkit::{Serving, Up};

use crate::{app, ask, get, sandbox, served};

/// An hour is longer than any test.
const THREE: &str = "rate_limit = { client = { requests = 1, per_s = 3600, burst = 3 } }";

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let (_sandbox, up) = served(&format!("{THREE}\ncors = {{ origins = [\"*\"] }}"));
    // A preflight starts nothing, and is not counted.
    let preflight = ["origin: https://shop.test", "access-control-request-method: PUT"];
    for _ in 0..5 {
        assert_eq!(ask(&up, "OPTIONS", "/", &preflight).status, 204);
    }
    let mut connection = up.connect();
    for path in ["/", "/files/app.js", "/short"] {
        assert_eq!(connection.get(path).status, 200, "{path}");
    }
    for path in ["/", "/files/app.js", "/short", "/panic"] {
        let refused = connection.get(path);
        assert_eq!((refused.status, refused.text().as_str()), (429, "429 Too Many Requests\n"), "{path}");
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((3000..=3600).contains(&seconds), "{seconds}");
        // A page is told too.
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    }
}

/// What a component asks of its own app is its request's, not another one of the client.
#[test]
fn requests_within_an_app_are_not_counted() {
    let sandbox = app(THREE, "allowed_outbound_hosts = [\"http://self\"]");
    let up = Up::start(&sandbox, &[]);
    for _ in 0..3 {
        let answer = get(&up, "/fetch?url=http://self.alt/short", &[]);
        assert_eq!((answer.status, answer.text().as_str()), (200, "short"));
    }
    assert_eq!(get(&up, "/", &[]).status, 429);
}

#[test]
fn an_app_has_a_rate_of_its_own() {
    let (_sandbox, up) = served("rate_limit.app = { requests = 2, per_s = 3600 }");
    assert_eq!((up.get("/").status, up.get("/short").status, up.get("/").status), (200, 200, 429));
}

/// A tight limit is also for the clients of the next release; an app beside is not asked less.
#[test]
fn a_new_release_goes_on_counting() {
    let sandbox = sandbox();
    let (node, _token) = Serving::first(&sandbox);
    let deploy = |name: &str, policies: &str, text: &str| {
        let manifest = format!(
            "spin_manifest_version = 2\n[application]\nname = \"{name}\"\n[application.tool.tombolo]\n{policies}\n\
             [[trigger.http]]\nroute = \"/...\"\nstatic_response = {{ body = \"{text}\" }}\n"
        );
        sandbox.file("spin.toml", manifest);
        let done = sandbox.tombolo(&["deploy"]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    };
    deploy("shop", THREE, "one");
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
    deploy("shop", THREE, "two");
    assert_eq!(node.get("shop.localhost", "/").text(), "two");
    assert_eq!(node.get("shop.localhost", "/").status, 200);
    assert_eq!(node.get("shop.localhost", "/").status, 429);
    deploy("other", THREE, "three");
    assert_eq!(node.get("other.localhost", "/").text(), "three");
    assert_eq!(node.get("shop.localhost", "/").status, 429);
    // Other rates begin anew.
    deploy("shop", "rate_limit.client = { requests = 1000 }", "four");
    assert_eq!(node.get("shop.localhost", "/").text(), "four");
}
