//! What calls a component, and which of its exports.

/// What calls a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Requests.
    Http,
    /// Requests, of a program that prints its answers.
    Wagi,
    /// Messages of Redis.
    Redis,
}

/// A prepared component that does not export what its trigger calls.
#[derive(Debug, thiserror::Error)]
pub enum NotCalled {
    /// For requests.
    #[error(
        "answers no HTTP: expected an export of `wasi:http/incoming-handler@0.2.x` or \
         `wasi:http/handler@0.3.0`"
    )]
    Http,
    /// For requests, as a program.
    #[error(
        "is no program, which the executor `wagi` runs: expected an export of `wasi:cli/run`, or a module of WASI 0.1"
    )]
    Wagi,
    /// For messages.
    #[error(
        "takes no messages of Redis: expected an export of `fermyon:spin/inbound-redis` or \
         `spin:redis/inbound-redis@3.0.0`"
    )]
    Redis,
}
