//! What a newcomer does, and what they see.

use std::process::{Command, Stdio};

use tombolo_testkit::{Sandbox, Serving};

use crate::{done, refused, sandbox, written};

#[test]
fn a_newcomer_deploys_changes_and_rolls_back() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    let port = node.up.address().port();
    sandbox.web_app("");
    let said = done(&sandbox, &["deploy"]);
    assert!(said.starts_with("app release 1 (") && said.contains("is active"), "{said}");
    assert!(said.contains(&format!("http://app.localhost:{port}/")), "{said}");
    let answer = node.get(&format!("app.localhost:{port}"), "/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(node.get("other.localhost", "/").status, 404, "no other host is anybody's");

    // Something changes.
    sandbox.web_app("[component.web.tool.tombolo]\nmemory_mib_max = 32");
    assert!(done(&sandbox, &["deploy"]).contains("release 2"));
    let listed = done(&sandbox, &["releases", "app"]);
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines.len() == 2 && lines[0].trim_end().ends_with("active"), "{listed}");
    assert!(lines[1].trim_end().ends_with("previous"), "{listed}");

    assert!(done(&sandbox, &["rollback", "app"]).contains("app serves release 1"));
    assert_eq!(node.get("app.localhost", "/").status, 200);
    assert!(done(&sandbox, &["releases", "app"]).lines().nth(1).unwrap().trim_end().ends_with("active"));
    // Where a rollback leads is where one came from.
    assert!(done(&sandbox, &["rollback", "app"]).contains("app serves release 2"));
    assert!(done(&sandbox, &["apps"]).contains("http://app.localhost"));
}

#[test]
fn a_component_alone_can_be_deployed() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    sandbox.guest("web", "My_App.wasm");
    assert!(done(&sandbox, &["deploy", "My_App.wasm"]).starts_with("my-app release 1"));
    assert_eq!(node.get("my-app.localhost", "/").text(), "hello");
    assert!(done(&sandbox, &["deploy", "My_App.wasm", "--name", "other"]).starts_with("other release 1"));
    assert_eq!(node.get("other.localhost", "/").text(), "hello");
}

#[test]
fn what_is_served_is_served_again_after_a_restart() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    assert!(node.up.stop().success());
    let node = Serving::start(&sandbox);
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
    assert!(!node.up.said("Listening").contains("told this once"), "a token is told once");
}

#[test]
fn only_what_the_node_lacks_travels() {
    let sandbox = sandbox();
    let (_node, _) = Serving::first(&sandbox);
    sandbox.file("assets/a.css", "a");
    sandbox.file("assets/b.css", "b");
    let assets =
        |manifest: &str| format!("{manifest}files = [{{ source = \"assets\", destination = \"/\" }}]\n");
    sandbox.web_app(&assets(""));
    assert!(sandbox.tombolo(&["deploy"]).stderr.contains("Sending 3 files"));
    sandbox.file("assets/b.css", "changed");
    let second = sandbox.tombolo(&["deploy"]);
    assert!(second.stderr.contains("Sending 1 files, 1 kB; 2 are there"), "{}", second.stderr);
    let third = sandbox.tombolo(&["deploy"]);
    assert!(third.stderr.is_empty() && third.stdout.contains("release 2"), "nothing changed: {third:?}");
}

/// Runs the program on a terminal, and returns what that is sent.
fn on_terminal(sandbox: &Sandbox, arguments: &str) -> String {
    let tombolo = sandbox.command(&[]);
    let line = format!("{} {arguments}", tombolo.get_program().to_str().unwrap());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(sandbox.path());
    for (name, value) in tombolo.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let done = script.env("TERM", "xterm").env("SHELL", "/bin/sh").stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{told}");
    told
}

#[test]
fn a_terminal_is_drawn_how_far_a_deploy_is_and_others_get_lines() {
    const ESCAPE: char = '\u{1b}';
    let sandbox = sandbox();
    let (_node, _) = Serving::first(&sandbox);
    sandbox.web_app("files = [\"large.bin\"]\n");
    let change = |byte: &str| sandbox.file("large.bin", byte.repeat(3_000_000));
    change("a");
    let piped = sandbox.tombolo(&["deploy"]).stderr;
    let lines: Vec<_> = piped.lines().collect();
    assert!(
        matches!(lines[..], [sent, "The node checks and compiles it"] if sent.starts_with("Sending 2 files, 3"))
    );
    assert!(!piped.contains([ESCAPE, '\r']), "{piped:?}");
    change("b");
    let drawn = on_terminal(&sandbox, "deploy");
    assert!(drawn.contains("Sending 1 files, 3000 kB; 1 are there"), "{drawn:?}");
    for part in ["large.bin", "MiB/s", "/2.86 MiB", "The node checks and compiles it"] {
        assert!(drawn.contains(part) && drawn.contains(ESCAPE), "{part} in {drawn:?}");
    }
    // What was drawn is gone, and the line that stays is whole.
    let last = drawn.trim_end().lines().next_back().unwrap();
    let last = last.rsplit([ESCAPE, '\r']).next().unwrap();
    assert!(last.contains("app release 2 ("), "{drawn:?}");
    change("c");
    let json = on_terminal(&sandbox, "deploy --json");
    assert!(!json.contains(ESCAPE) && !json.contains("Sending") && json.contains("\"release\""), "{json:?}");
}

/// A question for all of its files is larger than other bodies may be.
#[test]
fn an_app_of_many_files_is_deployed() {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    for file in 0..1500 {
        // Two files in three hold what others hold.
        sandbox.file(&format!("site/{file}.txt"), (file / 3).to_string());
    }
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"site\"\n[[application.tool.tombolo.static]]\n\
        route = \"/...\"\ndirectory = \"site\"\n";
    sandbox.file("spin.toml", manifest);
    let deployed = sandbox.tombolo(&["deploy"]);
    assert_eq!(deployed.code, Some(0), "{}", deployed.stderr);
    assert!(deployed.stderr.contains("Sending 500 files, 2 kB; 0 are there"), "{}", deployed.stderr);
    assert_eq!(node.get("site.localhost", "/1499.txt").text(), "499");
}

#[test]
fn who_is_not_logged_in_is_told_how() {
    let sandbox = sandbox();
    written(&sandbox, "one");
    assert!(refused(&sandbox, &["deploy"]).contains("tombolo login"));
    let (node, _) = Serving::first(&sandbox);
    let url = format!("http://{}", node.control);
    let wrong = sandbox.tombolo_reading("tbl_wrong\n", &["login", &url]);
    assert!(wrong.code == Some(1) && wrong.stderr.contains("does not know this token"), "{wrong:?}");
    drop(node);
    assert!(refused(&sandbox, &["apps"]).contains("cannot reach the node"));
}

/// The commands of `docs/node.md`, word for word, one after the other.
#[test]
fn the_commands_of_the_page_work() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.guest("web", "hello.wasm");
    // The same with a section more, which does nothing: another file.
    let mut changed = std::fs::read(tombolo_testkit::guest("web")).unwrap();
    changed.extend([0, 2, 1, b'x']);
    sandbox.file("changed.wasm", changed);
    let text = std::fs::read_to_string(tombolo_testkit::root().join("docs/node.md")).unwrap();
    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    tombolo ")).collect();
    assert!(commands.len() >= 12, "{commands:?}");
    let control = format!("http://{}", node.control);
    for command in commands {
        let command = command.replace("http://127.0.0.1:3001", &control);
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let finished = sandbox.tombolo_reading(&token, &arguments);
        assert_eq!(finished.code, Some(0), "{command}: {}", finished.stderr);
    }
    assert_eq!(node.get("hello.localhost", "/").text(), "hello");
    assert!(done(&sandbox, &["releases", "hello"]).lines().next().unwrap().trim_end().ends_with("active"));
}
