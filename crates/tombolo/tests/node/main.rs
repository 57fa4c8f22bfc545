//! `tombolo serve` and the commands that speak to it, through the real program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

mod changes;
mod config;
mod disk;
mod events;
mod folders;
mod keeping;
mod logs;
mod manager;
mod metrics;
mod orders;
mod quotas;
mod releases;
mod started;
mod systemd;
mod tenants;
mod tls;
mod tls_client;
mod walk;

use std::path::PathBuf;

use tombolo_testkit::{Finished, Sandbox, Serving};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

/// An app whose only route always answers `text`.
fn written(sandbox: &Sandbox, text: &str) -> PathBuf {
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/...\"\n\
         static_response = {{ status_code = 200, body = \"{text}\" }}\n"
    );
    sandbox.file("spin.toml", manifest)
}

/// A command that does what it is asked, and what it printed.
#[track_caller]
fn done(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let Finished { code, stdout, stderr } = sandbox.tombolo(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
    stdout
}

/// A command that is refused, and why.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let Finished { code, stdout, stderr } = sandbox.tombolo(arguments);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{arguments:?}: {stderr}");
    stderr
}

/// What a path of the control interface answers, as JSON.
fn asked(node: &Serving, token: &str, path: &str) -> serde_json::Value {
    let answer = node.order("GET", path, token, None);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}
