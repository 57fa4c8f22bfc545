use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::parse;
use crate::app::{App, Source};
use crate::limits::{Isolation, Limits};

const MINIMAL: &str = r#"
spin_manifest_version = 2
[application]
name = "my-api"
[[trigger.http]]
route = "/..."
component = "api"
[component.api]
source = "api.wasm"
"#;

fn read(text: &str) -> Result<App, String> {
    parse("spin.toml", text, &BTreeMap::new()).map_err(|error| match &error.hint {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    })
}

/// The message for MINIMAL after `from` was replaced by `to`.
#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    assert!(MINIMAL.contains(from), "{from} is in the minimal manifest");
    let message = read(&MINIMAL.replacen(from, to, 1)).expect_err("must be refused");
    assert_eq!(message, expected);
}

#[test]
fn the_smallest_manifest_grants_nothing() {
    let app = read(MINIMAL).unwrap();
    assert_eq!(app.name.as_str(), "my-api");
    assert_eq!(app.triggers[0].route.as_ref().unwrap().to_string(), "/...");
    let api = app.components.values().next().unwrap();
    assert_eq!(api.source, Source::Path("api.wasm".into()));
    assert!(api.environment.is_empty() && api.variables.is_empty() && api.files.is_empty());
    assert!(api.key_value_stores.is_empty() && api.allowed_outbound_hosts.is_empty());
}

#[test]
fn every_grant_and_limit_is_read() {
    let text = r#"
spin_manifest_version = 2
[application]
name = "shop"
version = "1.2.0"
description = "A shop"
authors = ["Ada"]
[application.trigger.http]
base = "/v1"
[application.tool.tombolo]
request_ms_max = 500
[application.tool.other]
anything = { goes = [1, 2] }
[variables]
host = { default = "api.example.com" }
token = { required = true, secret = true }
[[trigger.http]]
id = "t"
route = "/cart/:id"
component = "cart"
executor = { type = "http" }
[[trigger.http]]
route = { private = true }
component = "cart"
[component.cart]
source = { url = "https://example.com/c.wasm", digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
environment = { RUST_LOG = "info" }
variables = { upstream = "https://{{ host }}/{{token}}" }
key_value_stores = ["default"]
sqlite_databases = ["default", "users"]
allowed_outbound_hosts = ["https://{{ host }}"]
files = [{ source = "assets", destination = "/assets" }]
[component.cart.build]
command = ["cargo build", "true"]
workdir = "cart"
watch = ["src/**/*.rs"]
[component.cart.tool.tombolo]
memory_mib_max = 64
concurrency_max = 7
request_body_bytes_max = 1000
response_body_bytes_max = 2000
cpu_ms_max = 100
handles_max = 10
log_bytes_per_s_max = 11
outbound_connections_max = 12
outbound_bytes_max = 13
isolation = "pool"
pool_requests_max = 14
"#;
    let given = BTreeMap::from([("token".to_owned(), "t0k".to_owned())]);
    let app = parse("spin.toml", text, &given).unwrap();
    assert_eq!(app.triggers[0].route.as_ref().unwrap().to_string(), "/v1/cart/:id");
    assert_eq!(app.triggers[1].route, None);
    let cart = app.components.values().next().unwrap();
    assert_eq!(cart.variables["upstream"].known(), Some("https://api.example.com/t0k"));
    assert!(cart.allowed_outbound_hosts.allows("https", "api.example.com", 443));
    assert_eq!(cart.limits, all_limits());
    let idle_time_max = Duration::from_secs(10);
    assert_eq!(cart.isolation, Isolation::Pool { requests_max: 14, idle_time_max });
    assert_eq!(cart.build.as_ref().unwrap().commands.len(), 2);
    assert_eq!(cart.files.mounts[0].destination, "/assets");
    assert_eq!(
        (cart.key_value_stores.len(), cart.sqlite_databases.join(" ")),
        (1, "default users".to_owned())
    );
}

#[test]
fn isolation_is_one_of_two_and_a_pool_says_so() {
    let with = |lines: &str| read(&format!("{MINIMAL}[component.api.tool.tombolo]\n{lines}\n"));
    assert_eq!(
        with("isolation = \"shared\"").unwrap_err(),
        "spin.toml:11:13: `isolation` is `shared`, expected `fresh` or `pool`"
    );
    assert_eq!(
        with("pool_requests_max = 5").unwrap_err(),
        "spin.toml:11:21: it says how a pool works, expected `isolation = \"pool\"` beside it"
    );
}

/// The limits of the component `cart` above.
fn all_limits() -> Limits {
    Limits {
        memory_bytes_max: 64 << 20,
        request_time_max: Duration::from_millis(500),
        cpu_time_max: Duration::from_millis(100),
        concurrency_max: 7,
        request_body_bytes_max: 1000,
        response_body_bytes_max: 2000,
        handles_max: 10,
        log_bytes_per_s_max: 11,
        outbound_connections_max: 12,
        outbound_bytes_max: 13,
    }
}

/// The example in the book is an app.
#[test]
fn the_documented_manifest_is_read() {
    let page = include_str!("../../../../docs/manifest.md");
    let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let given = BTreeMap::from([("token".to_owned(), "t".to_owned())]);
    let app = parse("spin.toml", example, &given).unwrap();
    let cart = app.components.values().next().unwrap();
    assert_eq!(cart.variables["upstream"].known(), Some("https://eu.example.com"));
    assert_eq!(app.triggers[0].route.as_ref().unwrap().to_string(), "/v1/cart/:id");
    assert_eq!(app.base, "/v1");
}

#[test]
fn an_unknown_field_is_named_with_its_place_and_the_nearest_name() {
    refused(
        "source =",
        "key_value_store = [\"default\"]\nsource =",
        "spin.toml:9:1: unknown field `key_value_store` in `[component.api]`\nhint: did you mean `key_value_stores`?",
    );
    refused(
        "[application]",
        "[aplication]",
        "spin.toml:1:1: the manifest has no `application`, expected a table with `name`\nhint: is `aplication` meant to be `application`?",
    );
    refused(
        "name =",
        "zzz = 1\nname =",
        "spin.toml:4:1: unknown field `zzz` in `[application]`\nhint: expected one of `authors`, `description`, `name`, `targets`, `tool`, `trigger`, `version`",
    );
}

#[test]
fn a_wrong_value_says_what_was_expected() {
    refused("\"my-api\"", "7", "spin.toml:4:8: `application.name` is an integer, expected a string");
    refused(
        "\"my-api\"",
        "\"my api\"",
        "spin.toml:4:8: `my api` is not a name of an application: expected 1 to 63 of letters, digits, `-`, `_` and `.`, from a letter or digit",
    );
    refused("\"/...\"", "\"api\"", "spin.toml:6:9: `api` is not a route: expected a leading `/`");
    refused(
        "component = \"api\"",
        "component = \"apj\"",
        "spin.toml:7:13: there is no component `apj`\nhint: did you mean `api`?",
    );
    refused(
        "= 2",
        "= 1",
        "spin.toml:2:25: expected `spin_manifest_version = 2`, the only version there is support for",
    );
    refused(
        "source = \"api.wasm\"",
        "source = \"api.wasm\"\n[component.api.tool.tombolo]\nmemory_mib_max = 0",
        "spin.toml:11:18: `component.api.tool.tombolo.memory_mib_max` is out of range, expected a whole number of 1 or more",
    );
}

#[test]
fn what_is_not_supported_yet_is_refused_and_not_ignored() {
    refused(
        "component = \"api\"",
        "component = \"api\"\nexecutor = { type = \"cgi\" }",
        "spin.toml:8:21: there is no executor `cgi`, expected `http` or `wagi`",
    );
}

#[test]
fn models_are_granted_by_name() {
    let text = MINIMAL.replace("source =", "ai_models = [\"llama2-chat\", \"gpt-4.1\"]\nsource =");
    let app = parse("spin.toml", &text, &BTreeMap::new()).unwrap();
    assert_eq!(app.components.values().next().unwrap().ai_models, ["llama2-chat", "gpt-4.1"]);
    refused(
        "source =",
        "ai_models = \"llama2-chat\"\nsource =",
        "spin.toml:9:13: `component.api.ai_models` is a string, expected an array of strings",
    );
}

#[test]
fn files_are_globs_or_placed_and_some_are_not() {
    let text = MINIMAL.replace(
        "source = \"api.wasm\"",
        "source = \"api.wasm\"\nfiles = [\"assets/**/*\", { source = \"a.txt\", destination = \"/b.txt\" }]\n\
         exclude_files = [\"*.md\"]",
    );
    let app = read(&text).unwrap();
    let files = &app.components.values().next().unwrap().files;
    assert_eq!((files.globs.len(), files.mounts.len(), files.excluded.len()), (1, 1, 1));
    refused(
        "source =",
        "files = [\"../assets/*\"]\nsource =",
        "spin.toml:9:10: `../assets/*` names no files below the manifest's folder: `..` leads out: write \
         `{ source = \"../dir\", destination = \"/dir\" }`",
    );
    refused(
        "source =",
        "files = [1]\nsource =",
        "spin.toml:9:10: `component.api.files` is an integer, expected an array of strings and tables",
    );
}

#[test]
fn a_required_variable_without_a_value_is_named() {
    refused(
        "source =",
        "variables = { a = \"{{ b }}\" }\nsource =",
        "spin.toml:9:19: `{{ b }}` names no variable of `[variables]` that has a value\nhint: a required variable gets its value from the environment, as SPIN_VARIABLE_<NAME>",
    );
}

#[test]
fn what_is_not_toml_is_refused_with_its_place() {
    let message = read("spin_manifest_version = ").unwrap_err();
    assert!(message.starts_with("spin.toml:1:"), "{message}");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\PC|\n){0,120}") {
        let _ = read(&text);
    }

    /// One byte off anywhere in a good manifest is an app or an error, never a panic.
    #[test]
    fn no_damage_makes_the_parser_panic(at in 0..MINIMAL.len(), byte in 32u8..127) {
        let mut bytes = MINIMAL.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = read(&String::from_utf8(bytes).unwrap());
    }
}
