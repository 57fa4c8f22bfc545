//! What apps print, and who is told.

use std::time::{Duration, Instant};

use tombolo_testkit::{Connection, Sandbox, Serving};

use crate::{done, refused, sandbox};

/// A node with the app `app`, and a token.
fn app(sandbox: &Sandbox) -> (Serving, String) {
    let (node, token) = Serving::first(sandbox);
    sandbox.web_app("");
    done(sandbox, &["deploy"]);
    (node, token)
}

/// The lines of an answer.
fn lines(node: &Serving, token: &str, query: &str) -> Vec<serde_json::Value> {
    let answer = node.order("GET", &format!("/v1/apps/app/logs{query}"), token, None);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is printed is collected by somebody else than who answers: waits for so many lines.
fn wait_for(node: &Serving, token: &str, count: usize) -> Vec<serde_json::Value> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let lines = lines(node, token, "");
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < until, "{lines:?}");
        std::thread::yield_now();
    }
}

/// A client that follows the app.
fn follow(node: &Serving, token: &str, lines: usize) -> Connection {
    let mut connection = Connection::open(node.control);
    let path = format!("/v1/apps/app/logs?lines={lines}&follow=true");
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\n\r\n"));
    let head = connection.head().unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    connection
}

/// The next line that is followed.
fn next(connection: &mut Connection) -> serde_json::Value {
    let chunk = connection.chunk().unwrap().expect("a line");
    serde_json::from_slice(&chunk).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&chunk)))
}

#[test]
fn the_last_lines_of_an_app_are_told_also_after_a_restart() {
    let sandbox = sandbox();
    let (node, token) = app(&sandbox);
    assert!(lines(&node, &token, "").is_empty());
    for _ in 0..2 {
        node.get("app.localhost", "/print");
    }
    let all = wait_for(&node, &token, 4);
    let told: Vec<_> = all.iter().map(|line| (line["stream"].as_str(), line["text"].as_str())).collect();
    assert!(told.contains(&(Some("stdout"), Some("to stdout"))), "{told:?}");
    assert!(told.contains(&(Some("stderr"), Some("to stderr"))), "{told:?}");
    assert!(all.iter().all(|line| line["component"] == "web" && line["at_ms"].as_u64().unwrap() > 1 << 40));
    assert!(all.windows(2).all(|two| two[0]["at_ms"].as_u64() <= two[1]["at_ms"].as_u64()));
    assert_eq!(lines(&node, &token, "?lines=1"), all[3..]);
    assert!(node.up.stop().success());

    let node = Serving::start(&sandbox);
    assert_eq!(lines(&node, &token, ""), all);
    let url = format!("http://{}", node.control);
    sandbox.tombolo_reading(&token, &["login", &url]);
    let printed = done(&sandbox, &["logs", "app", "--lines", "2"]);
    assert_eq!(printed.lines().count(), 2);
    assert!(
        printed.lines().all(|line| line.starts_with("20") && line.contains("  web | to std")),
        "{printed}"
    );
    let json = done(&sandbox, &["logs", "app", "--json"]);
    let json: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json, all);
    assert!(refused(&sandbox, &["logs", "none"]).contains("no app `none`"));
    assert_eq!(node.order("GET", "/v1/apps/app/logs?lines=10001", &token, None).status, 400);
}

#[test]
fn who_follows_an_app_is_told_each_line_until_the_node_stops() {
    let sandbox = sandbox();
    let (node, token) = app(&sandbox);
    node.get("app.localhost", "/print");
    wait_for(&node, &token, 2);
    let mut followed = follow(&node, &token, 1);
    let mut new = follow(&node, &token, 0);
    assert!(next(&mut followed)["text"].as_str().unwrap().starts_with("to std"), "the last one");
    node.get("app.localhost", "/print");
    for _ in 0..2 {
        let line = next(&mut followed);
        assert!(line["text"].as_str().unwrap().starts_with("to std"), "{line}");
        assert_eq!(next(&mut new), line);
    }
    assert!(node.up.stop().success(), "who follows holds nobody up");
    assert_eq!(followed.chunk(), Ok(None), "the answer has an end");
    assert_eq!(new.chunk(), Ok(None));
}

#[test]
fn who_follows_an_app_that_is_removed_is_let_go() {
    let sandbox = sandbox();
    let (node, token) = app(&sandbox);
    node.get("app.localhost", "/print");
    wait_for(&node, &token, 2);
    let mut followed = follow(&node, &token, 0);
    let mut command = sandbox.command(&["logs", "app", "-f"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    assert!(line.contains("web | to std"), "{line}");
    assert_eq!(node.order("DELETE", "/v1/apps/app", &token, None).status, 204);
    assert_eq!(followed.chunk(), Ok(None));
    assert!(child.wait().unwrap().success());
    let kept = node.up.path(&sandbox.path().join("data/tombolo/logs/default/app"));
    assert!(!kept.exists(), "with the app its lines go");
    assert_eq!(node.order("GET", "/v1/apps/app/logs", &token, None).status, 404);
}

/// One that prints as fast as it can, and a client that reads nothing: the guest ends when its time is over, and
/// the client is told what it lost.
#[test]
fn a_client_that_does_not_read_holds_nobody_up_and_learns_what_it_lost() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.guest("hostile", "hostile.wasm");
    let limits = "[component.web.tool.tombolo]\nlog_bytes_per_s_max = 100000000\nrequest_ms_max = 1500\n";
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"web\"\n[component.web]\nsource = \"hostile.wasm\"\n{limits}"
    );
    sandbox.file("spin.toml", manifest);
    done(&sandbox, &["deploy"]);
    let mut followed = follow(&node, &token, 0);
    let asked = Instant::now();
    assert_eq!(node.get("app.localhost", "/hostile/log-stdout").status, 504);
    assert!(asked.elapsed() < Duration::from_secs(20));
    node.order("DELETE", "/v1/apps/app", &token, None);
    let (mut told, mut lost) = (0_u64, 0_u64);
    while let Some(chunk) = followed.chunk().unwrap() {
        let line: serde_json::Value = serde_json::from_slice(&chunk).unwrap();
        match line["lost"].as_u64() {
            Some(count) => lost += count,
            None => told += 1,
        }
    }
    assert!(told > 0 && lost > 0, "{told} were told, {lost} lost");
}
