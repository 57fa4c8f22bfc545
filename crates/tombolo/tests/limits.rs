//! What one request may use, what it is told it used, and what is kept between two.

use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up};

/// The guest `web` as an app with these lines in `[component.web.tool.tombolo]`.
fn web(limits: &str, arguments: &[&str]) -> (Sandbox, Up) {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app(&format!("[component.web.tool.tombolo]\n{limits}"));
    let up = Up::start(&sandbox, arguments);
    (sandbox, up)
}

/// Waits until `done`, for so long.
fn eventually(what: &str, time: Duration, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + time;
    while !done() {
        assert!(Instant::now() < until, "waited {time:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn time_on_a_core_is_bounded_apart_from_time() {
    let (_sandbox, up) = web("cpu_ms_max = 200", &[]);
    assert_eq!(up.get("/sleep?ms=600").status, 200, "to wait costs no core");
    let started = Instant::now();
    assert_eq!(up.get("/loop").status, 504);
    assert!(started.elapsed() < Duration::from_secs(10), "and not after the 30 s of its request");
    up.said("more than 200 ms on a core");
}

#[test]
fn an_answer_over_its_bound_is_cut_or_replaced() {
    let (_sandbox, up) = web("response_body_bytes_max = 300000", &[]);
    let cut = up.get("/stream?mib=1");
    assert_eq!((cut.status, cut.is_complete), (200, false));
    assert!(cut.body.len() <= 300_000, "{} bytes came through", cut.body.len());
    let (_sandbox, up) = web("response_body_bytes_max = 4", &[]);
    assert_eq!(up.get("/").status, 502, "nothing was out yet");
}

#[test]
fn what_a_request_used_is_told_when_asked_for() {
    let (_sandbox, up) = web("", &["--server-timing"]);
    let response = up.get("/");
    let timing = response.header("server-timing").expect("it was asked for").to_owned();
    let number = |before: &str| -> f64 {
        let (_, rest) = timing.split_once(before).unwrap_or_else(|| panic!("{before} is in {timing}"));
        let end = rest.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(rest.len());
        rest[..end].parse().unwrap_or_else(|_| panic!("a number is behind {before} in {timing}"))
    };
    let (total, cpu, waited) = (number("total;dur="), number("cpu;dur="), number("wait;dur="));
    assert!(cpu > 0.0 && cpu <= total && waited < total, "{timing}");
    assert!(number("host;desc=\"") > 5.0 && number("memory;desc=\"") > 1000.0, "{timing}");
    let (_sandbox, plain) = web("", &[]);
    assert_eq!(plain.get("/").header("server-timing"), None);
}

/// The operator gets the trap with its functions, the caller a status and a number to ask with.
#[test]
fn a_trap_is_told_to_the_operator_alone() {
    let (_sandbox, up) = web("", &[]);
    let response = up.get("/panic");
    assert_eq!((response.status, response.text().as_str()), (500, "500 Internal Server Error\n"));
    let id = response.header("x-request-id").expect("a failure has a number").to_owned();
    // The outermost function, which no change to the guest inlines.
    let said = up.said("wasi:http/incoming-handler@0.2.12#handle");
    assert!(said.contains(&format!("app/web: request {id}: the guest trapped")), "{said}");
    assert!(said.contains("wasm backtrace:") && said.contains("::panicking::panic_fmt"), "{said}");
}

#[test]
fn the_event_of_a_request_says_what_it_used() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app("");
    let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
    command.env("TOMBOLO_LOG", "request=info");
    let up = Up::spawn(command);
    assert_eq!(up.post("/echo", &[7; 1000]).body.len(), 1000);
    let said = up.said("request_bytes=1000");
    let event = said.lines().find(|line| line.contains("request_bytes=1000")).unwrap();
    for field in ["id=", "took_us=", "cpu_us=", "waited_us=", "memory_bytes=", "response_bytes=1000"] {
        assert!(event.contains(field), "{field} is in {event}");
    }
    let calls = event.split("host_calls=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(calls.parse::<u64>().unwrap() > 5, "{event}");
}

/// Ten seconds without a byte of the body that was announced.
#[test]
fn a_client_that_does_not_send_its_body_is_given_up() {
    let (_sandbox, up) = web("", &[]);
    let mut connection = up.connect();
    connection.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\nsome");
    let started = Instant::now();
    let response = connection.answer();
    // The guest echoes, so its head may be out already: then the body is cut.
    assert!(response.is_none_or(|response| response.status == 408 || !response.is_complete));
    let took = started.elapsed();
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(25), "{took:?}");
}

#[test]
fn one_client_has_its_connections_and_no_more() {
    let (_sandbox, up) = web("", &["--client-connections-max", "2"]);
    let (mut one, mut two) = (up.connect(), up.connect());
    assert_eq!((one.get("/").status, two.get("/").status), (200, 200));
    let mut three = up.connect();
    let refused = three.answer().expect("a refusal");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    drop((one, two));
    eventually("a free connection", Duration::from_secs(10), || {
        up.connect().send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").answer().is_some_and(|a| a.status == 200)
    });
}

#[test]
fn a_fresh_instance_remembers_nothing_and_a_pooled_one_does() {
    let (_sandbox, up) = web("", &[]);
    let mut connection = up.connect();
    assert_eq!([(); 3].map(|()| connection.get("/count").text()), ["1", "1", "1"]);
    let (_sandbox, up) = web("isolation = \"pool\"\npool_requests_max = 3", &[]);
    let mut connection = up.connect();
    assert_eq!([(); 5].map(|()| connection.get("/count").text()), ["1", "2", "3", "1", "2"]);
    // One that failed takes no more requests.
    assert_eq!(connection.get("/panic").status, 500);
    assert_eq!(connection.get("/count").text(), "1");
    // One at work is not shared.
    let mut busy = up.connect();
    busy.send("GET /sleep?ms=1000 HTTP/1.1\r\nhost: test\r\n\r\n");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(up.get("/count").text(), "1");
    assert_eq!(busy.answer().unwrap().status, 200);
}

#[test]
fn an_instance_that_nobody_needs_is_let_go() {
    let (_sandbox, up) = web("isolation = \"pool\"\npool_idle_ms_max = 100", &[]);
    assert_eq!([(); 2].map(|()| up.get("/count").text()), ["1", "2"]);
    eventually("a new instance", Duration::from_secs(20), || {
        std::thread::sleep(Duration::from_secs(6));
        up.get("/count").text() == "1"
    });
}

/// Its code is mapped from the cache: out when unused, in again with the next request.
#[test]
fn the_code_of_an_unused_component_is_let_go_and_comes_back() {
    let (_sandbox, up) = web("", &["--unused-s-max", "5"]);
    assert_eq!(up.get("/").status, 200);
    assert!(up.maps(".cwasm"), "its code is in memory");
    eventually("its code to be let go", Duration::from_secs(30), || !up.maps(".cwasm"));
    assert_eq!(up.get("/").status, 200);
    assert!(up.maps(".cwasm"));
}

/// The cache was emptied behind its back: it is compiled again, of the same file only.
#[test]
fn code_that_is_gone_from_the_cache_is_compiled_again() {
    let (sandbox, up) = web("", &["--unused-s-max", "5"]);
    eventually("its code to be let go", Duration::from_secs(30), || !up.maps(".cwasm"));
    std::fs::remove_dir_all(sandbox.cache()).unwrap();
    assert_eq!(up.get("/").status, 200);
}

/// The pool is made after the first answer, and everybody moves to it: requests that began before end as
/// they began, those that come meanwhile are served, and instances that are kept are not kept for ever.
#[test]
fn the_pool_is_made_after_the_first_answer_and_nobody_is_lost() {
    for isolation in ["fresh", "pool"] {
        let (_sandbox, up) = web("", &["--isolation", isolation]);
        assert!(!up.has_pool(), "nobody has asked for anything");
        let mut slow = up.connect();
        slow.send("GET /sleep?ms=3000 HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut others = up.connect();
        eventually("the pool", Duration::from_secs(30), || {
            assert_eq!(others.get("/").status, 200);
            up.has_pool()
        });
        for _ in 0..100 {
            assert_eq!(others.get("/").status, 200);
        }
        assert_eq!(slow.answer().expect("an answer").status, 200, "it began without the pool");
    }
}

/// Where nothing is cached, code is copied from one engine to the other.
#[test]
fn without_a_cache_a_component_moves_to_the_pool_too() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app("");
    // A file where the folder of the cache would be.
    sandbox.file("no-folder", "");
    let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
    command.env("TOMBOLO_CACHE_DIR", sandbox.path().join("no-folder"));
    let up = Up::spawn(command);
    up.said("compiles again");
    eventually("the pool", Duration::from_secs(30), || up.get("/").status == 200 && up.has_pool());
    for _ in 0..10 {
        assert_eq!(up.get("/").status, 200);
    }
    assert!(!up.said("Listening").contains("stays without the pool"));
}
