//! What a node counts, who is told, and whether it says that it is ready.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tombolo_testkit::{Connection, Sandbox, Serving};

use crate::{asked, done, sandbox, written};

/// What Prometheus reads: values by name and labels, and the types of families.
struct Scraped {
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Scraped {
    fn of(node: &Serving, token: &str) -> Self {
        let answer = node.order("GET", "/metrics", token, None);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::new());
        for line in answer.text().lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(
                    types.insert(name.to_owned(), kind.to_owned()).is_none(),
                    "{line}: a family is told once"
                );
            } else if !line.starts_with("# HELP ") {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let family = sample.split('{').next().unwrap();
                let known = |name: &str| types.contains_key(name);
                let histogram = ["_bucket", "_sum", "_count"]
                    .iter()
                    .any(|end| family.strip_suffix(end).is_some_and(known));
                assert!(known(family) || histogram, "{line} is of no family");
                assert!(samples.insert(sample.to_owned(), value.parse().unwrap()).is_none(), "{line}");
            }
        }
        Self { samples, types }
    }

    /// The sum of the samples whose name begins so and whose labels are among theirs.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of = |sample: &str| {
            sample.split('{').next() == Some(name) && labels.iter().all(|label| sample.contains(label))
        };
        self.samples.iter().filter(|(sample, _)| of(sample)).map(|(_, value)| value).sum()
    }
}

/// The app `app`, which had some traffic.
fn visited(sandbox: &Sandbox) -> (Serving, String) {
    let (node, token) = Serving::first(sandbox);
    sandbox.web_app("");
    done(sandbox, &["deploy"]);
    for _ in 0..3 {
        assert_eq!(node.get("app.localhost", "/").status, 200);
    }
    assert_eq!(node.get("app.localhost", "/sleep?ms=120").status, 200);
    assert_eq!(node.get("app.localhost", "/panic").status, 500);
    assert_eq!(node.get("nobody.localhost", "/").status, 404);
    assert_eq!(node.get("nobody.example", "/").status, 404);
    (node, token)
}

/// A request is counted when its last byte was handed on, which may be after its client has it.
fn scraped(node: &Serving, token: &str, requests: f64) -> Scraped {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let scraped = Scraped::of(node, token);
        if scraped.sum("tombolo_requests_total", &[]) >= requests {
            return scraped;
        }
        assert!(Instant::now() < until, "{:?}", scraped.samples);
        std::thread::yield_now();
    }
}

#[test]
fn what_prometheus_is_told_is_what_happened() {
    let sandbox = sandbox();
    let (node, token) = visited(&sandbox);
    let told = scraped(&node, &token, 5.0);
    let app = "tenant=\"default\",app=\"app\"";
    assert_eq!(told.sum("tombolo_requests_total", &[app, "status=\"2xx\""]), 4.0);
    assert_eq!(told.sum("tombolo_requests_total", &[app, "status=\"5xx\""]), 1.0);
    assert_eq!(told.sum("tombolo_requests_total", &[]), 5.0);
    assert_eq!(told.sum("tombolo_unknown_requests_total", &["status=\"4xx\""]), 2.0);
    assert_eq!(told.types["tombolo_request_duration_seconds"], "histogram");
    let bucket =
        |bound: &str| told.sum("tombolo_request_duration_seconds_bucket", &[app, &format!("le=\"{bound}\"")]);
    assert_eq!((bucket("+Inf"), told.sum("tombolo_request_duration_seconds_count", &[app])), (5.0, 5.0));
    assert!(bucket("0.1") <= 4.0, "one slept for 120 ms");
    assert!(told.sum("tombolo_request_duration_seconds_sum", &[app]) >= 0.12);
    assert!(told.sum("tombolo_guest_cpu_seconds_total", &[app]) > 0.0);
    assert!(told.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert!(told.sum("process_open_fds", &[]) > 3.0);
    assert_eq!(told.sum("tombolo_requests_in_flight", &[app]), 0.0);
    assert!(told.sum("tombolo_instance_memory_peak_bytes", &[app]) > 65_536.0);
    assert!(told.sum("tombolo_tenant_cpu_seconds_total", &["tenant=\"default\""]) > 0.0);
    assert_eq!(told.sum("tombolo_tenant_memory_bytes", &[]), 0.0, "none is at work");
    assert_eq!(told.sum("tombolo_guests_waiting", &[]), 0.0);

    // One that is under way.
    let mut slow = Connection::open(node.up.address());
    slow.send("GET /sleep?ms=3000 HTTP/1.1\r\nhost: app.localhost\r\n\r\n");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let told = Scraped::of(&node, &token);
        let now = (told.sum("tombolo_requests_in_flight", &[app]), told.sum("tombolo_instances", &[app]));
        // Its place is taken before its memory.
        let memory = told.sum("tombolo_tenant_memory_bytes", &["tenant=\"default\""]);
        if now == (1.0, 1.0) && memory > 65_536.0 {
            assert!(told.sum("tombolo_connections", &[]) >= 1.0);
            assert_eq!(told.sum("tombolo_tenant_requests_in_flight", &["tenant=\"default\""]), 1.0);
            break;
        }
        assert!(Instant::now() < until, "{now:?}, {memory} bytes");
    }
    assert_eq!(slow.answer().unwrap().status, 200);
}

/// What guests ask of others, and what they keep.
#[test]
fn requests_to_other_hosts_and_stores_are_counted() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.web_app("");
    done(&sandbox, &["deploy"]);
    for _ in 0..2 {
        let told = node.get("app.localhost", "/fetch?url=http://127.0.0.1:1/").text();
        assert!(
            told.contains("HttpRequestDenied") || told.contains("HTTP-request-denied"),
            "it was granted none: {told}"
        );
    }
    sandbox.guest("kv", "kv.wasm");
    sandbox.file(
        "spin.toml",
        "spin_manifest_version = 2\n[application]\nname = \"keeps\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"kv\"\n[component.kv]\nsource = \"kv.wasm\"\nkey_value_stores = [\"default\"]\n",
    );
    done(&sandbox, &["deploy"]);
    assert_eq!(node.get("keeps.localhost", "/large").text(), "Ok(())");
    let told = scraped(&node, &token, 3.0);
    assert_eq!(told.sum("tombolo_outbound_requests_total", &["app=\"app\""]), 2.0);
    assert_eq!(told.sum("tombolo_outbound_requests_total", &["app=\"keeps\""]), 0.0);
    assert!(told.sum("tombolo_tenant_store_bytes", &["tenant=\"default\""]) > 4e6);
    assert_eq!(told.sum("tombolo_build_info", &[]), 1.0);
}

/// A node with many apps starts without their code: who comes first waits for it, which is counted.
#[test]
fn requests_that_find_their_code_not_in_memory_are_counted() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.web_app("");
    done(&sandbox, &["deploy"]);
    assert_eq!(node.get("app.localhost", "/").status, 200);
    assert_eq!(
        scraped(&node, &token, 1.0).sum("tombolo_code_loads_total", &[]),
        0.0,
        "it was made ready with it"
    );
    written(&sandbox, "one");
    for number in 0..33 {
        done(&sandbox, &["deploy", "--name", &format!("shop-{number}")]);
    }
    drop(node);
    let node = Serving::start(&sandbox);
    for _ in 0..2 {
        assert_eq!(node.get("app.localhost", "/").status, 200);
    }
    assert_eq!(scraped(&node, &token, 2.0).sum("tombolo_code_loads_total", &["app=\"app\""]), 1.0);
}

/// More guests compute than there are cores: those that wait are told, and are no longer when they have gone.
#[test]
fn guests_that_wait_for_a_core_are_counted() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.web_app("");
    done(&sandbox, &["deploy"]);
    let cores = std::thread::available_parallelism().unwrap().get();
    let computing: Vec<Connection> = (0..cores + 2)
        .map(|_| {
            let mut connection = Connection::open(node.up.address());
            connection.send("GET /loop HTTP/1.1\r\nhost: app.localhost\r\n\r\n");
            connection
        })
        .collect();
    let wait = |expected: &dyn Fn(f64) -> bool| {
        let until = Instant::now() + Duration::from_secs(30);
        while !expected(Scraped::of(&node, &token).sum("tombolo_guests_waiting", &[])) {
            assert!(Instant::now() < until);
        }
    };
    wait(&|waiting| waiting >= 2.0);
    // Clients that leave take their guests with them.
    drop(computing);
    wait(&|waiting| waiting == 0.0);
}

#[test]
fn each_release_is_counted_by_itself_and_one_that_stays_goes_on() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    node.get("shop.localhost", "/");
    let first = scraped(&node, &token, 1.0);
    written(&sandbox, "two");
    done(&sandbox, &["deploy", "--split", "50"]);
    for _ in 0..4 {
        node.get("shop.localhost", "/");
    }
    let both = scraped(&node, &token, 5.0);
    assert_eq!(both.sum("tombolo_requests_total", &[]), 5.0);
    let releases = asked(&node, &token, "/v1/metrics");
    assert_eq!(releases["apps"].as_array().unwrap().len(), 2);
    // What was counted of the first is still there.
    let count = first.samples.iter().find(|(_, value)| **value == 1.0).unwrap().0;
    assert!(both.samples[count] >= 1.0, "{count}");
}

/// What an app's own components ask of it is no client's, and a path that no route is for is still its app's.
#[test]
fn requests_are_their_apps_and_those_from_inside_are_apart() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.web_app("allowed_outbound_hosts = [\"http://self\"]");
    done(&sandbox, &["deploy"]);
    sandbox.file(
        "spin.toml",
        "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/a\"\n\
         static_response = { status_code = 200, body = \"a\" }\n",
    );
    done(&sandbox, &["deploy"]);
    assert_eq!(node.get("app.localhost", "/fetch?url=http://self.alt/").text(), "hello");
    assert_eq!(node.get("shop.localhost", "/b").status, 404);
    let told = scraped(&node, &token, 2.0);
    let of = |app: &str, name: &str| told.sum(name, &[&format!("app=\"{app}\"")]);
    assert_eq!(of("app", "tombolo_requests_total"), 1.0);
    assert_eq!(of("app", "tombolo_inside_requests_total"), 1.0);
    assert_eq!(told.sum("tombolo_requests_total", &["app=\"shop\"", "status=\"4xx\""]), 1.0);
    assert_eq!(told.sum("tombolo_unknown_requests_total", &[]), 0.0);
}

#[test]
fn who_may_not_look_is_not_told() {
    let sandbox = sandbox();
    let (node, admin) = visited(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy", "--tenant", "ada"]);
    node.get("shop--ada.localhost", "/");
    let make = |arguments: &[&str]| {
        done(&sandbox, &[&["tokens", "create", "x"], arguments].concat()).trim().to_owned()
    };
    let told = |token: &str| Scraped::of(&node, token).samples.into_keys().collect::<Vec<_>>().concat();
    let all = told(&admin);
    assert!(all.contains("app=\"app\"") && all.contains("tenant=\"ada\"") && all.contains("process_open"));
    for scope in ["tenant", "read"] {
        let ada = told(&make(&["--scope", scope, "--for", "ada"]));
        assert!(ada.contains("tenant=\"ada\"") && !ada.contains("tenant=\"default\""), "{ada}");
        assert!(!ada.contains("process_") && !ada.contains("unknown"), "the node is not hers: {ada}");
    }
    let robot = told(&make(&["--scope", "deploy", "--app", "other"]));
    assert!(!robot.contains("app="), "{robot}");
    assert!(!robot.contains("tenant="), "it is for one app, not for what the tenant uses: {robot}");
    assert_eq!(node.order("GET", "/metrics", "", None).status, 401);
}

#[test]
fn a_node_that_stops_is_not_ready_and_takes_no_changes() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.web_app("");
    done(&sandbox, &["deploy"]);
    assert_eq!(node.order("GET", "/readyz", "", None).text(), "ready\n");
    let mut slow = Connection::open(node.up.address());
    slow.send("GET /sleep?ms=3000 HTTP/1.1\r\nhost: app.localhost\r\n\r\n");
    let in_flight = || asked(&node, &token, "/v1/metrics")["apps"][0]["in_flight"].as_u64();
    while in_flight() != Some(1) {
        std::thread::yield_now();
    }
    node.up.signal("TERM");
    node.up.said("Draining");
    // The signal is taken a moment before it is told on.
    let until = Instant::now() + Duration::from_secs(2);
    while node.order("GET", "/readyz", "", None).status != 503 {
        assert!(Instant::now() < until, "it says that it is ready");
    }
    assert_eq!(node.order("GET", "/healthz", "", None).status, 200);
    assert_eq!(node.order("GET", "/v1/apps", &token, None).status, 200, "who looks is answered");
    assert_eq!(node.order("DELETE", "/v1/apps/app", &token, None).status, 503);
    assert_eq!(slow.answer().unwrap().status, 200);
    assert!(node.up.wait().success());
}

#[test]
fn a_node_tells_programs_what_goes_on() {
    let sandbox = sandbox();
    let mut command =
        sandbox.command(&["serve", "--log", "json", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
    command.env("TOMBOLO_LOG", "request=info");
    let node = Serving::spawn(command);
    let said = node.up.said("told this once: ");
    let token = said.split("told this once: ").nth(1).unwrap().split('"').next().unwrap();
    sandbox.tombolo_reading(token, &["login", &format!("http://{}", node.control)]);
    sandbox.web_app("");
    done(&sandbox, &["deploy"]);
    node.get("app.localhost", "/print");
    node.up.said("to stderr");
    let said = node.up.said("\"target\":\"request\"");
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let request = lines.iter().find(|line| line["target"] == "request").unwrap();
    assert_eq!((request["app"].as_str(), request["status"].as_u64()), (Some("default/app"), Some(200)));
    let printed = lines.iter().find(|line| line["text"] == "to stderr").unwrap();
    assert_eq!(printed["component"], "default/app/web");
}
