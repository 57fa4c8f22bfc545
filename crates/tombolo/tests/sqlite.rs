//! SQLite databases of guests, through the whole program.

use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up};

/// An app of one guest, with more lines for its component.
fn app(guest: &str, lines: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app.wasm");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"app\"\n[component.app]\nsource = \"app.wasm\"\n{lines}\n"
    );
    sandbox.file("spin.toml", text);
    sandbox
}

const DATABASE: &str = "sqlite_databases = [\"default\"]";

#[test]
fn every_operation_of_the_synchronous_interfaces_holds() {
    let sandbox = app("sqlite", DATABASE);
    let up = Up::start(&sandbox, &[]);
    for _ in 0..3 {
        assert_eq!(up.get("/").text(), "ok", "{}", up.said("Listening"));
    }
    assert_eq!(up.get("/many").text(), "5");
    assert!(sandbox.path().join(".tombolo/sqlite/app/default.db").exists());
}

#[test]
fn every_operation_of_the_asynchronous_interface_holds() {
    let sandbox = app("sqlite-async", DATABASE);
    let up = Up::start(&sandbox, &[]);
    for _ in 0..2 {
        assert_eq!(up.get("/").text(), "ok", "{}", up.said("Listening"));
        assert_eq!(up.get("/mixed").text(), "Value::Integer(4002000)");
        assert_eq!(up.get("/stop").text(), "Value::Integer(1) Value::Integer(7)");
    }
}

/// 100 MB of rows, through a guest that has 16 MiB.
#[test]
fn a_stream_of_rows_takes_no_memory() {
    let sandbox = app("sqlite-async", &format!("{DATABASE}\ntool.tombolo.memory_mib_max = 16"));
    let up = Up::start(&sandbox, &[]);
    up.get("/stop");
    let before = up.memory_kb();
    assert_eq!(up.get("/rows").text(), "100000 5000050000", "{}", up.said("Listening"));
    let grown = up.memory_kb().saturating_sub(before);
    assert!(grown < 50_000, "{grown} kB more");
}

#[test]
fn without_a_grant_no_database_opens_and_no_file_is_made() {
    let sandbox = app("sqlite", "");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/denied").text(), "Some(Error::AccessDenied) Some(Error::NoSuchDatabase)");
    assert!(!sandbox.path().join(".tombolo/sqlite").exists());
}

#[test]
fn a_label_that_nobody_defined_is_refused_at_load() {
    let sandbox = app("sqlite", "sqlite_databases = [\"default\", \"users\"]");
    let refused = sandbox.tombolo(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, Some(1));
    assert_eq!(
        refused.stderr,
        "error: component `app`: sqlite_databases: there is no database `users`, expected `default`\n"
    );
}

/// SQL opens no file, loads no code and sets nothing of the process.
#[test]
fn a_statement_has_no_doors() {
    let sandbox = app("sqlite", DATABASE);
    let up = Up::start(&sandbox, &[]);
    let answer = up.get("/doors").text();
    assert_eq!(answer.lines().count(), 12, "{answer}");
    for line in answer.lines() {
        let refused = ["not authorized", "may not be modified", "too big", "no such function"];
        assert!(line.contains("Error::Io") && refused.iter().any(|part| line.contains(part)), "{line}");
    }
    assert_eq!(up.get("/").text(), "ok", "and none of it broke anything");
}

/// More rows than there is memory end the statement, not the node, nor the guest.
#[test]
fn a_huge_result_is_an_error_of_its_statement() {
    let sandbox = app("sqlite", DATABASE);
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/").text(), "ok");
    let answer = up.get("/huge").text();
    assert!(answer.starts_with("Error::Io") && answer.contains("more than 128 MiB"), "{answer}");
    assert!(up.memory_kb() < 600_000, "{} kB", up.memory_kb());
}

#[test]
fn an_endless_statement_ends_with_its_request() {
    let sandbox = app("sqlite", &format!("{DATABASE}\ntool.tombolo.request_ms_max = 500"));
    let up = Up::start(&sandbox, &[]);
    let began = Instant::now();
    assert_eq!(up.get("/endless").status, 504);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Its thread stops as well: a processor that goes on computing would show.
    let until = Instant::now() + Duration::from_secs(20);
    while up.thread_statuses("State").iter().filter(|state| state.starts_with('R')).count() > 0 {
        assert!(Instant::now() < until, "a thread computes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(up.get("/count").text(), "1");
}

/// Time on a core is charged, wherever it is spent.
#[test]
fn an_endless_statement_ends_with_its_time_on_a_core() {
    let sandbox = app("sqlite", &format!("{DATABASE}\ntool.tombolo.cpu_ms_max = 300"));
    let up = Up::start(&sandbox, &[]);
    let began = Instant::now();
    let answer = up.get("/endless");
    assert!(answer.status == 504 || answer.text().contains("interrupted"), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// A guest that ends within a transaction blocks nobody and leaves nothing.
#[test]
fn what_a_guest_leaves_open_is_undone() {
    let sandbox = app("sqlite", DATABASE);
    let up = Up::start(&sandbox, &[]);
    for _ in 0..5 {
        assert_eq!(up.get("/leave").text(), "left");
        assert_eq!(up.get("/left").text(), "0 rows, 0 temporary tables, foreign keys 1");
    }
}

/// Kills the server between counts: a count that was told is never taken back.
#[test]
fn no_acknowledged_change_is_lost_to_a_kill() {
    let sandbox = app("sqlite", DATABASE);
    let mut told = 0;
    for _ in 0..3 {
        let up = Up::start(&sandbox, &[]);
        for _ in 0..5 {
            let count: u64 = up.get("/count").text().parse().unwrap();
            assert_eq!(count, told + 1);
            told = count;
        }
        up.kill();
    }
}

/// Many requests at once, more than there are connections: each gets its turn.
#[test]
fn many_at_once_all_count() {
    let sandbox = app("sqlite", DATABASE);
    let up = Up::start(&sandbox, &[]);
    up.get("/count");
    let address = up.address();
    let client = move || {
        let mut connection = tombolo_testkit::Connection::open(address);
        for _ in 0..5 {
            let answer = connection.get("/count");
            assert_eq!(answer.status, 200);
        }
    };
    let clients: Vec<_> = (0..48).map(|_| std::thread::spawn(client)).collect();
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(up.get("/count").text(), (48 * 5 + 2).to_string());
}

/// As `spin up --sqlite`: tables and rows that are there before the first request.
#[test]
fn statements_are_executed_at_start() {
    let sandbox = app("sqlite", DATABASE);
    sandbox.file(
        "seed.sql",
        "CREATE TABLE counter (id INTEGER PRIMARY KEY, n);\nINSERT INTO counter VALUES (1, 40);\n",
    );
    let up = Up::start(&sandbox, &["--sqlite", "@seed.sql", "--sqlite", "UPDATE counter SET n = n + 1"]);
    assert_eq!(up.get("/count").text(), "42");
    drop(up);
    let refused = sandbox.tombolo(&["up", "--sqlite", "@seed.sql"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("table counter already exists"), "{}", refused.stderr);
    let refused = sandbox.tombolo(&["up", "--sqlite", "@absent.sql"]);
    assert!(refused.stderr.starts_with("error: cannot read `absent.sql`: "), "{}", refused.stderr);
}
