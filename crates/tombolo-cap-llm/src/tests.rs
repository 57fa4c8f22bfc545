use proptest::prelude::*;
use serde_json::{Value, json};
use tombolo_capability::{MemoryBudget, Meter, conformance};
use tombolo_egress::EgressConfig;
use tombolo_model::{LlmApi, Secret, Source};

use super::*;
use crate::server::Reading;
use crate::view::{Embedded, Generated, Parameters, Refusal};

/// A server that nothing listens for.
fn compute() -> LlmCompute {
    let endpoint = "http://127.0.0.1:1".parse().unwrap();
    LlmCompute { endpoint, auth_token: Secret::new("token"), api: LlmApi::Spin }
}

fn granted(llm: &Llm) -> View {
    let component = Component {
        ai_models: vec!["llama2-chat".to_owned()],
        ..Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()))
    };
    let egress = Egress::new(EgressConfig::none());
    llm.open(&llm.grant(&"shop".parse().unwrap(), &component, &egress).unwrap())
}

async fn refused(llm: &Llm, memory_bytes: u64, model: &str, prompt: &str, parameters: Parameters) -> Refusal {
    let view = granted(llm);
    let budget = MemoryBudget::new(memory_bytes, Arc::new(Meter::new(std::time::Duration::MAX)));
    let mut host = Host { view: &view, memory: budget.host() };
    host.infer(model.to_owned(), prompt.to_owned(), parameters).await.unwrap_err()
}

#[test]
fn it_provides_what_it_names() {
    conformance::provides_what_it_names(&Llm::new(None));
    conformance::provides_what_it_names(&Llm::new(Some(compute())));
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_sent() {
    let (none, some) = (Llm::new(None), Llm::new(Some(compute())));
    let usual = Parameters::default();
    let said = refused(&some, 1000, "gpt", "x", usual).await;
    assert!(
        matches!(&said, Refusal::InvalidInput(text) if text.contains("`gpt`") && text.contains("`ai_models`"))
    );
    let said = refused(&none, 1000, "llama2-chat", "x", usual).await;
    assert!(matches!(&said, Refusal::Runtime(text) if text.contains("`[llm_compute]`")), "{said:?}");
    let odd = Parameters { temperature: f32::NAN, ..usual };
    let said = refused(&some, 1000, "llama2-chat", "x", odd).await;
    assert!(matches!(said, Refusal::InvalidInput(_)), "{said:?}");
    for prompt in ["x".repeat(1000), "\u{1}".repeat(300)] {
        let said = refused(&some, 1000, "llama2-chat", &prompt, usual).await;
        assert!(matches!(&said, Refusal::InvalidInput(text) if text.contains("too large")), "{said:?}");
    }
    let said = refused(&some, 1000, "llama2-chat", "x", usual).await;
    assert_eq!(said, Refusal::Runtime("the server of language models failed: cannot connect".into()));
}

fn result<T>(reading: Reading<T>) -> T {
    match reading {
        Reading::Result(result) => result,
        _ => panic!("a result was expected"),
    }
}

#[test]
fn spins_protocol_is_as_spin_has_it() {
    let asked = spin::inference(
        "llama2-chat",
        "Hi",
        &Parameters { temperature: 0.5, top_p: 0.25, ..Parameters::default() },
    );
    let options = json!({
        "maxTokens": 100, "repeatPenalty": 1.1_f32, "repeatPenaltyLastNTokenCount": 64, "temperature": 0.5,
        "topK": 40, "topP": 0.25,
    });
    let expected = json!({ "model": "llama2-chat", "prompt": "Hi", "options": options });
    assert_eq!(serde_json::to_value(asked).unwrap(), expected);
    let body = br#"{"text":"Hello","usage":{"promptTokenCount":2,"generatedTokenCount":3}}"#;
    let expected = Generated { text: "Hello".into(), prompt_tokens: 2, generated_tokens: 3 };
    assert_eq!(result(spin::read_inference(body)), expected);
    let body = br#"{"embeddings":[[0.5,-1],[]],"usage":{"promptTokenCount":2}}"#;
    let expected = Embedded { embeddings: vec![vec![0.5, -1.0], vec![]], prompt_tokens: 2 };
    assert_eq!(result(spin::read_embeddings(body)), expected);
    assert!(matches!(spin::read_inference(b"<html>"), Reading::Unreadable));
}

#[test]
fn openais_protocol_is_as_openai_has_it() {
    let asked = open_ai::inference("gpt", "Hi", &Parameters::default());
    let expected: Value = json!({
        "model": "gpt", "messages": [{ "role": "user", "content": "Hi" }], "max_completion_tokens": 100,
        "frequency_penalty": 1.1_f32,
    });
    assert_eq!(serde_json::to_value(asked).unwrap(), expected);
    let body = br#"{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"}}],
        "usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}"#;
    let expected = Generated { text: "Hello".into(), prompt_tokens: 2, generated_tokens: 3 };
    assert_eq!(result(open_ai::read_inference(body)), expected);
    let body =
        br#"{"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":[0]}],"usage":{"prompt_tokens":4}}"#;
    let expected = Embedded { embeddings: vec![vec![0.0], vec![1.0]], prompt_tokens: 4 };
    assert_eq!(result(open_ai::read_embeddings(body)), expected);

    let refused = |body: &str| open_ai::read_inference(body.as_bytes());
    assert!(matches!(refused(r#"{"error":{"message":"no","code":"model_not_found"}}"#), Reading::NoModel));
    for code in [r#","code":400"#, r#","code":null"#, ""] {
        let said = refused(&format!(r#"{{"error":{{"message":"no"{code}}}}}"#));
        assert!(matches!(said, Reading::Refused(reason) if reason == "no"));
    }
    for odd in ["{}", r#"{"choices":[]}"#, r#"{"choices":[{"message":{"content":null}}]}"#, "[]", ""] {
        assert!(matches!(refused(odd), Reading::Unreadable), "{odd}");
    }
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(body in "[\\[\\]{}:,\"a-z0-9]{0,40}") {
        let _ = spin::read_inference(body.as_bytes());
        let _ = spin::read_embeddings(body.as_bytes());
        let _ = open_ai::read_inference(body.as_bytes());
        let _ = open_ai::read_embeddings(body.as_bytes());
    }
}
