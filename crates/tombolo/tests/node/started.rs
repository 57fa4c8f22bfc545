//! `docs/getting-started.md`, word for word: its files are written, its commands run, and what it shows is what comes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Serving, guest, root};

use crate::sandbox;

/// What the page has a reader do.
#[derive(Debug)]
enum Step {
    /// Write a file.
    File { name: String, text: String },
    /// Run a command, and see this.
    Command { command: String, shown: Vec<String> },
}

fn steps(page: &str) -> Vec<Step> {
    let (mut steps, mut named) = (Vec::new(), String::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        match line.strip_prefix("```") {
            None => {
                // The last word in backticks before a file is its name.
                if let Some(name) = line.split('`').rev().nth(1) {
                    name.clone_into(&mut named);
                }
            }
            Some("console") => {
                for line in lines.by_ref().take_while(|line| *line != "```") {
                    match (line.strip_prefix("$ "), steps.last_mut()) {
                        (Some(command), _) => {
                            steps.push(Step::Command { command: command.to_owned(), shown: Vec::new() });
                        }
                        (None, Some(Step::Command { shown, .. })) => shown.push(line.to_owned()),
                        (None, _) => panic!("{line}: nothing shows this"),
                    }
                }
            }
            Some(_) => {
                let text = lines.by_ref().take_while(|line| *line != "```");
                let text = text.map(|line| format!("{line}\n")).collect();
                steps.push(Step::File { name: named.clone(), text });
            }
        }
    }
    steps
}

/// Whether a line is as the page shows it, where `…` is anything.
fn is_shown(shown: &str, line: &str) -> bool {
    match shown.split_once('…') {
        None => shown == line,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(place, _)| place).chain([rest.len()]);
            ends.into_iter().any(|end| is_shown(after, &rest[end..]))
        }),
    }
}

fn is_same(shown: &[String], said: &str) -> bool {
    let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
    lines.len() == shown.len() && shown.iter().zip(&lines).all(|(shown, line)| is_shown(shown, line))
}

#[track_caller]
fn check(command: &str, shown: &[String], said: &str) {
    assert!(is_same(shown, said), "$ {command}\n{said}\nwhere the page shows\n{}", shown.join("\n"));
}

/// A shell in the sandbox, with the program on its path.
fn shell(sandbox: &Sandbox, command: &str) -> Command {
    let program = sandbox.command(&[]);
    let folder = std::path::Path::new(program.get_program()).parent().unwrap().to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-c", command]).current_dir(sandbox.path()).env("PATH", path);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// What a command says that does what it is asked, or is refused where the page shows that.
#[track_caller]
fn run(sandbox: &Sandbox, command: &str, token: &str, is_refused: bool) -> String {
    let mut shell = shell(sandbox, &format!("exec 2>&1; {command}"));
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Only a login reads it.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), token.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), !is_refused, "$ {command}\n{said}");
    said
}

#[test]
fn the_walk_of_the_page_works() {
    let sandbox = sandbox();
    let page = std::fs::read_to_string(root().join("docs/getting-started.md")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 15, "{steps:?}");
    let mut node: Option<Serving> = None;
    let mut token = String::new();
    for step in steps {
        let (command, shown) = match step {
            Step::File { name, text } => {
                sandbox.file(&name, text);
                continue;
            }
            Step::Command { command, shown } => (command, shown),
        };
        if let Some(arguments) = command.strip_prefix("tombolo serve ") {
            let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
            all.extend(arguments.split(' '));
            let started = Serving::spawn(sandbox.command(&all));
            let said = started.up.said("Listening on");
            token = said.split("told this once: ").nth(1).unwrap().lines().next().unwrap().to_owned();
            let here = |line: &String| here(line, &started);
            check(&command, &shown.iter().map(here).collect::<Vec<_>>(), &said);
            node = Some(started);
            continue;
        }
        let node = node.as_ref().expect("the page begins with a node");
        let command = here(&command, node);
        let shown: Vec<String> = shown.iter().map(|line| here(line, node)).collect();
        let run = || run(&sandbox, &command, &token, shown.iter().any(|line| line.starts_with("error: ")));
        let mut said = run();
        // What an app prints is kept by somebody else than who answers for it.
        let until = Instant::now() + Duration::from_secs(30);
        while command.starts_with("tombolo logs") && !is_same(&shown, &said) && Instant::now() < until {
            said = run();
        }
        check(&command, &shown, &said);
    }
}

/// A line of the page with the ports of this node, and the component where it is here.
fn here(line: &str, node: &Serving) -> String {
    let component = "~/tombolo/examples/my-api/target/wasm32-wasip1/release/my_api.wasm";
    let address = node.up.address();
    line.replace("127.0.0.1:3001", &node.control.to_string())
        .replace("127.0.0.1:3000", &address.to_string())
        .replace("localhost:3000", &format!("localhost:{}", address.port()))
        .replace(component, guest("my-api").to_str().unwrap())
}

#[test]
fn what_the_page_leaves_out_is_anything() {
    assert!(is_shown("a …: b…", "a 12: 3: bc") && is_shown("…", "") && is_shown("a", "a"));
    assert!(!is_shown("a …b", "a 12") && !is_shown("a", "ab") && !is_shown("…a", "ab"));
}
