//! Requests from a component to another one of its app, and to the app's own routes.

use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up};

/// An app of a front that clients reach and a back that only components do, with more lines for each.
fn app(front: &str, back: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("web", "web.wasm");
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "app"

        [[trigger.http]]
        route = "/..."
        component = "front"

        [[trigger.http]]
        route = {{ private = true }}
        component = "back"

        [[trigger.http]]
        route = "/written"
        static_response = {{ body = "as written" }}

        [component.front]
        source = "web.wasm"
        {front}

        [component.back]
        source = "web.wasm"
        {back}
    "#
    );
    sandbox.file("spin.toml", text);
    sandbox
}

const BACK: &str = "http://back.spin.internal";

fn granted(host: &str) -> String {
    format!("allowed_outbound_hosts = [{host:?}]")
}

fn fetch(up: &Up, url: &str) -> (u16, String) {
    let answer = up.get(&format!("/fetch?url={url}"));
    (answer.status, answer.text())
}

#[test]
fn a_component_that_has_no_route_answers_another_one() {
    for host in [BACK, "http://*.spin.internal", "*://*:*"] {
        let sandbox = app(&granted(host), "");
        let up = Up::start(&sandbox, &[]);
        assert_eq!(fetch(&up, &format!("{BACK}/")), (200, "hello".to_owned()), "{host}");
        assert_eq!(fetch(&up, "http://BACK.spin.internal/no/such").0, 404);
        let (_, headers) = fetch(&up, &format!("{BACK}/headers?q=1"));
        for line in [
            "spin-full-url: http://back.spin.internal/headers?q=1\n",
            "spin-path-info: /headers\n",
            "spin-matched-route: /...\n",
            "spin-client-addr: 0.0.0.0:0\n",
        ] {
            assert!(headers.contains(line), "{headers}");
        }
        let (_, refused) = fetch(&up, "http://nobody.spin.internal/");
        let expected = if host == BACK { "HttpRequestDenied" } else { "DestinationNotFound" };
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn what_was_not_granted_is_refused_and_clients_do_not_reach_it() {
    let sandbox = app(&granted("http://self"), "");
    let up = Up::start(&sandbox, &[]);
    let (_, refused) = fetch(&up, &format!("{BACK}/"));
    assert!(refused.contains("HttpRequestDenied"), "{refused}");
    let answer = up.connect().send("GET /headers HTTP/1.1\r\nhost: back.spin.internal\r\n\r\n").answer();
    let answer = answer.unwrap().text();
    assert!(answer.contains("spin-component-route: \n"), "it is the front that answers: {answer}");
}

/// As over a connection: the length is told, and nothing of it comes.
#[test]
fn a_head_has_no_body() {
    let sandbox = app(&format!("allowed_outbound_hosts = [{BACK:?}, \"http://self\"]"), "");
    let up = Up::start(&sandbox, &[]);
    for url in [format!("{BACK}/"), format!("{BACK}/stream?mb=1"), "http://self.alt/written".to_owned()] {
        let answer = up.get(&format!("/head?url={url}"));
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{url}");
    }
}

#[test]
fn an_app_reaches_its_own_routes() {
    let sandbox = app(&granted("http://self"), "");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(fetch(&up, "http://self.alt/"), (200, "hello".to_owned()));
    assert_eq!(fetch(&up, "http://self.alt/written"), (200, "as written".to_owned()));
    let sandbox = app(&granted(BACK), "");
    let up = Up::start(&sandbox, &[]);
    let (_, refused) = fetch(&up, "http://self.alt/");
    assert!(refused.contains("HttpRequestDenied"), "{refused}");
}

/// The whole of a body, longer than any buffer on its way, comes back; one that is too long has the status a
/// client would get.
#[test]
fn bodies_stream_both_ways_within_the_bounds_of_who_is_called() {
    let sandbox = app(&granted(BACK), "tool.tombolo.request_body_bytes_max = 9000000");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(fetch(&up, &format!("{BACK}/stream?mb=8")).1.len(), 8 << 20);
    let forward = |path: &str, bytes: usize| {
        let answer = up.post(&format!("/forward?url={BACK}{path}"), &vec![0; bytes]);
        (answer.status, answer.text())
    };
    assert_eq!(forward("/size", 8_000_000), (200, "8000000".to_owned()));
    // Who answers goes on while its caller does not read, so that the two do not wait for each other.
    assert_eq!(forward("/early", 8_000_000), (200, "begun 8000000".to_owned()));
    let (status, text) = forward("/size", 9_000_001);
    assert!(status == 413 || text.contains("refused"), "{status} {text}");
}

#[test]
fn a_component_that_fails_or_is_late_answers_with_its_status() {
    let front = format!("{}\ntool.tombolo.request_ms_max = 5000", granted(BACK));
    let sandbox = app(&front, "tool.tombolo.request_ms_max = 200");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(fetch(&up, &format!("{BACK}/panic")).0, 500);
    let started = Instant::now();
    assert_eq!(fetch(&up, &format!("{BACK}/loop")).0, 504);
    assert_eq!(fetch(&up, &format!("{BACK}/sleep?ms=60000")).0, 504);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    // Nothing of it is left behind.
    assert_eq!(fetch(&up, &format!("{BACK}/")), (200, "hello".to_owned()));
}

/// Its own bound ends a request with all that it led to, whatever the others may take.
#[test]
fn a_request_ends_with_the_one_that_led_to_it() {
    let front = format!("{}\ntool.tombolo.request_ms_max = 300", granted(BACK));
    let sandbox = app(&front, "tool.tombolo.concurrency_max = 1");
    let up = Up::start(&sandbox, &[]);
    for _ in 0..3 {
        assert_eq!(fetch(&up, &format!("{BACK}/sleep?ms=60000")).0, 504);
        // It may work on one request, so the one before is gone. Taking it down is done soon after the answer.
        let until = Instant::now() + Duration::from_secs(5);
        while fetch(&up, &format!("{BACK}/")).0 != 200 {
            assert!(Instant::now() < until, "a request stayed that nobody waits for");
        }
    }
}

#[test]
fn requests_that_lead_to_themselves_come_to_an_end() {
    let sandbox = app(&granted("http://*.spin.internal"), "");
    let up = Up::start(&sandbox, &[]);
    let nested = |times: usize| "http://front.spin.internal/fetch?url=".repeat(times) + BACK + "/";
    assert_eq!(fetch(&up, &nested(15)), (200, "hello".to_owned()));
    let (_, refused) = fetch(&up, &nested(16));
    assert!(refused.contains("LoopDetected"), "{refused}");
}

#[test]
fn a_grant_for_nobody_is_refused_when_the_app_is_loaded() {
    let sandbox = app(&granted("http://bakc.spin.internal"), "");
    let refused = sandbox.tombolo(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, Some(1));
    let expected = "component `front`: allowed_outbound_hosts: `http://bakc.spin.internal` is for component \
        `bakc`, which has no HTTP trigger";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
}

/// Guests of WASI 0.3 are polled in an event loop of their own, in which another one's may not begin; those of
/// spin-sdk 5 are of WASI 0.2.
#[test]
fn guests_of_each_wasi_call_each_other_and_themselves() {
    for (front, back) in
        [("spin-7", "spin-7"), ("spin-7", "spin-5"), ("spin-5", "spin-7"), ("spin-2", "spin-6")]
    {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
        sandbox.guest(front, "front.wasm");
        sandbox.guest(back, "back.wasm");
        sandbox.file(
            "spin.toml",
            r#"
            spin_manifest_version = 2
            [application]
            name = "app"
            [variables]
            region = { default = "eu" }
            [[trigger.http]]
            route = "/..."
            component = "front"
            [[trigger.http]]
            route = { private = true }
            component = "Back"
            [component.front]
            source = "front.wasm"
            allowed_outbound_hosts = ["http://Back.spin.internal", "http://self"]
            variables = { region = "{{ region }}-west" }
            [component.Back]
            source = "back.wasm"
            variables = { region = "{{ region }}-west" }
        "#,
        );
        let up = Up::start(&sandbox, &[]);
        let fetched = |url: &str| up.get(&format!("/outbound?{url}")).text();
        for _ in 0..3 {
            assert_eq!(fetched("http://back.spin.internal/variables"), "ok", "{front} {back}");
            assert_eq!(fetched("http://self.alt/variables"), "ok", "{front}");
        }
        if front == "spin-5" {
            assert_eq!(fetched("/variables"), "ok");
        }
    }
}
