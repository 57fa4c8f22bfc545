//! Files of whoever runs the node.

use crate::text;

/// Whatever a `node.toml` says, it is a configuration or a message with its place.
pub fn node_toml(bytes: &[u8]) {
    if let Err(error) = tombolo_model::node_config::parse("node.toml", &text(bytes)) {
        assert!(error.to_string().starts_with("node.toml"), "{error}");
    }
}

/// Whatever a runtime configuration or a `.env` says, it is a configuration, values, or a message with its place.
pub fn runtime_config(bytes: &[u8]) {
    if let Err(error) = tombolo_model::runtime_config::parse("runtime.toml", &text(bytes)) {
        assert!(error.to_string().starts_with("runtime.toml"), "{error}");
    }
    let _ = tombolo_model::dotenv::parse(&text(bytes));
}
