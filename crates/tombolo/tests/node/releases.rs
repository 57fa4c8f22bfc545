//! Releases: what changes them, what must not be lost, what is refused.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tombolo_model::release::ReleaseFile;
use tombolo_model::{Digest, Release};
use tombolo_testkit::{Connection, Serving};

use crate::{asked, done, refused, sandbox, written};

/// Two releases of `shop` that answer `one` and `two`, and their digests.
fn two(sandbox: &tombolo_testkit::Sandbox, node: &Serving, token: &str) -> [String; 2] {
    for text in ["one", "two"] {
        written(sandbox, text);
        done(sandbox, &["deploy"]);
    }
    let releases = asked(node, token, "/v1/apps/shop/releases");
    [1, 0].map(|place| releases[place]["digest"].as_str().unwrap().to_owned())
}

fn generation(node: &Serving, token: &str) -> u64 {
    asked(node, token, "/v1/apps/shop")["generation"].as_u64().unwrap()
}

#[test]
fn a_hundred_activations_drop_no_request() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    let releases = two(&sandbox, &node, &token);
    let (address, stop) = (node.up.address(), AtomicBool::new(false));
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let mut connection = Connection::open(address);
                while !stop.load(Ordering::Relaxed) {
                    let request = "GET / HTTP/1.1\r\nhost: shop.localhost\r\n\r\n";
                    let answer = connection.send(request).answer();
                    let good = answer.is_some_and(|answer| {
                        answer.status == 200 && matches!(answer.body.as_slice(), b"one" | b"two")
                    });
                    if !good {
                        failed.fetch_add(1, Ordering::Relaxed);
                        connection = Connection::open(address);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let first = generation(&node, &token);
        for step in 0..100 {
            let release = &releases[step as usize % 2];
            let order = format!(r#"{{"release":"{release}","generation":{}}}"#, first + step);
            let answer = node.order("PUT", "/v1/apps/shop/active", &token, Some(&order));
            assert_eq!(answer.status, 200, "{}", answer.text());
            // What was asked for is what is served once it is answered.
            let expected = ["one", "two"][step as usize % 2];
            assert_eq!(node.get("shop.localhost", "/").text(), expected);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {}", answered.load(Ordering::Relaxed));
    assert!(answered.load(Ordering::Relaxed) > 100);
}

#[test]
fn of_two_that_change_an_app_at_once_the_second_is_told() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    let [one, two] = two(&sandbox, &node, &token);
    let seen = generation(&node, &token);
    let order = |release: &str| format!(r#"{{"release":"{release}","generation":{seen}}}"#);
    assert_eq!(node.order("PUT", "/v1/apps/shop/active", &token, Some(&order(&one))).status, 200);
    let late = node.order("PUT", "/v1/apps/shop/active", &token, Some(&order(&two)));
    let problem: serde_json::Value = serde_json::from_slice(&late.body).unwrap();
    assert_eq!((late.status, problem["generation"].as_u64()), (409, Some(seen + 1)), "{problem}");
    assert_eq!(late.header("content-type"), Some("application/problem+json"));
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
}

/// An order, as bytes for a connection on which others come before and after it.
fn order(token: &str, path: &str, body: &str) -> String {
    let head = format!("PUT {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len())
}

fn activation(token: &str, release: &str, generation: u64) -> String {
    let body = format!(r#"{{"release":"{release}","generation":{generation}}}"#);
    order(token, "/v1/apps/shop/active", &body)
}

/// A file, a release that names it and answers `text`, and its activation: three orders.
fn deploy(token: &str, text: &str, generation: u64) -> String {
    let file = ReleaseFile { digest: Digest::of(text.as_bytes()), bytes: text.len() as u64 };
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/...\"\n\
         static_response = {{ status_code = 200, body = \"{text}\" }}\n"
    );
    let files = [("notes/file.txt".parse().unwrap(), file)].into();
    let release = Release { manifest, profile: None, files };
    let document = String::from_utf8(release.document()).unwrap();
    [
        order(token, &format!("/v1/blobs/{}", file.digest), text),
        order(token, &format!("/v1/apps/shop/releases/{}", release.digest()), &document),
        activation(token, &release.digest().to_string(), generation),
    ]
    .concat()
}

/// A crash leaves what was served before, or what was asked for: another release that is there, or a new one.
#[test]
fn a_crash_at_any_time_leaves_one_of_two_releases() {
    let sandbox = sandbox();
    let start = || Serving::start_with(&sandbox, &["--releases-max", "1000"]);
    let mut node = start();
    let token = node.log_in(&sandbox);
    let releases = two(&sandbox, &node, &token);
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let (mut random, mut before) = (seed | 1, "two".to_owned());
    let mut came = [0, 0];
    for round in 0..CRASHES {
        let generation = generation(&node, &token);
        // Xorshift (Marsaglia 2003).
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (orders, count, after, longest_us) = match round % 2 {
            0 => {
                let wanted = usize::from(before == "one");
                (
                    activation(&token, &releases[wanted], generation),
                    1,
                    ["one", "two"][wanted].to_owned(),
                    4000,
                )
            }
            _ => (deploy(&token, &format!("new {round}"), generation), 3, format!("new {round}"), 16_000),
        };
        let mut connection = Connection::open(node.control);
        connection.send(orders);
        // From before it is read to after it is answered.
        std::thread::sleep(std::time::Duration::from_micros(random % longest_us));
        node.up.kill();
        let answers: Vec<_> = (0..count).map_while(|_| connection.answer()).collect();
        assert!(
            answers.iter().all(|answer| answer.status / 100 == 2),
            "seed {seed}, round {round}: {answers:?}"
        );
        node = start();
        let now = node.get("shop.localhost", "/").text();
        assert!(now == before || now == after, "seed {seed}, round {round}: it answers {now:?}");
        let is_answered = answers.len() == count;
        assert!(!is_answered || now == after, "seed {seed}, round {round}: what was answered is lost");
        came[usize::from(now == after)] += 1;
        before = now;
    }
    println!("{} stayed, {} came", came[0], came[1]);
}

/// How often it crashes.
const CRASHES: usize = 200;

#[test]
fn a_split_gives_some_clients_another_release() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    let [_, two] = two(&sandbox, &node, &token);
    written(&sandbox, "three");
    assert!(done(&sandbox, &["deploy", "--split", "30"]).contains("is active for 30 %"));
    let app = asked(&node, &token, "/v1/apps/shop");
    assert_eq!(
        (app["active"]["release"].as_str(), app["active"]["split"]["percent"].as_u64()),
        (Some(two.as_str()), Some(30))
    );
    // One client is on one side.
    let first = node.get("shop.localhost", "/").text();
    for _ in 0..5 {
        assert_eq!(node.get("shop.localhost", "/").text(), first);
    }
    assert!(done(&sandbox, &["promote", "shop"]).contains("serves release 3"), "the one that some had");
    assert_eq!(node.get("shop.localhost", "/").text(), "three");
    assert!(refused(&sandbox, &["promote", "shop", "9"]).contains("no release `9`"));
}

#[test]
fn what_a_release_newly_may_do_has_to_be_meant() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    sandbox.web_app("");
    done(&sandbox, &["deploy"]);
    sandbox.web_app("key_value_stores = [\"default\"]\nallowed_outbound_hosts = [\"https://example.com\"]");
    let reason = refused(&sandbox, &["deploy"]);
    assert!(reason.contains("component `web`: key-value store `default`"), "{reason}");
    assert!(
        reason.contains("connections to `https://example.com`") && reason.contains("--approve"),
        "{reason}"
    );
    assert_eq!(node.get("app.localhost", "/").status, 200, "what was served still is");
    assert!(done(&sandbox, &["deploy", "--approve"]).contains("release 2"));
}

#[test]
fn variables_are_sealed_and_hold_from_the_next_activation_on() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.web_app(
        "[variables]\ngreeting = { required = true }\n[component.web.variables]\ng = \"{{ greeting }}\"",
    );
    let reason = refused(&sandbox, &["deploy"]);
    assert!(reason.contains("greeting"), "{reason}");
    let set = sandbox.tombolo_reading("hunter2\n", &["secret", "set", "app", "greeting"]);
    assert_eq!((set.code, set.stdout.as_str()), (Some(0), ""));
    assert!(done(&sandbox, &["deploy"]).contains("release 1"));
    assert_eq!(done(&sandbox, &["variables", "list", "app"]), "greeting\n");
    let value = node.order("GET", "/v1/apps/app/variables/greeting", &token, None);
    assert_eq!(value.status, 405, "nothing tells a value");
    for file in ["registry.redb", "node.key"] {
        let bytes = std::fs::read(node.up.path(&sandbox.path().join("data/tombolo").join(file))).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "{file}");
    }
    assert_eq!(done(&sandbox, &["variables", "remove", "app", "greeting"]), "");
    assert!(refused(&sandbox, &["variables", "set", "app", "No-Name", "x"]).contains("lower_snake"));
}

/// A secret that was changed is meant to be used: by the release that is active as well, and not before it is asked for.
#[test]
fn a_changed_variable_holds_once_the_app_is_deployed_or_promoted_again() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.guest("spin-5", "app.wasm");
    sandbox.file(
        "spin.toml",
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[variables]\nkey = { required = true }\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"app\"\n[component.app]\nsource = \"app.wasm\"\n\
         [component.app.variables]\nkey = \"{{ key }}\"\n",
    );
    let set = |value: &str| done(&sandbox, &["variables", "set", "app", "key", value]);
    let seen = || node.get("app.localhost", "/variable?key").text();
    let is_stale = || asked(&node, &token, "/v1/apps/app")["is_stale"].as_bool().unwrap();
    set("first");
    done(&sandbox, &["deploy"]);
    assert!(seen().contains("first") && !is_stale());
    set("second");
    assert!(seen().contains("first") && is_stale());
    // Another release, shown beside it, has the new one, and the active one stays as it is.
    let manifest = std::fs::read_to_string(sandbox.path().join("spin.toml")).unwrap();
    sandbox.file("spin.toml", manifest.replace("name = \"app\"", "name = \"app\"\nversion = \"2\""));
    done(&sandbox, &["deploy", "--preview"]);
    assert!(node.get("r2---app.localhost", "/variable?key").text().contains("second"));
    assert!(seen().contains("first") && is_stale());
    sandbox.file("spin.toml", manifest);
    done(&sandbox, &["deploy"]);
    assert!(seen().contains("second") && !is_stale(), "{}", seen());
    set("third");
    done(&sandbox, &["promote", "app", "1"]);
    assert!(seen().contains("third"), "{}", seen());
}

#[test]
fn the_oldest_releases_go_and_those_in_use_stay() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    drop(node);
    let command = sandbox.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
        "--releases-max",
        "3",
    ]);
    let node = Serving::spawn(command);
    sandbox.tombolo_reading(&token, &["login", &format!("http://{}", node.control)]);
    for text in ["one", "two", "three", "four", "five"] {
        written(&sandbox, text);
        // The first stays active.
        let more: &[&str] = if text == "one" { &["deploy"] } else { &["deploy", "--no-activate"] };
        done(&sandbox, more);
    }
    let releases = asked(&node, &token, "/v1/apps/shop/releases");
    let numbers: Vec<_> =
        releases.as_array().unwrap().iter().map(|release| release["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [5, 4, 3, 1]);
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
}

#[test]
fn a_release_is_shown_beside_what_is_served() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    written(&sandbox, "one");
    let reason = refused(&sandbox, &["deploy", "--preview"]);
    assert!(reason.contains("the app serves nothing yet"), "{reason}");
    done(&sandbox, &["deploy"]);
    written(&sandbox, "two");
    let said = done(&sandbox, &["deploy", "--preview"]);
    assert!(said.contains("release 2 (") && said.contains("is shown: http://r2---shop.localhost"), "{said}");
    let shows =
        |node: &Serving, host: &str, text: &str| assert_eq!(node.get(host, "/").text(), text, "{host}");
    shows(&node, "r2---shop.localhost", "two");
    shows(&node, "shop.localhost", "one");
    assert_eq!(node.get("r1---shop.localhost", "/").status, 404);
    assert!(done(&sandbox, &["releases", "shop"]).contains("http://r2---shop.localhost"));
    assert!(
        done(&sandbox, &["preview", "shop", "1"]).contains("release 1 is shown: http://r1---shop.localhost")
    );
    shows(&node, "r1---shop.localhost", "one");
    assert!(done(&sandbox, &["preview", "shop", "1", "--remove"]).contains("release 1 is not shown"));
    assert_eq!(node.get("r1---shop.localhost", "/").status, 404);
    // It stays over activations, and a restart.
    written(&sandbox, "three");
    done(&sandbox, &["deploy"]);
    shows(&node, "r2---shop.localhost", "two");
    assert!(node.up.stop().success());
    let node = Serving::start(&sandbox);
    shows(&node, "r2---shop.localhost", "two");
    shows(&node, "shop.localhost", "three");
    let releases = asked(&node, &admin, "/v1/apps/shop/releases");
    let digest = releases[1]["digest"].as_str().unwrap();
    assert_eq!(node.order("DELETE", &format!("/v1/apps/shop/previews/{digest}"), &admin, None).status, 200);
    assert_eq!(node.get("r2---shop.localhost", "/").status, 404);
    shows(&node, "shop.localhost", "three");
}
