//! Pages of other origins.

use crate::upstream::Upstream;
use crate::{app, ask, get, served, values};
use tombolo_testkit::Up;

const SHOP: &str = "origin: https://shop.test";
const OTHER: &str = "origin: https://other.test";
const PUT: &str = "access-control-request-method: PUT";

const CORS: &str = "cors = { origins = [\"https://shop.test\"], methods = [\"GET\", \"PUT\"], \
    headers = [\"content-type\"], expose_headers = [\"x-own\"], credentials = true, max_age_s = 600 }";

/// `/panic` would trap: no component was asked.
#[test]
fn a_preflight_is_answered_without_a_component() {
    let (_sandbox, up) = served(CORS);
    for path in ["/panic", "/files/app.js", "/files/none"] {
        let answer = ask(&up, "OPTIONS", path, &[SHOP, PUT]);
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        for (name, value) in [
            ("access-control-allow-origin", "https://shop.test"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET, PUT"),
            ("access-control-allow-headers", "content-type"),
            ("access-control-max-age", "600"),
            ("vary", "origin"),
        ] {
            assert_eq!(values(&answer, name), [value], "{path}");
        }
        let other = ask(&up, "OPTIONS", path, &[OTHER, PUT]);
        assert_eq!((other.status, other.header("access-control-allow-origin")), (403, None), "{path}");
        assert_eq!(other.header("vary"), Some("origin"));
    }
    // Not a preflight: its component answers.
    assert_eq!(ask(&up, "OPTIONS", "/panic", &[SHOP]).status, 500);
    assert_eq!(ask(&up, "OPTIONS", "/", &[SHOP]).text(), "hello");
}

/// A page cannot see why it was refused unless the refusal says that it may.
#[test]
fn every_answer_says_who_may_read_it() {
    let (_sandbox, up) = served(CORS);
    for (path, status) in [
        ("/", 200),
        ("/none", 404),
        ("/panic", 500),
        ("/short", 200),
        ("/files/app.js", 200),
        ("/files/none", 404),
        ("/files/%zz", 400),
    ] {
        let answer = get(&up, path, &[SHOP]);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(values(&answer, "access-control-allow-origin"), ["https://shop.test"], "{path}");
        assert_eq!(values(&answer, "access-control-expose-headers"), ["x-own"], "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), None, "{path}");
        for lines in [&[OTHER][..], &[]] {
            let answer = get(&up, path, lines);
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
            assert_eq!(values(&answer, "vary"), ["origin"], "{path}");
        }
    }
}

#[test]
fn anybody_may_ask_an_app_that_says_so() {
    let (_sandbox, up) = served("cors = { origins = [\"*\"] }");
    for lines in [&[OTHER][..], &[]] {
        let answer = get(&up, "/", lines);
        assert_eq!(values(&answer, "access-control-allow-origin"), ["*"]);
        assert_eq!(answer.header("vary"), None);
    }
    let preflight = ask(&up, "OPTIONS", "/", &[OTHER, PUT]);
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
}

#[test]
fn what_a_component_says_itself_is_not_doubled() {
    let upstream = Upstream::start("cors = { origins = [\"https://*.test\"] }");
    let mut connection = upstream.up.connect();
    connection.send(format!("GET / HTTP/1.1\r\nhost: test\r\n{SHOP}\r\n\r\n"));
    let own = ["access-control-allow-origin: *", "access-control-allow-methods: DELETE", "content-length: 2"];
    upstream.answers("200 OK", &own).write("ok");
    let answer = connection.answer().unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(values(&answer, "access-control-allow-origin"), ["https://shop.test"]);
    assert_eq!(answer.header("access-control-allow-methods"), None);
}

/// Without the table a component speaks for itself.
#[test]
fn without_the_policy_nothing_is_done() {
    let (_sandbox, up) = served("");
    let answer = ask(&up, "OPTIONS", "/", &[SHOP, PUT]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (None, None));
}

#[test]
fn what_browsers_would_refuse_is_refused_when_the_app_is_loaded() {
    let sandbox = app("cors = { origins = [\"*\"], credentials = true }", "");
    let refused = sandbox.tombolo(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, Some(1));
    let expected = "spin.toml:6:29: `*` is not any with `credentials = true`: browsers refuse it\n\nhint: list the origins\n";
    assert!(refused.stderr.ends_with(expected), "{}", refused.stderr);
    // The rest of the app is as it should be.
    let policies = "cors = { origins = [\"https://a.test\"], credentials = true }";
    assert_eq!(Up::start(&app(policies, ""), &[]).get("/").status, 200);
}
