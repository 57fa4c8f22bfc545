//! What is kept on disk: data that survives, and a cache that is never trusted blindly.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tombolo_testkit::{Connection, Sandbox, Up};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

/// An app of one guest with the default store.
fn with_store(guest: &str, grant: &str) -> Sandbox {
    let sandbox = sandbox();
    sandbox.guest(guest, "app.wasm");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
         component = \"app\"\n[component.app]\nsource = \"app.wasm\"\n{grant}\n"
    );
    sandbox.file("spin.toml", text);
    sandbox
}

const STORE: &str = "key_value_stores = [\"default\"]";

#[test]
fn every_operation_of_the_synchronous_interfaces_holds() {
    let sandbox = with_store("kv", STORE);
    let up = Up::start(&sandbox, &[]);
    for _ in 0..2 {
        assert_eq!(up.get("/").text(), "ok", "{}", up.said("Listening"));
    }
}

#[test]
fn every_operation_of_the_asynchronous_interface_holds() {
    let sandbox = with_store("kv-async", STORE);
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/").text(), "ok", "{}", up.said("Listening"));
}

#[test]
fn wasi_config_tells_the_variables_of_a_component() {
    let sandbox = with_store("kv", "[component.app.variables]\nregion = \"eu\"\nlevel = \"info\"");
    let up = Up::start(&sandbox, &[]);
    let told = r#"Some("eu") None None [("level", "info"), ("region", "eu")]"#;
    assert_eq!(up.get("/config").text(), told, "{}", up.said("Listening"));
}

#[test]
fn without_a_grant_no_store_opens_and_no_file_is_made() {
    let sandbox = with_store("kv", "");
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/denied").text(), "Some(Error::AccessDenied) Some(Error::NoSuchStore)");
    assert!(!sandbox.path().join(".tombolo/key_value.redb").exists());
}

/// A guest that works on after the last byte of its answer is let finish, whether its client knew the
/// length, asked for the head alone, or the server is asked to stop.
#[test]
fn work_after_an_answer_is_done() {
    let sandbox = with_store("kv", STORE);
    let mut up = Up::start(&sandbox, &[]);
    let seen = |up: &Up| {
        let until = Instant::now() + Duration::from_secs(20);
        while up.get("/seen").text() != "true" {
            assert!(Instant::now() < until, "what the guest did after its answer is lost");
        }
        up.get("/forget");
    };
    assert_eq!(up.get("/late").body.len(), 100_000);
    seen(&up);
    let head = up.connect().send("HEAD /late HTTP/1.1\r\nhost: test\r\n\r\n").head().unwrap();
    assert_eq!(head.header("content-length"), Some("100000"));
    seen(&up);
    assert_eq!(up.get("/late").body.len(), 100_000);
    assert!(up.stop().success());
    up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/seen").text(), "true", "the drain waited for it");
}

/// Kills the server while clients count, again and again. A count that a client was told is never
/// taken back: the next one is higher.
#[test]
fn no_acknowledged_count_is_lost_to_a_kill() {
    let sandbox = with_store("my-api", STORE);
    let told = Arc::new(AtomicU64::new(0));
    for round in 0..4u64 {
        let up = Up::start(&sandbox, &[]);
        let first = count(&mut up.connect()).unwrap();
        assert!(first > told.load(Ordering::SeqCst), "{first} after {told:?} had been told");
        told.fetch_max(first, Ordering::SeqCst);
        // One client: two could be told the same count, for this guest reads and then writes.
        let (address, told) = (up.address(), Arc::clone(&told));
        let client = std::thread::spawn(move || {
            let mut connection = Connection::open(address);
            while let Some(visits) = count(&mut connection) {
                told.fetch_max(visits, Ordering::SeqCst);
            }
        });
        // Long enough for some commits; where in a commit the kill falls is left to chance.
        std::thread::sleep(Duration::from_millis(60 + 37 * round));
        up.kill();
        client.join().unwrap();
    }
    assert!(told.load(Ordering::SeqCst) > 4, "clients counted in between");
}

fn count(connection: &mut Connection) -> Option<u64> {
    let response = connection.send("GET /cache HTTP/1.1\r\nhost: test\r\n\r\n").answer()?;
    let text = response.text();
    text.strip_prefix("{\"visits\":")?.strip_suffix('}')?.parse().ok()
}

/// The artefacts of a sandbox's cache.
fn artefacts(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.cache().join("artefacts")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_component_is_compiled_once() {
    let sandbox = sandbox();
    sandbox.web_app("");
    drop(Up::start(&sandbox, &[]));
    let [artefact] = &artefacts(&sandbox)[..] else { panic!("one component, one artefact") };
    let written = fs::metadata(artefact).unwrap().modified().unwrap();
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.get("/").text(), "hello");
    assert_eq!(artefacts(&sandbox), std::slice::from_ref(artefact));
    assert_eq!(fs::metadata(artefact).unwrap().modified().unwrap(), written, "it was not compiled again");
}

/// An artefact is native code: a damaged one, or one of another component, is never run.
#[test]
fn a_damaged_or_foreign_artefact_is_compiled_again() {
    let sandbox = sandbox();
    sandbox.web_app("");
    drop(Up::start(&sandbox, &[]));
    let [artefact] = &artefacts(&sandbox)[..] else { panic!("one component, one artefact") };
    let good = fs::read(artefact).unwrap();

    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 0x40;
    fs::write(artefact, &damaged).unwrap();
    let up = Up::start(&sandbox, &[]);
    up.said("it is damaged");
    assert_eq!(up.get("/").text(), "hello");
    drop(up);
    assert_eq!(fs::read(artefact).unwrap().len(), good.len(), "the damaged file was replaced");

    sandbox.guest("hello-rust", "hello.wasm");
    drop(Up::start(&sandbox, &["hello.wasm"]));
    let other = artefacts(&sandbox).into_iter().find(|path| path != artefact).unwrap();
    fs::copy(artefact, &other).unwrap();
    let up = Up::start(&sandbox, &["hello.wasm"]);
    up.said("the artefact of another component");
    assert_eq!(up.get("/").text(), "Hello from WebAssembly\n");
}

/// A server for which `folder` is a disk of a size, mounted in a namespace of the test's own.
fn with_disk(sandbox: &Sandbox, folder: &std::path::Path, size: &str) -> Up {
    fs::create_dir_all(folder).unwrap();
    let script = format!(r#"mount -t tmpfs -o size={size},mode=700 none "$0" && exec "$@""#);
    let program = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    command.arg(folder).arg(program.get_program()).args(program.get_args());
    command
        .current_dir(sandbox.path())
        .env("TOMBOLO_CACHE_DIR", sandbox.cache())
        .env_remove("RUST_BACKTRACE");
    Up::spawn(command)
}

/// A disk that was full for a while costs the writes of that while, each with an error, and no more.
#[test]
fn a_store_goes_on_once_its_disk_has_room_again() {
    let sandbox = with_store("kv", STORE);
    let state = sandbox.path().join(".tombolo");
    let up = with_disk(&sandbox, &state, "24m");
    assert_eq!(up.get("/").text(), "ok");
    // Into the server's own view of the disk, until it is full.
    let filler = up.path(&state).join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while std::io::Write::write(&mut file, &[0; 4096]).is_ok_and(|written| written > 0) {}
    assert!(up.get("/large").text().contains("failed"), "there is no room for 4 MiB");
    up.said("could not write 1 changes");
    drop(file);
    fs::remove_file(&filler).unwrap();
    let again = up.get("/large").text();
    assert_eq!(again, "Ok(())", "{}", up.said("Listening"));
    assert_eq!(up.get("/").text(), "ok", "what was there is there");
}

/// A disk with room for nothing.
#[test]
fn a_full_disk_costs_the_cache_and_nothing_else() {
    let sandbox = sandbox();
    sandbox.web_app("");
    let up = with_disk(&sandbox, &sandbox.cache(), "64k");
    up.said("the disk has 0 MiB left");
    assert_eq!(up.get("/").text(), "hello");
}

#[test]
fn a_cache_that_others_can_write_to_is_not_used() {
    let sandbox = sandbox();
    sandbox.web_app("");
    let folder = sandbox.cache().join("artefacts");
    fs::create_dir_all(&folder).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&folder, open).unwrap();
    let up = Up::start(&sandbox, &[]);
    up.said("others may write to it");
    assert_eq!(up.get("/").text(), "hello");
    assert!(artefacts(&sandbox).is_empty());
}

/// With few addresses to have, instances live outside a pool: slower, and said so.
#[test]
fn without_room_for_a_pool_instances_are_made_on_demand() {
    let sandbox = sandbox();
    sandbox.web_app("");
    let program = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
    let mut command = std::process::Command::new("sh");
    // 32 GiB of addresses: enough for some memories of 4 GiB, not for a thousand.
    command
        .args(["-c", "ulimit -v 33554432 && exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args());
    command
        .current_dir(sandbox.path())
        .env("TOMBOLO_CACHE_DIR", sandbox.cache())
        .env_remove("RUST_BACKTRACE");
    let up = Up::spawn(command);
    assert_eq!(up.get("/").text(), "hello", "before anybody tries to make a pool");
    up.said("allocated on demand");
    for _ in 0..5 {
        assert_eq!(up.get("/").text(), "hello");
    }
}

/// A running server follows its app: new code, a new manifest, and back from a broken one.
#[test]
fn a_watched_app_is_served_anew_when_it_changes() {
    let sandbox = sandbox();
    sandbox.web_app("");
    let up = Up::start(&sandbox, &["--watch"]);
    let mut connection = up.connect();
    assert_eq!(connection.get("/").text(), "hello");

    sandbox.guest("hello-rust", "web.wasm");
    up.said("Serving app anew");
    assert_eq!(connection.get("/").text(), "Hello from WebAssembly\n", "on the same connection");

    sandbox.file("web.wasm", "broken");
    up.said("The app is served as it was before");
    assert_eq!(connection.get("/").text(), "Hello from WebAssembly\n");

    sandbox.web_app("nonsense = 1");
    up.said("unknown field `nonsense`");
    assert_eq!(connection.get("/").status, 200);

    sandbox.web_app("environment = { NOW = \"back\" }");
    let until = Instant::now() + Duration::from_secs(30);
    while connection.get("/environment").text() != r#"[("NOW", "back")]"# {
        assert!(Instant::now() < until, "{}", up.said("Serving"));
    }
}

/// A change of a source builds before it serves.
#[test]
fn a_watched_source_is_built() {
    let sandbox = sandbox();
    sandbox.guest("web", "first.bin");
    sandbox.guest("hello-rust", "second.bin");
    sandbox.file("src/which", "first");
    let build =
        "[component.web.build]\ncommand = \"cp $(cat src/which).bin web.wasm\"\nwatch = [\"src/**/*\"]";
    sandbox.web_app(build);
    let up = Up::start(&sandbox, &["--build", "--watch"]);
    assert_eq!(up.get("/").text(), "hello");
    sandbox.file("src/which", "second");
    up.said("Serving app anew");
    assert_eq!(up.get("/").text(), "Hello from WebAssembly\n");
}
