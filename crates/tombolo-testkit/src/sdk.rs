//! Apps that are written against an SDK of Spin, and what each of them is to do.

use std::process::Command;

use crate::{Sandbox, Up, servers};

/// How such apps are run.
#[derive(Clone, Copy, Debug)]
pub struct Sdk {
    /// The program: `env!("CARGO_BIN_EXE_tombolo")` of a test.
    pub program: &'static str,
    /// Starts the app of a guest.
    pub start: fn(guest: &str, command: Command) -> Up,
}

/// An app of one SDK with all that it needs, as Spin's own templates would write it.
const APP: &str = r#"
    spin_manifest_version = 2

    [application]
    name = "app"
    version = "0.1.0"
    authors = ["Somebody <somebody@example.com>"]

    [variables]
    region = { default = "eu" }

    [[trigger.http]]
    route = "/http/:name"
    component = "app"

    [[trigger.http]]
    route = "/..."
    component = "app"

    [component.app]
    source = "app.wasm"
    allowed_outbound_hosts = [
        "http://127.0.0.1:*", "redis://127.0.0.1:*", "mqtt://127.0.0.1:*", "mysql://127.0.0.1:*",
        "postgres://127.0.0.1:*",
    ]
    key_value_stores = ["default"]
    sqlite_databases = ["default"]
    variables = { region = "{{ region }}-west" }
"#;

/// An app that has nothing but messages.
const MESSAGES: &str = r#"
    spin_manifest_version = 2

    [application]
    name = "app"

    [application.trigger.redis]
    address = "{{ server }}"

    [variables]
    server = { required = true }

    [[trigger.redis]]
    channel = "messages"
    component = "app"

    [component.app]
    source = "app.wasm"
    allowed_outbound_hosts = ["{{ server }}"]
    variables = { server = "{{ server }}" }
"#;

impl Sdk {
    fn sandbox(&self, guest: &str, manifest: &str) -> Sandbox {
        let sandbox = Sandbox::new(self.program);
        sandbox.guest(guest, "app.wasm");
        sandbox.file("spin.toml", manifest);
        sandbox
    }

    /// The app of a guest, and the program that serves it.
    pub fn app(&self, guest: &str) -> (Sandbox, Up) {
        let sandbox = self.sandbox(guest, APP);
        let up = (self.start)(guest, sandbox.command(&["up", "--listen", "127.0.0.1:0"]));
        (sandbox, up)
    }

    /// What is sent, and the parts of the route, arrive; what is answered comes back.
    ///
    /// # Panics
    ///
    /// If not; so do all of these.
    pub fn http(&self, guest: &str) {
        let (_sandbox, up) = self.app(guest);
        let answer = up.post("/http/it", b"some bytes");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (201, "it some bytes"),
            "{}",
            up.said("Listening")
        );
        assert_eq!(answer.header("x-app"), Some(guest));
    }

    /// A granted host answers, another is refused.
    pub fn outbound(&self, guest: &str) {
        let upstream = Sandbox::new(self.program);
        upstream.web_app("");
        // At all addresses of this machine, so that it is the grant that refuses.
        let upstream = Up::spawn(upstream.command(&["up", "--listen", "0.0.0.0:0"]));
        let (_sandbox, up) = self.app(guest);
        let port = upstream.address().port();
        let get = |host: &str| up.get(&format!("/outbound?http://{host}:{port}/")).text();
        assert_eq!(get("127.0.0.1"), "hello", "{}", up.said("Listening"));
        assert_eq!(get("127.0.0.2"), "refused");
    }

    /// The checks of the app itself, twice: the second time it finds what the first left.
    pub fn checks(&self, guest: &str, path: &str) {
        let (_sandbox, up) = self.app(guest);
        for _ in 0..2 {
            assert_eq!(up.get(path).text(), "ok", "{}", up.said("Listening"));
        }
    }

    /// The checks of the app itself against a real server.
    pub fn redis(&self, guest: &str) {
        let server = servers::redis::Redis::start();
        self.checks(guest, &format!("/redis?{}", server.address()));
    }

    /// The checks of the app itself against a real broker, which has each message as it was to be sent.
    pub fn mqtt(&self, guest: &str) {
        let broker = servers::mosquitto::Mosquitto::start();
        let subscription = broker.subscribe("topic", None);
        self.checks(guest, &format!("/mqtt?{}", broker.address()));
        for number in [0, 1, 2, 0, 1, 2] {
            assert_eq!(subscription.next(), (number.to_string().into_bytes(), number));
        }
    }

    /// The checks of the app against a server of PostgreSQL: it gets the address of a database of its own.
    pub fn postgres(&self, guest: &str, path: &str) {
        let database = servers::postgres::Postgres::plain().database();
        self.checks(guest, &format!("{path}?{}", database.url("sslmode=disable")));
    }

    /// The same with a server of MySQL.
    pub fn mysql(&self, guest: &str, path: &str) {
        let database = servers::mysql::MySql::plain().database();
        self.checks(guest, &format!("{path}?{}", database.url("")));
    }

    /// What is published comes, by an app of its SDK that has nothing but this trigger. `failed` is what is said of a
    /// message that it does not handle.
    pub fn redis_trigger(&self, guest: &str, failed: &str) {
        let server = servers::redis::Redis::start();
        let sandbox = self.sandbox(guest, MESSAGES);
        let mut command = sandbox.command(&["up"]);
        command.env("SPIN_VARIABLE_SERVER", server.address());
        let up = (self.start)(guest, command);
        server.until(&["PUBSUB", "NUMSUB", "messages"], "messages\n1");
        server.cli(&["PUBLISH", "messages", "one"]);
        server.until(&["LRANGE", "received", "0", "-1"], "one");
        server.cli(&["PUBLISH", "messages", "fail"]);
        up.said(failed);
        server.cli(&["PUBLISH", "other", "no"]);
        server.cli(&["PUBLISH", "messages", "two"]);
        server.until(&["LRANGE", "received", "0", "-1"], "one\ntwo");
        assert!(up.stop().success());
    }
}
