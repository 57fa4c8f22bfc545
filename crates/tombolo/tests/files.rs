//! Files that components read, through the whole program.

use std::fs;
use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    for file in ["assets/a.css", "assets/deep/er/b.css", "assets/deep/notes.md", "top.txt", "conf/one.txt"] {
        sandbox.file(file, format!("this is {file}"));
    }
    sandbox
}

/// What a guest reads at a path, and whether it could write there.
fn seen(up: &Up, path: &str) -> String {
    up.get(&format!("/file?{path}")).text()
}

#[test]
fn a_guest_reads_what_globs_name_and_nothing_else() {
    let sandbox = sandbox();
    sandbox.web_app(
        "files = [\"assets/**/*\", \"top.txt\", { source = \"conf/one.txt\", destination = \"/etc/uno.txt\" }]\n\
         exclude_files = [\"*.md\"]",
    );
    let up = Up::start(&sandbox, &[]);
    for (path, content) in [
        ("/assets/a.css", "this is assets/a.css"),
        ("assets/deep/er/b.css", "this is assets/deep/er/b.css"),
        ("/top.txt", "this is top.txt"),
        ("/etc/uno.txt", "this is conf/one.txt"),
    ] {
        assert_eq!(seen(&up, path), format!("Some({content:?}) false"));
    }
    for absent in
        ["/assets/deep/notes.md", "/conf/one.txt", "/spin.toml", "/web.wasm", "/assets/../spin.toml"]
    {
        assert_eq!(seen(&up, absent), "None false", "{absent}");
    }
    assert_eq!(fs::read_to_string(sandbox.path().join("top.txt")).ok().as_deref(), Some("this is top.txt"));
    assert!(up.stop().success());
    let left = fs::read_dir(sandbox.path().join(".tombolo/files")).map(Iterator::count);
    assert_eq!(left.ok(), Some(0), "copies go with the server");
}

#[test]
fn a_guest_that_may_write_does_so_to_copies() {
    let sandbox = sandbox();
    sandbox.web_app("files = [\"top.txt\", { source = \"assets\", destination = \"/static\" }]");
    let up = Up::start(&sandbox, &["--allow-transient-write"]);
    for (path, file) in [("/top.txt", "top.txt"), ("/static/a.css", "assets/a.css")] {
        assert_eq!(seen(&up, path), format!("Some(\"this is {file}\") true"));
        assert_ne!(seen(&up, path), format!("Some(\"this is {file}\") true"), "it was written to");
        let kept = fs::read_to_string(sandbox.path().join(file)).unwrap();
        assert_eq!(kept, format!("this is {file}"), "and the file itself was not");
    }
    assert!(up.stop().success());
    let up = Up::start(&sandbox, &[]);
    assert_eq!(seen(&up, "/top.txt"), "Some(\"this is top.txt\") false");
}

/// A folder is mounted as it is: what is added to it is there at once.
#[test]
fn a_folder_is_seen_as_it_is() {
    let sandbox = sandbox();
    sandbox.web_app("files = [{ source = \"assets\", destination = \"/static\" }]");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(seen(&up, "/static/a.css"), "Some(\"this is assets/a.css\") false");
    sandbox.file("assets/new.css", "new");
    assert_eq!(seen(&up, "/static/new.css"), "Some(\"new\") false");
    assert!(!sandbox.path().join(".tombolo/files").exists());
}

/// What was copied is copied anew when it changes.
#[test]
fn a_watched_file_is_seen_anew() {
    let sandbox = sandbox();
    sandbox.web_app("files = [\"assets/**/*\"]");
    let up = Up::start(&sandbox, &["--watch"]);
    assert_eq!(seen(&up, "/assets/a.css"), "Some(\"this is assets/a.css\") false");
    sandbox.file("assets/a.css", "changed");
    let until = Instant::now() + Duration::from_secs(30);
    while seen(&up, "/assets/a.css") != "Some(\"changed\") false" {
        assert!(Instant::now() < until, "{}", up.said("Serving"));
    }
}

/// Copies of a server that was killed are removed by the next.
#[test]
fn what_a_killed_server_left_is_removed() {
    let sandbox = sandbox();
    sandbox.web_app("files = [\"top.txt\"]");
    let copies = sandbox.path().join(".tombolo/files");
    for _ in 0..3 {
        let up = Up::start(&sandbox, &[]);
        assert_eq!(seen(&up, "/top.txt"), "Some(\"this is top.txt\") false");
        assert_eq!(fs::read_dir(&copies).map(Iterator::count).ok(), Some(1));
        up.kill();
    }
}
