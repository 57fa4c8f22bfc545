//! What is wrong is said once, clearly, and nothing half-done is left.

use tombolo_testkit::{Sandbox, Up};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

/// `tombolo` with these arguments ends with `code` and says exactly `expected`.
#[track_caller]
fn refuses(sandbox: &Sandbox, arguments: &[&str], code: i32, expected: &str) {
    let finished = sandbox.tombolo(arguments);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(code), expected), "{arguments:?}");
    assert_eq!(finished.stdout, "", "{arguments:?}");
}

const HTTP: &str = "expected an export of `wasi:http/incoming-handler@0.2.x` or `wasi:http/handler@0.3.0`";

#[test]
fn what_is_not_webassembly_is_told() {
    let sandbox = sandbox();
    sandbox.file("text.wasm", "hello");
    sandbox.file("empty.wasm", "");
    sandbox.file("bad.wat", "(module (func (export \"f\") (nonsense)))");
    let expected = "not WebAssembly: expected a module or component (bytes that begin with `\\0asm`), or text in WAT, \
        found";
    refuses(
        &sandbox,
        &["run", "text.wasm"],
        1,
        &format!("error: `text.wasm`: {expected} 5 bytes that begin with `hello`\n"),
    );
    refuses(
        &sandbox,
        &["inspect", "empty.wasm"],
        1,
        &format!("error: `empty.wasm`: {expected} an empty file\n"),
    );
    let message =
        format!("error: component `text`: `./text.wasm`: {expected} 5 bytes that begin with `hello`\n");
    refuses(&sandbox, &["up", "text.wasm", "--listen", "127.0.0.1:0"], 1, &message);
    let wat = sandbox.tombolo(&["run", "bad.wat", "--invoke", "f"]);
    assert!(
        wat.code == Some(1) && wat.stderr.starts_with("error: `bad.wat`: not WebAssembly text: "),
        "{wat:?}"
    );
    refuses(
        &sandbox,
        &["run", "none.wasm"],
        1,
        "error: cannot read `none.wasm`: No such file or directory (os error 2)\n",
    );
}

/// Whatever byte a component ends at, it is refused with a message, never served and never a panic.
#[test]
fn a_component_that_is_cut_short_is_refused() {
    let sandbox = sandbox();
    let whole = std::fs::read(tombolo_testkit::guest("read-config")).unwrap();
    for part in 0..8 {
        let length = 8 + (whole.len() - 9) * part / 7;
        sandbox.file("cut.wasm", &whole[..length]);
        let finished = sandbox.tombolo(&["run", "cut.wasm"]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let told = finished.stderr.starts_with("error: `cut.wasm`: ") && finished.stderr.lines().count() <= 3;
        assert!(told && !finished.stderr.contains("panicked"), "cut at {length}: {finished:?}");
    }
    sandbox.file("cut.wasm", &whole[..whole.len() / 2]);
    let expected = format!(
        "error: `cut.wasm`: the WebAssembly is cut short: it ends at byte {}, inside a section\n",
        whole.len() / 2
    );
    refuses(&sandbox, &["run", "cut.wasm"], 1, &expected);
}

#[test]
fn all_imports_that_are_not_there_are_named() {
    let sandbox = sandbox();
    sandbox.file(
        "needy.wat",
        r#"(component
            (import "acme:one/first@1.0.0" (instance (export "f" (func))))
            (import "wasi:nn/tensor@0.2.0-rc" (instance (export "f" (func))))
            (import "wasi:cli/environment@0.2.0" (instance)))"#,
    );
    let missing = "it imports what is not there: acme:one/first@1.0.0, wasi:nn/tensor@0.2.0-rc";
    refuses(&sandbox, &["run", "needy.wat"], 1, &format!("error: `needy.wat`: {missing}\n"));
    let up = ["up", "needy.wat", "--listen", "127.0.0.1:0"];
    refuses(&sandbox, &up, 1, &format!("error: component `needy`: `./needy.wat`: {missing}\n"));
}

#[test]
fn what_answers_no_http_is_not_served() {
    let sandbox = sandbox();
    sandbox.guest("command.wasm32-wasip2", "tool.wasm");
    sandbox.file("core.wat", "(module (func (export \"f\")))");
    let up = |file| ["up", file, "--listen", "127.0.0.1:0"];
    refuses(
        &sandbox,
        &up("tool.wasm"),
        1,
        &format!("error: component `tool`: `./tool.wasm` answers no HTTP: {HTTP}\n"),
    );
    let core = "this is a core module without WASI: it can only be run, with `tombolo run --invoke FUNCTION`";
    refuses(&sandbox, &up("core.wat"), 1, &format!("error: component `core`: `./core.wat`: {core}\n"));
    sandbox.guest("web", "web.wasm");
    let hint = "\nhint: serve it: tombolo up web.wasm\n";
    refuses(
        &sandbox,
        &["run", "web.wasm"],
        1,
        &format!("error: `web.wasm` answers HTTP and does not run by itself\n{hint}"),
    );
}

#[test]
fn two_components_on_one_route_are_named() {
    let sandbox = sandbox();
    sandbox.web_app(
        "[component.other]\nsource = \"web.wasm\"\n[[trigger.http]]\nroute = \"/...\"\ncomponent = \"other\"",
    );
    refuses(
        &sandbox,
        &["up"],
        1,
        "error: the route `/...` is that of component `web` and of component `other`\n",
    );
}

#[test]
fn an_unknown_field_is_named_with_its_place() {
    let sandbox = sandbox();
    sandbox.web_app("key_value_store = [\"default\"]");
    let message = "error: ./spin.toml:9:1: unknown field `key_value_store` in `[component.web]`\n\n\
        hint: did you mean `key_value_stores`?\n";
    refuses(&sandbox, &["up"], 1, message);
    sandbox.web_app("key_value_stores = [\"cache\"]");
    let message = "error: component `web`: key_value_stores: there is no store `cache`, expected `default`\n";
    refuses(&sandbox, &["up"], 1, message);
}

#[test]
fn a_missing_source_is_named_with_what_to_do() {
    let sandbox = sandbox();
    sandbox.web_app("[component.web.build]\ncommand = \"false\"");
    std::fs::remove_file(sandbox.path().join("web.wasm")).unwrap();
    let message = "error: component `web`: cannot read `./web.wasm`: No such file or directory (os error 2)\n\n\
        hint: build it first: `tombolo up --build`\n";
    refuses(&sandbox, &["up"], 1, message);
    let finished = sandbox.tombolo(&["up", "--build"]);
    let failed = "error: building component `web` failed: `false` ended with exit status: 1\n";
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (Some(1), format!("Building web: false\n{failed}").as_str())
    );
}

#[test]
fn a_folder_without_an_app_is_told() {
    let sandbox = sandbox();
    let hint = "\nhint: name a folder with a `spin.toml`, or a component: `tombolo up app.wasm`\n";
    refuses(&sandbox, &["up"], 1, &format!("error: there is no `spin.toml` in `.`\n{hint}"));
    refuses(
        &sandbox,
        &["up", "none"],
        1,
        "error: cannot read `none`: No such file or directory (os error 2)\n",
    );
}

#[test]
fn a_directory_that_cannot_be_read_is_told() {
    let sandbox = sandbox();
    sandbox.guest("command.wasm32-wasip2", "tool.wasm");
    let file = sandbox.file("file", "");
    assert!(file.exists());
    let message = "error: cannot grant the directory `none`: No such file or directory (os error 2)\n";
    refuses(&sandbox, &["run", "tool.wasm", "--dir", "none::/data"], 1, message);
    let message = "error: cannot grant the directory `file`: Not a directory (os error 20)\n";
    refuses(&sandbox, &["run", "tool.wasm", "--dir", "file::/data"], 1, message);
    sandbox.web_app("files = [{ source = \"none\", destination = \"/data\" }]");
    let message = "error: component `web`: cannot read `./none`: No such file or directory (os error 2)\n";
    refuses(&sandbox, &["up"], 1, message);
}

#[test]
fn a_port_in_use_is_told() {
    let sandbox = sandbox();
    sandbox.web_app("");
    let up = Up::start(&sandbox, &[]);
    let address = up.address().to_string();
    let message = format!(
        "error: cannot listen at {address}: Address already in use (os error 98)\n\n\
         hint: something else listens there: choose another with `--listen`, or any free one with port 0\n"
    );
    refuses(&sandbox, &["up", "--listen", &address], 1, &message);
    assert_eq!(up.get("/").status, 200);
}

#[test]
fn wrong_usage_ends_with_2() {
    let sandbox = sandbox();
    for arguments in [
        &[][..],
        &["serv"],
        &["up", "--listen", "nowhere"],
        &["run"],
        &["run", "x.wasm", "--dir", "::"],
        &["run", "x.wasm", "--env", "NOVALUE"],
        &["run", "x.wasm", "--allow-net", "noport"],
        &["inspect", "--nonsense", "x"],
    ] {
        let finished = sandbox.tombolo(arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
        assert_eq!(finished.stdout, "", "{arguments:?}");
    }
    for command in ["up", "run", "inspect"] {
        let help = sandbox.tombolo(&[command, "--help"]);
        assert!(help.code == Some(0) && help.stdout.contains("Example"), "{help:?}");
    }
}

#[test]
fn inspect_says_what_a_file_is() {
    let sandbox = sandbox();
    sandbox.guest("my-api", "api.wasm");
    let text = sandbox.tombolo(&["inspect", "api.wasm"]).stdout;
    for line in [
        "api.wasm: core module of WASI 0.1 (reactor), ",
        "world: wasi:http/proxy@0.2 (serve it with `tombolo up`)",
        "  fermyon:spin/key-value@2.0.0",
        "  key-value stores: `key_value_stores`",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    sandbox.guest("my-api-wasi3", "api3.wasm");
    let json = sandbox.tombolo(&["inspect", "api3.wasm", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["kind"], "component");
    assert_eq!(json["exports"][0], "wasi:http/handler@0.3.0");
    assert_eq!(json["missing"].as_array().unwrap().len(), 0);
}

/// What an app comes to, also one that cannot be served yet.
#[test]
fn inspect_says_what_an_app_comes_to() {
    let sandbox = sandbox();
    let text = r#"
        spin_manifest_version = 2
        [application]
        name = "shop"
        version = "1.2.3"
        description = "Sells things"
        authors = ["Ada"]
        [application.tool.lint]
        level = "high"
        [application.trigger.redis]
        address = "redis://user:{{ token }}@{{ region }}.example.com:6379"
        [variables]
        region = { required = true }
        token = { default = "hunter2", secret = true }
        kind = { default = "small", description = "How large" }
        [[trigger.http]]
        route = "/old"
        static_response = { status_code = 410, headers = { x-why = "moved" }, body = "gone" }
        [[trigger.http]]
        route = "/tool"
        component = "auth"
        executor = { type = "wagi", argv = "tool ${ARGS}" }
        [[trigger.http]]
        route = "/..."
        component = "cart"
        dependencies.middleware = [{ component = "auth" }]
        [[trigger.redis]]
        channel = "orders"
        component = "cart"
        [component.cart]
        source = "cart.wasm"
        build = { command = "make", workdir = "src", watch = ["**/*.c"] }
        variables = { key = "{{ token }}", kind = "{{ kind }}" }
        key_value_stores = ["default"]
        allowed_outbound_hosts = ["https://{{ region }}.example.com"]
        [component.cart.dependencies]
        "a:b/c@1.0.0" = { path = "c.wasm", inherit_configuration = ["files"] }
        [component.auth]
        source = { url = "https://example.com/auth.wasm", digest = "sha256:ZEROS" }
    "#;
    sandbox.file("app/spin.toml", text.replace("ZEROS", &"0".repeat(64)));
    sandbox.file("app/cart.wasm", "cart");
    let text = sandbox.tombolo(&["inspect", "app"]).stdout;
    for line in [
        "shop 1.2.3: an app of 2 components\n",
        "  http /...: auth > cart\n",
        "  redis orders at redis://…@{{ region }}.example.com:6379: cart\n",
        "  region has no value yet: SPIN_VARIABLE_REGION\n",
        "  token is secret\n",
        "  kind = \"small\" (How large)\n",
        "  http /old: always 410\n",
        "  http /tool: auth, as CGI: tool ${ARGS}\n",
        "component cart: app/cart.wasm (sha256:",
        "a:b/c@1.0.0: app/c.wasm (not here yet), inherits files\n",
        "allowed_outbound_hosts: https://{{ region }}.example.com\n",
        "variables: key = {{ token }}, kind = small\n",
        "component auth: https://example.com/auth.wasm (sha256:00",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let json = sandbox.tombolo(&["inspect", "app/spin.toml", "--json"]).stdout;
    assert!(!json.contains("hunter2") && !text.contains("hunter2"), "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["variables"][1]["is_missing"], true);
    assert_eq!(json["components"][1]["dependencies"][0]["inherits"][0], "files");
    assert_eq!(json["tools"]["lint"]["level"], "high");
    assert_eq!(json["components"][1]["build_workdir"], "src");
    assert_eq!(json["components"][1]["build_watch"][0], "**/*.c");
    let always = serde_json::json!({ "status": 410, "headers": [["x-why", "moved"]], "body": "gone" });
    assert!(json["triggers"].as_array().unwrap().iter().any(|it| it["response"] == always), "{json}");
    let refused = sandbox.tombolo(&["inspect", "nowhere/spin.toml"]);
    assert_eq!((refused.code, refused.stderr.contains("cannot read `nowhere/spin.toml`")), (Some(1), true));
}
