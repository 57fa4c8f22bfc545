//! Apps in languages whose components bring their whole engine, as they are written against Spin's SDKs for them,
//! unchanged, through the whole program. Each test is a cell of the second table in `docs/spin.md`.
//!
//! Such a component is tens of megabytes: it is compiled once for all tests, into a cache below `target`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};
use tombolo_testkit::sdk::Sdk;
use tombolo_testkit::servers::service::{Answer, Asked, Service};
use tombolo_testkit::{Sandbox, Up};

/// One lock for each guest: whoever comes first compiles it, and the others find it in the cache.
static COMPILING: LazyLock<Mutex<HashMap<String, Arc<Mutex<()>>>>> = LazyLock::new(Mutex::default);

/// Starts it, with the cache of all these tests.
fn start(guest: &str, mut command: Command) -> Up {
    command.env("TOMBOLO_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("scripted"));
    let turn = Arc::clone(COMPILING.lock().unwrap().entry(guest.to_owned()).or_default());
    let _turn = turn.lock();
    Up::spawn(command)
}

const SDK: Sdk = Sdk { program: env!("CARGO_BIN_EXE_tombolo"), start };

/// A model that always says the same, by OpenAI's protocol; there is no other.
fn model(asked: &Asked) -> Answer {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    if body["model"] != "llama2-chat" {
        return Some((404, json!({ "error": { "message": "no", "code": "model_not_found" } }).to_string()));
    }
    let [message] = &body["messages"].as_array().unwrap()[..] else { panic!("{body}") };
    assert_eq!(message["content"], "Say it.");
    let answer = json!({
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "It is said." } }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 3 },
    });
    Some((200, answer.to_string()))
}

/// The checks of the app itself with a server of models, of which it may use one that is there and one that is not.
fn llm(guest: &str) {
    let server = Service::start(model);
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app.wasm");
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
        component = \"app\"\n[component.app]\nsource = \"app.wasm\"\nai_models = [\"llama2-chat\", \"other\"]\n";
    sandbox.file("spin.toml", manifest);
    let url = server.url();
    let text = format!(
        "[llm_compute]\ntype = \"remote_http\"\nurl = \"{url}\"\nauth_token = \"key\"\napi_type = \"open_ai\"\n"
    );
    sandbox.file("runtime.toml", text);
    let arguments = ["up", "--listen", "127.0.0.1:0", "--runtime-config-file", "runtime.toml"];
    let up = start(guest, sandbox.command(&arguments));
    for _ in 0..2 {
        assert_eq!(up.get("/llm").text(), "ok", "{}", up.said("Listening"));
    }
    assert_eq!(server.asked().len(), 4);
}

macro_rules! cells {
    ($sdk:ident, $guest:literal: $($name:ident by $check:ident($($more:literal)?)),*) => {
        mod $sdk {
            $(
                #[test]
                fn $name() {
                    super::SDK.$check($guest $(, $more)?);
                }
            )*
        }
    };
}

cells!(
    javascript_2, "js-2":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite by checks("/sqlite"), redis by redis(), mqtt by mqtt(), mysql by mysql("/mysql"),
    postgres by postgres("/postgres")
);
cells!(
    python_3, "py-3":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite_2 by checks("/sqlite-2"), sqlite_3 by checks("/sqlite-3"), redis by redis(), mqtt by mqtt(),
    mysql by mysql("/mysql"), postgres_2 by postgres("/postgres-2"), postgres_4 by postgres("/postgres-4")
);
cells!(
    python_5, "py-5":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite by checks("/sqlite"), redis by redis(), mqtt by mqtt(), mysql by mysql("/mysql"),
    postgres by postgres("/postgres")
);

#[test]
fn javascript_2_llm() {
    llm("js-2");
}

#[test]
fn python_3_llm() {
    llm("py-3");
}

#[test]
fn python_5_llm() {
    llm("py-5");
}

cells!(javascript_2_messages, "js-2-messages": redis_trigger by redis_trigger("app/app: "));
cells!(python_3_messages, "py-3-messages": redis_trigger by redis_trigger("app/app: "));
cells!(python_5_messages, "py-5-messages": redis_trigger by redis_trigger("app/app: "));

/// The table says what is tested: each cell is a test.
#[test]
fn the_cells_of_the_page_are_tests() {
    tombolo_testkit::cells::name_tests(
        include_str!("../../../docs/spin.md"),
        Some("scripted"),
        &["llm", "scripted"],
    );
}
