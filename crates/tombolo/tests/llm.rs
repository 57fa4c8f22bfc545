//! Language models, through the whole program: guests of each SDK, and a server in the test that speaks each of the
//! two protocols, as Debian has none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use serde_json::{Value, json};
use tombolo_testkit::servers::service::{Answer, Asked, Service};
use tombolo_testkit::{Sandbox, Serving, Up};

/// What the guests expect of a model: it tells itself, the bound, and the prompt.
fn said(model: &str, bound: &Value, prompt: &str) -> (String, usize, usize) {
    let text = format!("{model} {bound} {prompt}");
    let generated = text.split(' ').count();
    (text, prompt.split(' ').count(), generated)
}

/// Where texts are: at their length, and a half.
fn places(texts: &Value) -> Vec<Value> {
    let place = |text: &Value| json!([text.as_str().unwrap().len(), 0.5]);
    texts.as_array().unwrap().iter().map(place).collect()
}

fn is_known(body: &Value) -> bool {
    ["llama2-chat", "all-minilm-l6-v2"].contains(&body["model"].as_str().unwrap())
}

fn authorized(asked: &Asked) -> bool {
    assert_eq!((asked.method.as_str(), asked.headers["content-type"].as_str()), ("POST", "application/json"));
    asked.headers["authorization"] == "bearer key"
}

/// Spin's own protocol.
fn spin(asked: &Asked) -> Answer {
    if !authorized(asked) {
        return Some((401, String::new()));
    }
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    if !is_known(&body) {
        return Some((404, String::new()));
    }
    let answer = match asked.path.as_str() {
        "/infer" => {
            let options = &body["options"];
            assert!(options["repeatPenalty"].is_f64() && options["topK"].is_u64(), "{body}");
            let prompt = body["prompt"].as_str().unwrap();
            let (text, prompt, generated) =
                said(body["model"].as_str().unwrap(), &options["maxTokens"], prompt);
            json!({ "text": text, "usage": { "promptTokenCount": prompt, "generatedTokenCount": generated } })
        }
        "/embed" => {
            let places = places(&body["input"]);
            json!({ "embeddings": places, "usage": { "promptTokenCount": places.len() } })
        }
        other => panic!("{other}"),
    };
    Some((200, answer.to_string()))
}

/// OpenAI's protocol.
fn open_ai(asked: &Asked) -> Answer {
    let refused = |status: u16, code: &str| {
        Some((status, json!({ "error": { "message": "sk-1 is wrong", "code": code } }).to_string()))
    };
    if !authorized(asked) {
        return refused(401, "invalid_api_key");
    }
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    if !is_known(&body) {
        return refused(404, "model_not_found");
    }
    let answer = match asked.path.as_str() {
        "/v1/chat/completions" => {
            let [message] = &body["messages"].as_array().unwrap()[..] else { panic!("{body}") };
            assert_eq!(message["role"], "user");
            let bound = &body["max_completion_tokens"];
            let (text, prompt, generated) =
                said(body["model"].as_str().unwrap(), bound, message["content"].as_str().unwrap());
            json!({
                "id": "chat-1", "object": "chat.completion", "model": body["model"],
                "choices": [{
                    "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text },
                }],
                "usage": { "prompt_tokens": prompt, "completion_tokens": generated, "total_tokens": 0 },
            })
        }
        "/v1/embeddings" => {
            let places = places(&body["input"]);
            let count = places.len();
            let embedding =
                |(index, place)| json!({ "index": index, "object": "embedding", "embedding": place });
            let data: Vec<Value> = places.into_iter().enumerate().map(embedding).collect();
            json!({ "object": "list", "data": data, "usage": { "prompt_tokens": count, "total_tokens": count } })
        }
        other => panic!("{other}"),
    };
    Some((200, answer.to_string()))
}

/// An app of `guest` that may use some models, with more lines for its component.
fn app(guest: &str, lines: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app.wasm");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"app\"\n[component.app]\nsource = \"app.wasm\"\n\
         ai_models = [\"llama2-chat\", \"all-minilm-l6-v2\", \"absent\"]\n{lines}\n"
    );
    sandbox.file("spin.toml", text);
    sandbox
}

/// The app, served with a runtime configuration that names the server at `url`.
fn up(sandbox: &Sandbox, url: &str, key: &str, api: &str) -> Up {
    let text =
        format!("[llm_compute]\ntype = \"remote_http\"\nurl = \"{url}\"\nauth_token = \"{key}\"\n{api}");
    sandbox.file("runtime.toml", text);
    Up::start(sandbox, &["--runtime-config-file", "runtime.toml"])
}

const OPEN_AI: &str = "api_type = \"open_ai\"\n";

/// A guest gets what it asks for by either protocol, twice: the second time over the same connection.
fn checks(guest: &str) {
    let sandbox = app(guest, "");
    let server = Service::start(spin);
    let by_spin = up(&sandbox, &server.url(), "key", "");
    let open = Service::start(open_ai);
    // The path counts for nothing, as in Spin.
    let by_open_ai = up(&sandbox, &format!("{}/v1", open.url()), "key", OPEN_AI);
    for _ in 0..2 {
        assert_eq!(by_spin.get("/llm?default").text(), "ok", "{}", by_spin.said("Listening"));
        assert_eq!(by_open_ai.get("/llm?open_ai").text(), "ok", "{}", by_open_ai.said("Listening"));
    }
    assert_eq!((server.asked().len(), open.asked().len()), (10, 10));
}

#[test]
fn sdk_2() {
    checks("spin-2");
}

#[test]
fn sdk_3() {
    checks("spin-3");
}

#[test]
fn sdk_5() {
    checks("spin-5");
}

#[test]
fn sdk_6() {
    checks("spin-6");
}

#[test]
fn sdk_7() {
    checks("spin-7");
}

/// Who deploys an app cannot name a server of models, so what would fail at each call is refused.
#[test]
fn a_node_has_the_models_that_its_operator_names() {
    let sandbox = app("spin-7", "");
    let (node, token) = Serving::first(&sandbox);
    let refused = sandbox.tombolo(&["deploy"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let reason = "component `app`: ai_models: this node has no language models";
    assert!(refused.stderr.contains(reason), "{refused:?}");
    drop(node);
    let server = Service::start(spin);
    let url = server.url();
    let text = format!("[llm_compute]\ntype = \"remote_http\"\nurl = \"{url}\"\nauth_token = \"key\"\n");
    sandbox.file("node.toml", text);
    let node = Serving::start_with(&sandbox, &["--config", "node.toml"]);
    let login = sandbox.tombolo_reading(&token, &["login", &format!("http://{}", node.control)]);
    assert_eq!(login.code, Some(0), "{login:?}");
    let deployed = sandbox.tombolo(&["deploy"]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    assert_eq!(node.get("app.localhost", "/llm?default").text(), "ok", "{}", node.up.said("Listening"));
    assert_eq!(server.asked().len(), 5);
}

#[test]
fn without_a_server_each_call_says_so() {
    let sandbox = app("spin-5", "");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/llm-none").text(), "ok", "{}", up.said("Listening"));
}

/// What only the operator can mend is the operator's to know: the guest learns that it failed.
#[test]
fn a_server_that_fails_is_the_operators_matter() {
    let sandbox = app("spin-5", "");
    let mut server = Service::start(open_ai);
    let app = up(&sandbox, &server.url(), "other key", OPEN_AI);
    assert_eq!(app.get("/llm?open_ai").status, 500);
    let log = app.said("RuntimeError(\"the server of language models answered 401\")");
    assert!(!log.contains("sk-1"), "{log}");
    server.stop();
    assert_eq!(app.get("/llm?open_ai").status, 500);
    let log = app.said("RuntimeError(\"the server of language models failed: cannot connect\")");
    assert!(!log.contains("other key"), "{log}");
}

/// An answer must fit into what the instance has left of its memory, and come before its request is over.
#[test]
fn an_answer_is_bounded_in_size_and_time() {
    let large = Service::start(|_| Some((200, format!(r#"{{"text":"{}"}}"#, "x".repeat(20 << 20)))));
    let sandbox = app("spin-5", "[component.app.tool.tombolo]\nmemory_mib_max = 16");
    let by_spin = up(&sandbox, &large.url(), "", "");
    assert_eq!(by_spin.get("/llm").status, 500);
    by_spin.said("RuntimeError(\"the answer is too large: ");

    let silent = Service::start(|_| None);
    let sandbox = app("spin-5", "[component.app.tool.tombolo]\nrequest_ms_max = 500");
    let by_spin = up(&sandbox, &silent.url(), "", "");
    assert_eq!(by_spin.get("/llm").status, 504);
    assert_eq!(silent.asked().len(), 1);
}

#[test]
fn models_of_this_machine_are_refused_with_a_reason() {
    let sandbox = app("spin-5", "");
    sandbox.file("runtime.toml", "[llm_compute]\ntype = \"spin\"\n");
    let refused = sandbox.tombolo(&["up", "--runtime-config-file", "runtime.toml"]);
    let expected = "error: runtime.toml:2:8: the type `spin` is not supported by this version of tombolo\n\nhint: run the \
         models in a server, and name that with `type = \"remote_http\"`\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), expected));
}

/// The table says what is tested: each cell is a test.
#[test]
fn the_cells_of_the_page_are_tests() {
    tombolo_testkit::cells::name_tests(
        include_str!("../../../docs/spin.md"),
        Some("llm"),
        &["llm", "scripted"],
    );
}
