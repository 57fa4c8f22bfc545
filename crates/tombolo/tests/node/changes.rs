//! Changes while others go on: at the same time, under load, for a while, too large.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use tombolo_model::Digest;
use tombolo_testkit::{Connection, Serving};

use crate::{asked, done, sandbox, written};

/// Two who deploy at once: each round one is told that it came second, and nothing is in between.
#[test]
fn of_two_activations_at_the_same_moment_one_is_done() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    let releases = ["one", "two"].map(|text| {
        written(&sandbox, text);
        done(&sandbox, &["deploy"]);
        asked(&node, &token, "/v1/apps/shop")["active"]["release"].as_str().unwrap().to_owned()
    });
    let start = Barrier::new(2);
    for _ in 0..30 {
        let generation = asked(&node, &token, "/v1/apps/shop")["generation"].as_u64().unwrap();
        let activate = |release: &String| {
            let order = format!(r#"{{"release":"{release}","generation":{generation}}}"#);
            start.wait();
            node.order("PUT", "/v1/apps/shop/active", &token, Some(&order)).status
        };
        let statuses = thread::scope(|scope| {
            let activate = &activate;
            releases
                .each_ref()
                .map(|release| scope.spawn(move || activate(release)))
                .map(|it| it.join().unwrap())
        });
        assert!(matches!(statuses, [200, 409] | [409, 200]), "{statuses:?}");
        let now = asked(&node, &token, "/v1/apps/shop");
        assert_eq!(now["generation"].as_u64(), Some(generation + 1));
        let won = &releases[usize::from(statuses[1] == 200)];
        assert_eq!(now["active"]["release"].as_str(), Some(won.as_str()));
    }
}

/// Requests that are under way in an instance are answered by it, whatever is changed meanwhile.
#[test]
fn changes_of_every_kind_drop_no_request_of_a_component() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    for version in ["1", "2"] {
        let environment = format!("environment = {{ VERSION = \"{version}\" }}");
        sandbox.web_app(&environment);
        done(&sandbox, &["deploy"]);
    }
    let releases = asked(&node, &token, "/v1/apps/app/releases");
    let releases = [0, 1].map(|place| releases[place]["digest"].as_str().unwrap().to_owned());
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let failed = thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|number| {
                let (node, stop, answered) = (&node, &stop, &answered);
                scope.spawn(move || {
                    let mut connection = Connection::open(node.up.address());
                    let path = if number % 2 == 0 { "/" } else { "/sleep?ms=30" };
                    let mut failed = Vec::new();
                    while !stop.load(Relaxed) {
                        let request = format!("GET {path} HTTP/1.1\r\nhost: app.localhost\r\n\r\n");
                        match connection.send(request).answer() {
                            Some(answer) if answer.status == 200 => drop(answered.fetch_add(1, Relaxed)),
                            other => {
                                failed.push(format!("{path}: {other:?}"));
                                connection = Connection::open(node.up.address());
                            }
                        }
                    }
                    failed
                })
            })
            .collect();
        let order = |method: &str, path: &str, body: Option<&str>| {
            let answer = node.order(method, path, &token, body);
            assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text());
        };
        for step in 0..20 {
            let (main, other) = (&releases[step % 2], &releases[(step + 1) % 2]);
            let generation = || asked(&node, &token, "/v1/apps/app")["generation"].as_u64().unwrap();
            let split = format!(
                r#"{{"release":"{main}","generation":{},"split":{{"release":"{other}","percent":50}}}}"#,
                generation()
            );
            order("PUT", "/v1/apps/app/active", Some(&split));
            order("PUT", "/v1/apps/app/variables/unused", Some(r#"{"value":"x"}"#));
            let whole = format!(r#"{{"release":"{main}","generation":{}}}"#, generation());
            order("PUT", "/v1/apps/app/active", Some(&whole));
            order("PUT", &format!("/v1/apps/app/previews/{other}"), Some("{}"));
            order("PUT", "/v1/apps/app/domains/app.example", Some(""));
            order("DELETE", &format!("/v1/apps/app/previews/{other}"), None);
            order("DELETE", "/v1/apps/app/domains/app.example", None);
        }
        stop.store(true, Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), answered.load(Relaxed));
    assert!(answered.load(Relaxed) > 50);
}

#[test]
fn a_token_is_good_until_it_expires() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    let body = r#"{"name":"brief","scope":"tenant","tenant":"ada","expires_in_s":5}"#;
    let made = node.order("POST", "/v1/tokens", &admin, Some(body));
    let made: serde_json::Value = serde_json::from_slice(&made.body).unwrap();
    let brief = made["token"].as_str().unwrap();
    assert_eq!(node.order("GET", "/v1/apps", brief, None).status, 200);
    let until = Instant::now() + Duration::from_secs(30);
    while node.order("GET", "/v1/apps", brief, None).status == 200 {
        assert!(Instant::now() < until, "it is still good");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(node.order("GET", "/v1/apps", brief, None).status, 401);
    assert_eq!(node.order("GET", "/v1/apps", &admin, None).status, 200);
}

/// What is too large is refused when its bound is passed, though nobody said before how long it is.
#[test]
fn bodies_that_are_too_large_are_refused_whatever_they_are_for() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    let digest = Digest::of(b"x");
    let release = format!("/v1/apps/shop/releases/{digest}");
    for path in [release.as_str(), "/v1/apps/shop/active", "/v1/apps/shop/variables/a"] {
        let head = format!("PUT {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\n");
        let mut said = Connection::open(node.control);
        said.send(format!("{head}content-length: 99999999\r\n\r\n"));
        let mut chunked = Connection::open(node.control);
        chunked.send(format!("{head}transfer-encoding: chunked\r\n\r\n"));
        let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 1 << 16], b"\r\n"].concat();
        // It may be refused and closed while this is still being sent.
        let sent = (0..400).all(|_| chunked.writer().write_all(&chunk).is_ok());
        let _ = sent && chunked.writer().write_all(b"0\r\n\r\n").is_ok();
        for (how, answer) in [("said", said.answer()), ("chunked", chunked.answer())] {
            let status = answer.map(|answer| answer.status);
            assert_eq!(status, Some(413), "{path}, {how}");
        }
    }
}

/// All apps of a tenant have so many connections together; who finds none free waits for one.
#[test]
fn connections_to_other_hosts_are_bounded_for_a_tenant() {
    let sandbox = sandbox();
    let node = Serving::start_with(&sandbox, &["--private-networks"]);
    node.log_in(&sandbox);
    done(&sandbox, &["tenants", "quotas", "ada", "--outbound-connections", "1"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    sandbox.web_app(&format!("allowed_outbound_hosts = [\"{url}\"]"));
    for name in ["a", "b"] {
        done(&sandbox, &["deploy", "--name", name, "--tenant", "ada"]);
    }
    let ask = |app: &str| {
        let mut connection = Connection::open(node.up.address());
        connection.send(format!("GET /fetch?url={url} HTTP/1.1\r\nhost: {app}--ada.localhost\r\n\r\n"));
        connection
    };
    let mut first = ask("a");
    let (mut held, _) = listener.accept().unwrap();
    let mut second = ask("b");
    listener.set_nonblocking(true).unwrap();
    thread::sleep(Duration::from_millis(500));
    assert!(listener.accept().is_err(), "the tenant has its one connection");
    let answer = |stream: &mut std::net::TcpStream| {
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        lines.map_while(Result::ok).find(|line| line.is_empty()).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").unwrap();
    };
    answer(&mut held);
    drop(held);
    assert_eq!(first.answer().unwrap().text(), "ok");
    listener.set_nonblocking(false).unwrap();
    let (mut held, _) = listener.accept().unwrap();
    answer(&mut held);
    drop(held);
    assert_eq!(second.answer().unwrap().text(), "ok");
}
