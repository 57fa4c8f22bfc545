//! The access log.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tombolo_testkit::{Sandbox, Serving, Up};

use crate::{app, ask, get, sandbox};

/// What a file holds once it has so many lines: they are written by somebody else than who answers.
fn lines(file: &Path, count: usize) -> Vec<String> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') && text.lines().count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(Instant::now() < until, "waited for {count} lines: {text}");
        std::thread::yield_now();
    }
}

fn documents(file: &Path, count: usize) -> Vec<Value> {
    lines(file, count).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn logging(policies: &str, options: &[&str]) -> (Sandbox, Up) {
    let sandbox = app(policies, "");
    let up = Up::start(&sandbox, options);
    (sandbox, up)
}

#[test]
fn each_request_is_a_line() {
    let options = ["--access-log", "logs/access.log", "--access-log-format", "json"];
    let (sandbox, up) =
        logging("request_id = true\nrate_limit.client = { requests = 1, per_s = 3600, burst = 4 }", &options);
    let file = sandbox.path().join("logs/access.log");
    let answer = get(&up, "/?a=b", &["user-agent: curl/8 \"quoted\"", "referer: http://r.test/"]);
    let (id, length) = (answer.header("x-request-id").unwrap(), answer.body.len());
    let first = &documents(&file, 1)[0];
    let expected: [(&str, Value); 12] = [
        ("id", id.into()),
        ("client", "127.0.0.1".into()),
        ("method", "GET".into()),
        ("host", "test".into()),
        ("target", "/?a=b".into()),
        ("version", "HTTP/1.1".into()),
        ("status", 200.into()),
        ("bytes", length.into()),
        ("app", "app".into()),
        ("component", "web".into()),
        ("referer", "http://r.test/".into()),
        ("user_agent", "curl/8 \"quoted\"".into()),
    ];
    for (field, expected) in expected {
        assert_eq!(first[field], expected, "{field}");
    }
    assert!(first["at_ms"].as_u64().unwrap() > 1 << 40 && first["took_us"].as_u64().unwrap() > 0, "{first}");
    get(&up, "/panic", &[]);
    ask(&up, "HEAD", "/files/app.js", &[]);
    get(&up, "/short", &[]);
    get(&up, "/", &[]);
    // For no host at all.
    up.connect().send("GET /x HTTP/1.1\r\n\r\n").answer();
    let all = documents(&file, 6);
    for (target, status, app, component) in [
        ("/?a=b", 200, Some("app"), Some("web")),
        ("/panic", 500, Some("app"), Some("web")),
        ("/files/app.js", 200, Some("app"), None),
        ("/short", 200, Some("app"), None),
        ("/", 429, Some("app"), Some("web")),
        ("/x", 400, None, None),
    ] {
        let line = all.iter().find(|line| line["target"] == target).unwrap();
        let told = (line["status"].as_u64(), line["app"].as_str(), line["component"].as_str());
        assert_eq!(told, (Some(status), app, component), "{target}");
    }
    assert!(up.stop().success());
}

#[test]
fn a_line_is_one_that_other_programs_read() {
    let (_sandbox, up) = logging("", &["--access-log", "-"]);
    get(&up, "/uri?a=b", &["user-agent: curl/8 \"\\"]);
    let said = up.said("curl/8");
    let line = said.lines().find(|line| line.contains("curl/8")).unwrap();
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    let rest = line.split_once("] ").unwrap().1;
    assert!(rest.starts_with("\"GET /uri?a=b HTTP/1.1\" 200 "), "{rest}");
    assert!(rest.ends_with(r#" "-" "curl/8 \"\\""#), "{rest}");
}

/// As logrotate does: the file is moved, the node is told, and no line is lost.
#[test]
fn a_log_is_rotated_while_it_is_written() {
    let (sandbox, up) = logging("", &["--access-log", "logs/access.log"]);
    let (file, moved) = (sandbox.path().join("logs/access.log"), sandbox.path().join("logs/access.log.1"));
    get(&up, "/?before", &[]);
    lines(&file, 1);
    fs::rename(&file, &moved).unwrap();
    up.signal("HUP");
    // It is there again.
    let until = Instant::now() + Duration::from_secs(30);
    while !file.exists() {
        assert!(Instant::now() < until, "no file was opened");
        get(&up, "/?meanwhile", &[]);
    }
    get(&up, "/?after", &[]);
    assert!(up.stop().success());
    let (old, new) = (fs::read_to_string(&moved).unwrap(), fs::read_to_string(&file).unwrap());
    assert!(old.contains("GET /?before ") && !old.contains("after"), "{old}");
    assert!(new.contains("GET /?after "), "{new}");
}

#[test]
fn an_app_may_stay_out_of_it() {
    let (sandbox, up) = logging("access_log = false", &["--access-log", "logs/access.log"]);
    get(&up, "/", &[]);
    get(&up, "/none", &[]);
    assert!(up.stop().success());
    assert_eq!(fs::read_to_string(sandbox.path().join("logs/access.log")).unwrap(), "");
}

/// A node's file says it, relative to its folder; all that was answered is written when it has stopped.
#[test]
fn a_node_writes_down_what_its_apps_were_asked() {
    let sandbox = sandbox();
    let text = "listen = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\ndata = \"../lib\"\n[access_log]\n\
        path = \"../logs/access.log\"\nformat = \"json\"\n";
    sandbox.file("etc/node.toml", text);
    let node = Serving::spawn(sandbox.command(&["serve", "--config", "etc/node.toml"]));
    node.log_in(&sandbox);
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\n\
        route = \"/...\"\nstatic_response = { body = \"one\" }\n";
    sandbox.file("spin.toml", manifest);
    assert_eq!(sandbox.tombolo(&["deploy"]).code, Some(0));
    for host in ["shop.localhost", "nobody.localhost"] {
        node.get(host, "/");
    }
    let file = sandbox.path().join("logs/access.log");
    let all = documents(&file, 2);
    let app = |host: &str| all.iter().find(|line| line["host"] == host).unwrap()["app"].as_str();
    assert!(app("shop.localhost").is_some_and(|app| app.ends_with("/shop")), "{all:?}");
    assert_eq!(app("nobody.localhost"), None);
    fs::rename(&file, sandbox.path().join("logs/old.log")).unwrap();
    node.up.signal("HUP");
    node.up.said("Read again\n");
    node.get("shop.localhost", "/last");
    assert!(node.up.stop().success());
    assert_eq!(documents(&file, 1)[0]["target"], "/last");
}

#[test]
fn a_log_that_cannot_be_written_is_told_at_the_start() {
    let sandbox = app("", "");
    let refused = sandbox.tombolo(&["up", "--listen", "127.0.0.1:0", "--access-log", "files"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("error: cannot open the access log `files`: "), "{}", refused.stderr);
    let refused = sandbox.tombolo(&["up", "--access-log-format", "json"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("hint: say where it is: `--access-log FILE`"), "{}", refused.stderr);
    let refused = sandbox.tombolo(&["up", "--access-log", "-", "--access-log-format", "common"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("expected `combined` or `json`"), "{}", refused.stderr);
}
