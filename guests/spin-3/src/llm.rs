//! Language models, of a server that speaks the protocol in the query.

use spin_sdk::llm::{
    EmbeddingModel, Error, InferencingModel, InferencingParams, generate_embeddings, infer, infer_with_options,
};

pub fn check(protocol: &str) {
    // The server tells the model, how many tokens it may generate, and the prompt.
    let said = infer(InferencingModel::Llama2Chat, "Say \"hello\"").unwrap();
    assert_eq!(said.text, "llama2-chat 100 Say \"hello\"");
    assert_eq!((said.usage.prompt_token_count, said.usage.generated_token_count), (2, 4));
    let options = InferencingParams { max_tokens: 7, ..InferencingParams::default() };
    let said = infer_with_options(InferencingModel::Llama2Chat, "Again", options).unwrap();
    assert_eq!(said.text, "llama2-chat 7 Again");

    // And where a text is: at its length, and a half.
    let model = EmbeddingModel::AllMiniLmL6V2;
    let found = generate_embeddings(model, &["one".to_owned(), "three".to_owned()]).unwrap();
    assert_eq!(found.embeddings, [[3.0, 0.5], [5.0, 0.5]]);
    assert_eq!(found.usage.prompt_token_count, 2);
    assert!(generate_embeddings(model, &[]).unwrap().embeddings.is_empty());

    let refused = |model| infer(InferencingModel::Other(model), "x").unwrap_err();
    assert!(matches!(refused("denied"), Error::InvalidInput(text) if text.contains("ai_models")));
    let denied = generate_embeddings(EmbeddingModel::Other("denied"), &[]);
    assert!(matches!(denied, Err(Error::InvalidInput(_))));
    match protocol {
        "open_ai" => assert!(matches!(refused("absent"), Error::ModelNotSupported)),
        // Spin's own protocol has no words for it.
        _ => assert!(matches!(refused("absent"), Error::RuntimeError(text) if text.ends_with("404"))),
    }
    let odd = InferencingParams { temperature: f32::NAN, ..InferencingParams::default() };
    let refused = infer_with_options(InferencingModel::Llama2Chat, "x", odd);
    assert!(matches!(refused, Err(Error::InvalidInput(_))));
}

/// Nobody answers for models.
pub fn none() {
    let refused = infer(InferencingModel::Llama2Chat, "x").unwrap_err();
    assert!(matches!(refused, Error::RuntimeError(text) if text.contains("[llm_compute]")));
}
