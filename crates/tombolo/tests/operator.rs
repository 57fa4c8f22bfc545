//! What the operator says with `--runtime-config-file`, through the whole program.

use tombolo_testkit::servers::redis::Redis;
use tombolo_testkit::{Sandbox, Up};

/// An app of one guest, with more lines for its component.
fn app(guest: &str, lines: &str) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.guest(guest, "app/app.wasm");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[variables]\nregion = {{ required = true }}\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"app\"\n[component.app]\nsource = \"app.wasm\"\n{lines}\n"
    );
    sandbox.file("app/spin.toml", text);
    sandbox
}

const CONFIG: &str = "--runtime-config-file";

/// Stores are relative to the configuration, databases to the working directory: so it is in Spin.
#[test]
fn labels_are_files_of_the_operators_choice() {
    let sandbox = app("kv", "key_value_stores = [\"default\", \"other\"]");
    let text = "[key_value_store.default]\ntype = \"spin\"\npath = \"kept/default.redb\"\n\
        [key_value_store.other]\ntype = \"spin\"\npath = \"kept/other.redb\"\n";
    sandbox.file("operator/runtime.toml", text);
    let up = Up::start(&sandbox, &["app", CONFIG, "operator/runtime.toml"]);
    assert_eq!(up.get("/").text(), "ok");
    assert_eq!(up.get("/denied").text(), "None None");
    let kept = sandbox.path().join("operator/kept");
    assert!(kept.join("default.redb").exists() && kept.join("other.redb").exists());
    assert!(!sandbox.path().join("app/.tombolo/key_value.redb").exists());
    drop(up);

    let sandbox = app("sqlite", "sqlite_databases = [\"default\", \"other\"]");
    let text = "[sqlite_database.other]\ntype = \"spin\"\npath = \"kept/other.db\"\n";
    sandbox.file("operator/runtime.toml", text);
    let up = Up::start(&sandbox, &["app", CONFIG, "operator/runtime.toml"]);
    assert_eq!(up.get("/count").text(), "1");
    assert_eq!(up.get("/denied").text(), "None None");
    assert!(sandbox.path().join("kept/other.db").exists());
    assert!(sandbox.path().join("app/.tombolo/sqlite/app/default.db").exists());
}

/// A label that is defined and was not granted is there, and not for this component.
#[test]
fn a_label_that_was_not_granted_is_denied() {
    let sandbox = app("sqlite", "sqlite_databases = [\"default\"]");
    sandbox.file("runtime.toml", "[sqlite_database.other]\ntype = \"spin\"\npath = \"other.db\"\n");
    let up = Up::start(&sandbox, &["app", CONFIG, "runtime.toml"]);
    assert_eq!(up.get("/denied").text(), "None Some(Error::AccessDenied)");
    assert!(!sandbox.path().join("other.db").exists());
}

#[test]
fn values_of_variables_come_from_providers() {
    let sandbox = app("spin-5", "variables = { region = \"{{ region }}-west\" }");
    sandbox.file("runtime.toml", "[[variables_provider]]\ntype = \"static\"\nvalues = { region = \"eu\" }\n");
    let up = Up::start(&sandbox, &["app", CONFIG, "runtime.toml"]);
    assert_eq!(up.get("/variables").text(), "ok", "{}", up.said("Listening"));
    drop(up);

    let text = "[[variables_provider]]\ntype = \"env\"\nprefix = \"APP\"\ndotenv_path = \"vars.env\"\n";
    sandbox.file("runtime.toml", text);
    sandbox.file("vars.env", "APP_REGION='eu'\n");
    let up = Up::start(&sandbox, &["app", CONFIG, "runtime.toml"]);
    assert_eq!(up.get("/variables").text(), "ok", "{}", up.said("Listening"));
    drop(up);

    // And without any configuration from `.env` in the working directory.
    sandbox.file(".env", "SPIN_VARIABLE_REGION=eu\n");
    let up = Up::start(&sandbox, &["app"]);
    assert_eq!(up.get("/variables").text(), "ok", "{}", up.said("Listening"));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let sandbox = app("kv", "");
    for (text, expected) in [
        (
            "[sqlite_database.other]\ntype = \"libsql\"\nurl = \"https://example.com\"\n",
            "error: runtime.toml:2:8: the type `libsql` is not supported by this version of tombolo\n\nhint: `spin`, \
             a file of this machine, is supported; libsql is not\n",
        ),
        (
            "[sqlite_databases.other]\ntype = \"spin\"\n",
            "error: runtime.toml:1:2: unknown field `sqlite_databases`\n\nhint: did you mean `sqlite_database`?\n",
        ),
    ] {
        sandbox.file("runtime.toml", text);
        let refused = sandbox.tombolo(&["up", "app", CONFIG, "runtime.toml"]);
        assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), expected));
    }
    let refused = sandbox.tombolo(&["up", "app", CONFIG, "absent.toml"]);
    assert!(refused.stderr.starts_with("error: cannot read `absent.toml`: "), "{}", refused.stderr);
}

/// An app whose store `default` is a database of `server`, with more lines for its component.
fn app_on(server: &Redis, guest: &str, lines: &str) -> Sandbox {
    let sandbox = app(guest, &format!("key_value_stores = [\"default\"]\n{lines}"));
    let url = format!("redis://:secret@127.0.0.1:{}/3", server.port());
    sandbox.file("runtime.toml", format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{url}\"\n"));
    sandbox
}

/// Without a grant for its address: the operator's word is enough.
#[test]
fn a_store_may_be_a_database_of_redis() {
    let server = Redis::start_with(&["requirepass secret"]);
    let cli = |arguments: &[&str]| {
        server.cli(&[&["--no-auth-warning", "-a", "secret", "-n", "3"], arguments].concat())
    };
    // As Spin writes it: the guest `kv-async` finds it among the keys, and deletes them all.
    cli(&["SET", "found", "as it is"]);
    let sandbox = app_on(&server, "kv", "");
    let up = Up::start(&sandbox, &["app", CONFIG, "runtime.toml"]);
    for _ in 0..2 {
        assert_eq!(up.get("/redis").text(), "ok", "{}", up.said("Listening"));
    }
    assert_eq!((cli(&["GET", "shared"]), cli(&["GET", "a"])), ("yes".to_owned(), "12".to_owned()));
    assert!(!sandbox.path().join("app/.tombolo/key_value.redb").exists());
    assert_eq!(cli(&["GET", "found"]), "as it is");
    let sandbox = app_on(&server, "kv-async", "");
    let up = Up::start(&sandbox, &["app", CONFIG, "runtime.toml"]);
    assert_eq!(up.get("/").text(), "ok", "{}", up.said("Listening"));
    assert_eq!((cli(&["EXISTS", "found"]), cli(&["DBSIZE"])), ("0".to_owned(), "299".to_owned()));
    for guest in ["spin-3", "spin-5", "spin-7"] {
        let sandbox = app_on(&server, guest, "");
        let up = Up::start(&sandbox, &["app", CONFIG, "runtime.toml"]);
        assert_eq!(up.get("/key-value").text(), "ok", "{}", up.said("Listening"));
    }
}

#[test]
fn a_store_in_redis_that_fails_tells_the_operator_and_not_the_guest() {
    let mut server = Redis::start_with(&["requirepass secret"]);
    let sandbox = app_on(&server, "kv", "");
    let up = Up::start(&sandbox, &["app", CONFIG, "runtime.toml"]);
    server.stop();
    let answer = up.get("/forget").text();
    assert_eq!(answer, "Err(Error::Other(\"the key-value store failed\"))");
    let said = up.said("a key-value store in Redis failed: cannot connect");
    assert!(!said.contains("secret"), "{said}");
    let wrong = "[key_value_store.default]\ntype = \"redis\"\nurl = \"http://:secret@x\"\n";
    sandbox.file("runtime.toml", wrong);
    let refused = sandbox.tombolo(&["up", "app", CONFIG, "runtime.toml"]);
    assert!(refused.stderr.contains("key_value_stores: the `url` of `default` is not an address of a Redis"));
    assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
}

#[test]
fn a_profile_is_chosen_or_refused() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app("environment = { LEVEL = \"info\" }\n[component.web.profile.debug]\nenvironment = { LEVEL = \"all\" }");
    let level = |arguments: &[&str]| Up::start(&sandbox, arguments).get("/environment").text();
    assert!(level(&[]).contains(r#"("LEVEL", "info")"#));
    assert!(level(&["--profile", "debug"]).contains(r#"("LEVEL", "all")"#));
    let refused = sandbox.tombolo(&["up", "--profile", "debgu"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("no component has the profile `debgu`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("there are `debug`"), "{}", refused.stderr);
    let alone = sandbox.tombolo(&["up", "web.wasm", "--profile", "debug"]);
    assert!(alone.code == Some(1) && alone.stderr.contains("has no profile `debug`"), "{}", alone.stderr);
}
