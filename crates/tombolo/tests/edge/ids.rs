//! The name of a request.

use crate::{get, served, values};

/// The line that the component got of it.
fn told(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("x-request-id: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn client_component_and_operator_know_a_request_by_one_name() {
    let (_sandbox, up) = served("request_id = true");
    let answer = get(&up, "/headers", &["x-request-id: forged"]);
    let id = answer.header("x-request-id").unwrap();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(told(&answer.text()), [id]);
    let next = get(&up, "/headers", &[]);
    assert_ne!(next.header("x-request-id"), Some(id));
    for path in ["/files/app.js", "/files/none", "/short", "/panic"] {
        assert_eq!(values(&get(&up, path, &[]), "x-request-id").len(), 1, "{path}");
    }
}

#[test]
fn a_client_that_is_trusted_gives_the_name() {
    let (_sandbox, up) = served("request_id = true\nrequest_id_from_client = true");
    let answer = get(&up, "/headers", &["x-request-id: trace-1.2"]);
    assert_eq!(
        (answer.header("x-request-id"), told(&answer.text())),
        (Some("trace-1.2"), vec!["trace-1.2".into()])
    );
    let panic = get(&up, "/panic", &["x-request-id: trace-2"]);
    assert_eq!((panic.status, panic.header("x-request-id")), (500, Some("trace-2")));
    up.said("request trace-2: the guest trapped");
    // What could not be written into any log is none.
    let answer = get(&up, "/headers", &["x-request-id: a b"]);
    assert_eq!(answer.header("x-request-id").unwrap().len(), 16);
}

/// What a client says is a header like any other then.
#[test]
fn without_the_policy_failures_alone_have_a_name() {
    let (_sandbox, up) = served("");
    let answer = get(&up, "/headers", &["x-request-id: a b"]);
    assert_eq!((answer.header("x-request-id"), told(&answer.text())), (None, vec!["a b".into()]));
    assert!(get(&up, "/panic", &[]).header("x-request-id").is_some());
}
