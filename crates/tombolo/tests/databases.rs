//! Servers of databases behind guests that have too little time or memory, through the whole program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tombolo_testkit::servers::scripted::{scripted, without_end};
use tombolo_testkit::{Response, Sandbox, Up, servers};

fn start(limits: &str) -> (Sandbox, Up) {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest("spin-7", "app.wasm");
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "app"
        [[trigger.http]]
        route = "/..."
        component = "app"
        [component.app]
        source = "app.wasm"
        allowed_outbound_hosts = ["mysql://127.0.0.1:*", "postgres://127.0.0.1:*"]
        tool.tombolo = {{ {limits} }}
        "#
    );
    sandbox.file("spin.toml", text);
    let up = Up::start(&sandbox, &[]);
    (sandbox, up)
}

fn rows(up: &Up, path: &str, address: &str, statement: &str) -> Response {
    up.post(path, format!("{address}\n{statement}").as_bytes())
}

/// Asks until it is so.
fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_request_out_of_time_ends_its_statement_in_postgresql() {
    let database = servers::postgres::Postgres::plain().database();
    let (_sandbox, up) = start("request_ms_max = 1000, outbound_connections_max = 1");
    let address = database.url("sslmode=disable");
    assert_eq!(rows(&up, "/postgres-rows", &address, "SELECT 1").text(), "1");
    assert_eq!(rows(&up, "/postgres-rows", &address, "SELECT pg_sleep(600)").status, 504);
    let running = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%sleep(600)%'
         AND state = 'active' AND pid <> pg_backend_pid()",
        database.name
    );
    wait("the statement's end", || database.run(&running) == "0");
    // Its slot is free for the next.
    wait("a slot", || rows(&up, "/postgres-rows", &address, "SELECT 1").text() == "1");
}

#[test]
fn a_request_out_of_time_ends_its_statement_in_mysql() {
    let database = servers::mysql::MySql::plain().database();
    let (_sandbox, up) = start("request_ms_max = 1000, outbound_connections_max = 1");
    let address = database.url("");
    assert_eq!(rows(&up, "/mysql-rows", &address, "SELECT 1").text(), "1");
    assert_eq!(rows(&up, "/mysql-rows", &address, "SELECT sleep(600)").status, 504);
    let running = format!(
        "SELECT count(*) FROM information_schema.processlist WHERE db = '{}' AND info LIKE '%sleep(600)%'
         AND id <> connection_id()",
        database.name
    );
    wait("the statement's end", || database.run(&running) == "0");
    wait("a slot", || rows(&up, "/mysql-rows", &address, "SELECT 1").text() == "1");
}

#[test]
fn more_rows_than_the_memory_has_room_for_come_as_a_stream_and_a_larger_row_does_not() {
    let (_sandbox, up) = start("memory_mib_max = 20");
    let postgres = servers::postgres::Postgres::plain().database().url("sslmode=disable");
    let many = "SELECT repeat('x', 10000) FROM generate_series(1, 10000)";
    assert_eq!(rows(&up, "/postgres-rows", &postgres, many).text(), "10000");
    let large = rows(&up, "/postgres-rows", &postgres, "SELECT repeat('x', 100000000)").text();
    assert!(large.contains("too large"), "{large}");
    let mysql = servers::mysql::MySql::plain().database().url("");
    let many = "SELECT repeat('x', 10000) FROM seq_1_to_10000";
    assert_eq!(rows(&up, "/mysql-rows", &mysql, many).text(), "10000");
    let large = rows(&up, "/mysql-rows", &mysql, "SELECT repeat('x', 15000000)").text();
    assert!(large.contains("too large"), "{large}");
}

/// At an address that the manifest grants, as whoever wrote it may run one: the request fails, and the node goes on. What
/// else it may do, the capability's own tests have.
#[test]
fn a_server_of_postgresql_that_means_harm_ends_the_request_and_nothing_else() {
    let postgres = scripted(|stream| {
        let mut asked = [0; 4096];
        let mut read = |stream: &mut TcpStream| stream.read(&mut asked);
        read(stream)?;
        // Welcome; a statement of one column; a row of two GiB.
        stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")?;
        read(stream)?;
        stream.write_all(b"1\0\0\0\x04t\0\0\0\x06\0\0T\0\0\0\x1a\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04")?;
        stream.write_all(b"\xff\xff\xff\xff\0\x01Z\0\0\0\x05I")?;
        read(stream)?;
        stream.write_all(b"2\0\0\0\x04D\x7f\xff\xff\xff")?;
        without_end(stream, &[0])
    });
    let (_sandbox, up) = start("request_ms_max = 5000");
    let hostile = format!("postgres://me:secret@127.0.0.1:{postgres}/x?sslmode=disable");
    for _ in 0..3 {
        let answer = rows(&up, "/postgres-rows", &hostile, "SELECT 1");
        assert!(answer.text().parse::<u64>().is_err(), "{} {}", answer.status, answer.text());
    }
    let address = servers::postgres::Postgres::plain().database().url("sslmode=disable");
    assert_eq!(rows(&up, "/postgres-rows", &address, "SELECT 1").text(), "1");
    let peak = up.status("VmHWM");
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 1 << 20, "{peak}");
}
