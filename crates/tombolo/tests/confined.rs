//! The second wall: what a serving process cannot do, and that it serves all the same.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up, root};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

/// Whether this kernel has a wall; where it has none there is nothing to test.
fn has(wall: &str) -> bool {
    let found = sandbox().tombolo(&["doctor", "--json"]).stdout;
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let checks = found["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == wall).unwrap()["state"] == "on"
}

#[test]
fn a_server_has_given_up_what_it_does_not_need_and_serves() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = origin.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in origin.incoming().map_while(Result::ok) {
            // Closing with a request unread would reset the connection.
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\norigin");
        }
    });
    let sandbox = sandbox();
    sandbox.web_app(&format!("allowed_outbound_hosts = [\"http://localhost:{port}\"]"));
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/").text(), "hello");
    assert_eq!(up.get(&format!("/fetch?url=http://localhost:{port}/")).text(), "origin");
    assert_eq!(up.get("/panic").status, 500);
    up.get("/print");
    up.said("web | to stdout\n");
    // Every thread: one that started before the walls would have none.
    let threads = up.thread_statuses("NoNewPrivs");
    assert!(threads.len() > 2 && threads.iter().all(|threads| threads == "1"), "{threads:?}");
    if has("system calls") {
        let threads = up.thread_statuses("Seccomp");
        assert!(threads.iter().all(|threads| threads == "2"), "{threads:?}");
    }
    assert!(up.stop().success());
    let log = fs::read_to_string(sandbox.path().join(".tombolo/logs/web_stdout.txt")).unwrap();
    assert_eq!(log, "to stdout\n");
}

#[test]
fn a_confined_server_keeps_what_guests_store() {
    let sandbox = sandbox();
    sandbox.guest("kv", "app.wasm");
    let text = "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"app\"\n[component.app]\nsource = \"app.wasm\"\nkey_value_stores = [\"default\"]\n";
    sandbox.file("spin.toml", text);
    for _ in 0..2 {
        let up = Up::start(&sandbox, &[]);
        assert_eq!(up.get("/").text(), "ok", "{}", up.said("Listening"));
        assert_eq!(up.status("NoNewPrivs"), "1");
        assert!(up.stop().success());
    }
}

/// The server is led out of its folder by a link where it writes its log, as code that broke out of
/// a guest would lead it.
#[test]
fn a_server_writes_nowhere_but_to_its_state() {
    for (flags, is_written) in [(&[][..], !has("files")), (&["--no-confine"], true)] {
        let (sandbox, elsewhere) = (sandbox(), sandbox());
        sandbox.web_app("");
        let outside = elsewhere.file("diary", "dear diary\n");
        fs::create_dir_all(sandbox.path().join(".tombolo/logs")).unwrap();
        symlink(&outside, sandbox.path().join(".tombolo/logs/web_stdout.txt")).unwrap();
        let up = Up::start(&sandbox, flags);
        up.get("/print");
        if !is_written {
            up.said("guest output is no longer written");
        }
        up.said("web | to stdout\n");
        assert_eq!(up.get("/").text(), "hello");
        assert!(up.stop().success());
        let expected = if is_written { "dear diary\nto stdout\n" } else { "dear diary\n" };
        assert_eq!(fs::read_to_string(outside).unwrap(), expected, "{flags:?}");
    }
}

/// The same where it reads: what was compiled lies behind a link.
#[test]
fn a_server_reads_nothing_but_what_its_app_needs() {
    for (flags, is_read) in [(&[][..], !has("files")), (&["--no-confine"], true)] {
        let (sandbox, elsewhere) = (sandbox(), sandbox());
        sandbox.web_app("");
        drop(Up::start(&sandbox, &[]));
        let artefact = lead_outside(&sandbox, &elsewhere.path().join("outside"));
        let up = Up::start(&sandbox, flags);
        assert_eq!(up.get("/").text(), "hello");
        // Who cannot read it compiles again, and puts a file in the place of the link.
        assert_eq!(artefact.is_symlink(), is_read, "{flags:?}: {}", up.said("Listening"));
    }
}

/// The same for a program, which reads what it was granted.
#[test]
fn a_program_that_is_run_reads_nothing_but_its_grants() {
    for (flags, is_read) in [(&[][..], !has("files")), (&["--no-confine"], true)] {
        let (sandbox, elsewhere) = (sandbox(), sandbox());
        sandbox.guest("read-config", "app.wasm");
        let config = root().join("examples/read-config/config");
        let grant = format!("{}::/config:ro", config.display());
        let arguments = [&["run", "app.wasm", "--dir", &grant], flags].concat();
        let first = sandbox.tombolo(&arguments);
        assert_eq!(first.code, Some(0), "{}", first.stderr);
        let outside = elsewhere.path().join("outside");
        let artefact = lead_outside(&sandbox, &outside);
        let again = sandbox.tombolo(&arguments);
        assert_eq!((again.code, again.stdout), (Some(0), first.stdout), "{}", again.stderr);
        assert_eq!(artefact.is_symlink(), is_read, "{flags:?}: {}", again.stderr);
    }
}

/// Puts the one artefact of a sandbox's cache elsewhere, and a link in its place.
fn lead_outside(sandbox: &Sandbox, outside: &Path) -> PathBuf {
    let mut artefacts = fs::read_dir(sandbox.cache().join("artefacts")).unwrap();
    let artefact = artefacts.next().unwrap().unwrap().path();
    fs::rename(&artefact, outside).unwrap();
    symlink(outside, &artefact).unwrap();
    artefact
}

/// Sources and mounts that the manifest names elsewhere are granted by that.
#[test]
fn what_an_app_names_outside_its_folder_is_served() {
    let (sandbox, elsewhere) = (sandbox(), sandbox());
    sandbox.guest("web", "code/web.wasm");
    elsewhere.file("assets/a.txt", "a");
    let assets = elsewhere.path().join("assets");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"web\"\n[component.web]\nsource = \"../code/web.wasm\"\n\
         files = [{{ source = \"{}\", destination = \"/\" }}]\n",
        assets.display()
    );
    sandbox.file("app/spin.toml", text);
    let up = Up::start(&sandbox, &["app"]);
    assert_eq!(up.get("/").text(), "hello");
    // So is a component alone, wherever it lies.
    let up = Up::start(&sandbox, &["code/web.wasm"]);
    assert_eq!(up.get("/").text(), "hello");
}

/// Build commands are compilers, anywhere: a watching server says that it keeps its rights.
#[test]
fn a_watching_server_and_one_that_is_told_so_stay_free() {
    let sandbox = sandbox();
    sandbox.web_app("");
    for (flag, reason) in [("--watch", "No second wall with --watch"), ("--no-confine", "No second wall")] {
        let up = Up::start(&sandbox, &[flag]);
        up.said(reason);
        assert_eq!((up.status("NoNewPrivs").as_str(), up.status("Seccomp").as_str()), ("0", "0"), "{flag}");
        assert_eq!(up.get("/").text(), "hello");
    }
}

/// On a kernel that has neither Landlock nor seccomp: this one, with a filter that says so. A child of
/// the thread that put it up has it too.
#[test]
fn a_server_on_an_old_kernel_says_what_is_missing_once_and_serves() {
    let absent = [libc::SYS_landlock_create_ruleset, libc::SYS_seccomp];
    let filter = seccompiler::SeccompFilter::new(
        absent.into_iter().map(|call| (call, Vec::new())).collect(),
        seccompiler::SeccompAction::Allow,
        seccompiler::SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let filter: seccompiler::BpfProgram = filter.unwrap().try_into().unwrap();
    let sandbox = sandbox();
    sandbox.web_app("");
    let start = || {
        let _ = seccompiler::apply_filter(&filter);
        Up::start(&sandbox, &[])
    };
    let up = std::thread::scope(|scope| scope.spawn(start).join()).unwrap();
    assert_eq!(up.get("/").text(), "hello");
    up.get("/print");
    let said = up.said("web | to stderr\n");
    assert_eq!(said.matches("without a part of the second wall").count(), 1, "{said}");
    assert!(said.contains("files (this kernel has no Landlock), system calls ("), "{said}");
    assert!(up.stop().success());
}

/// A server that had to be let into a folder does not stop at one that cannot be made.
#[test]
fn a_server_without_a_place_for_its_state_serves() {
    let sandbox = sandbox();
    sandbox.web_app("");
    sandbox.file(".tombolo", "a file where a folder should be");
    let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
    let cache: PathBuf = sandbox.file("taken", "");
    command.env("TOMBOLO_CACHE_DIR", cache);
    let up = Up::spawn(command);
    up.said("what is compiled is not cached");
    let until = Instant::now() + Duration::from_secs(10);
    while up.get("/").text() != "hello" {
        assert!(Instant::now() < until);
    }
}
