//! Redis servers that guests speak to, through the whole program.

use tombolo_testkit::servers::redis::Redis;
use tombolo_testkit::{Sandbox, Up};

/// An app of one guest, with more lines for its component.
fn app(guest: &str, lines: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app.wasm");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"app\"\n[component.app]\nsource = \"app.wasm\"\n\
         allowed_outbound_hosts = [\"redis://127.0.0.1:*\"]\n{lines}\n"
    );
    sandbox.file("spin.toml", text);
    sandbox
}

/// A command that waits on the server ends with its request, and takes its connection with it.
#[test]
fn a_guest_that_waits_ends_at_its_deadline() {
    let server = Redis::start();
    for guest in ["spin-5", "spin-7"] {
        let sandbox =
            app(guest, "tool.tombolo.request_ms_max = 300\ntool.tombolo.outbound_connections_max = 2");
        let up = Up::start(&sandbox, &[]);
        for _ in 0..3 {
            assert_eq!(up.get(&format!("/redis-wait?{}", server.address())).status, 504);
        }
        server.until(
            &["EVAL", "return redis.call('INFO', 'clients'):match('blocked_clients:(%d+)')", "0"],
            "0",
        );
        let answer = up.get(&format!("/redis?{}", server.address()));
        assert_eq!(answer.text(), "ok", "{}", up.said("Listening"));
    }
}

/// Many requests at once share few connections, which wait for the next.
#[test]
fn requests_share_connections() {
    let server = Redis::start();
    let sandbox = app("spin-5", "tool.tombolo.outbound_connections_max = 3");
    let up = Up::start(&sandbox, &[]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    // The keys are the same for all, so what they hold is not looked at.
                    let _ = up.get(&format!("/redis?{}", server.address())).status;
                }
            });
        }
    });
    let answer = up.get(&format!("/redis?{}", server.address()));
    assert_eq!(answer.text(), "ok", "{}", up.said("Listening"));
    let clients: u32 = server.cli(&["CLIENT", "LIST"]).lines().count().try_into().unwrap();
    assert!(clients <= 4, "{clients} clients, the one that asks among them");
}
