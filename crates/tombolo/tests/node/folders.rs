//! Data folders that a node must not use: it says why, ends with 1, and leaves them as they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tombolo_testkit::{Finished, Sandbox, Serving};

use crate::{done, sandbox, written};

const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];

/// The program in namespaces of its own, after `script` in which `$0` is a folder.
pub(crate) fn in_namespace(sandbox: &Sandbox, script: &str, folder: &Path, arguments: &[&str]) -> Command {
    let program = sandbox.command(arguments);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(folder).arg(program.get_program()).args(program.get_args()).current_dir(sandbox.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn data(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("data/tombolo")
}

/// Every file in a folder, by its path.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            match entry.metadata().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => drop(all.insert(entry.path(), fs::read(entry.path()).unwrap())),
            }
        }
    }
    all
}

/// A sandbox whose node served an app, and stopped.
fn served() -> Sandbox {
    let sandbox = sandbox();
    let (node, _) = Serving::first(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    assert!(node.up.stop().success());
    sandbox
}

/// A node that does not start on the folder as it is, for a reason.
#[track_caller]
fn check_refused(sandbox: &Sandbox, reason: &str) {
    let before = contents(&data(sandbox));
    let Finished { code, stdout, stderr } = sandbox.tombolo(&SERVE);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("error: ") && stderr.contains(reason), "{stderr}");
    let after = contents(&data(sandbox));
    let changed = before.iter().filter(|(path, bytes)| after.get(*path) != Some(bytes)).map(|(path, _)| path);
    let changed: Vec<_> = changed.chain(after.keys().filter(|path| !before.contains_key(*path))).collect();
    assert!(changed.is_empty(), "{changed:?} changed");
    let checked = sandbox.tombolo(&["serve", "--check"]);
    assert!(checked.code == Some(1) && checked.stderr.contains(reason), "{}", checked.stderr);
}

#[test]
fn a_damaged_registry_is_refused_untouched() {
    let sandbox = served();
    let path = data(&sandbox).join("registry.redb");
    let good = fs::read(&path).unwrap();
    let mut bad: Vec<(String, Vec<u8>)> = vec![
        ("empty".to_owned(), Vec::new()),
        ("another file".to_owned(), b"no registry".to_vec()),
        ("cut".to_owned(), good[..good.len() / 2].to_vec()),
        ("cut by a byte".to_owned(), good[..good.len() - 1].to_vec()),
    ];
    // A bit of what is written there: pages of tables hold names as they are.
    let text = b"default/shop".as_slice();
    let places = good.windows(text.len()).enumerate().filter(|(_, part)| *part == text).map(|(at, _)| at);
    let mut all = good.clone();
    places.for_each(|at| all[at] ^= 1);
    assert!(all != good);
    bad.push(("flipped".to_owned(), all));
    for (what, bytes) in bad {
        eprintln!("{what}");
        fs::write(&path, bytes).unwrap();
        check_refused(&sandbox, "registry.redb` is damaged");
    }
    fs::write(&path, good).unwrap();
    let node = Serving::start(&sandbox);
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
}

/// Wherever a bit of it is another, a node either does not start or serves what it served.
#[test]
fn a_bit_that_changed_anywhere_is_never_another_truth() {
    let sandbox = served();
    let path = data(&sandbox).join("registry.redb");
    let good = fs::read(&path).unwrap();
    let used: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
    let mut refused = 0;
    for number in 0..24 {
        let mut bytes = good.clone();
        let at = used[number * used.len() / 24];
        bytes[at] ^= 4;
        fs::write(&path, &bytes).unwrap();
        let Finished { code, stderr, .. } = sandbox.tombolo(&["serve", "--check"]);
        match code {
            Some(0) => {
                let node = Serving::start(&sandbox);
                assert_eq!(node.get("shop.localhost", "/").text(), "one", "byte {at}");
            }
            Some(1) => {
                assert!(stderr.contains("error: ") && stderr.contains("registry.redb"), "{stderr}");
                refused += 1;
            }
            code => panic!("{code:?}: {stderr}"),
        }
    }
    assert!(refused > 0, "what is checked is checked");
}

#[test]
fn a_folder_of_a_later_version_is_refused_untouched() {
    let sandbox = served();
    let path = data(&sandbox).join("registry.redb");
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    let later = redb::Database::open(&path).unwrap();
    let transaction = later.begin_write().unwrap();
    transaction.open_table(meta).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(later);
    check_refused(&sandbox, "a later version wrote it");
}

#[test]
fn a_key_that_is_none_is_refused_untouched() {
    let sandbox = served();
    for key in ["", "short", &"k".repeat(33)] {
        fs::write(data(&sandbox).join("node.key"), key).unwrap();
        check_refused(&sandbox, "expected a key of 32 bytes");
    }
}

/// Root may write to any file, so the folder is one that nobody can.
#[test]
fn a_folder_that_cannot_be_written_to_is_refused() {
    let sandbox = served();
    let before = contents(&data(&sandbox));
    let script = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@""#;
    let output = in_namespace(&sandbox, script, &data(&sandbox), &SERVE).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("registry.redb") && stderr.contains("Read-only file system"), "{stderr}");
    assert!(contents(&data(&sandbox)) == before);
}

/// A new node is not half made; one that was there serves on.
#[test]
fn a_full_disk_is_no_place_for_a_new_node_and_one_for_an_old_one() {
    let sandbox = sandbox();
    fs::create_dir_all(data(&sandbox)).unwrap();
    let script = r#"mount -t tmpfs -o size=8k,mode=700 none "$0"; "$@"; echo "left: $(ls -A "$0")"; exit"#;
    let output = in_namespace(&sandbox, script, &data(&sandbox), &SERVE).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("error: ") && stderr.contains("No space left on device"), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "left: \n", "{stderr}");

    let sandbox = served();
    let script = r#"cp -a "$0" "$0.copy" && mount -t tmpfs -o size=16m,mode=700 none "$0" && cp -a "$0.copy/." "$0" &&
        cat /dev/zero > "$0/filler" 2>/dev/null; exec "$@""#;
    let node = Serving::spawn(in_namespace(&sandbox, script, &data(&sandbox), &SERVE));
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
}

/// What a disk made of a file since is not served as what was sent.
#[test]
fn damaged_code_is_found_when_it_is_loaded_and_others_are_served() {
    let sandbox = sandbox();
    let (node, token) = Serving::first(&sandbox);
    sandbox.web_app("");
    done(&sandbox, &["deploy"]);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    assert!(node.up.stop().success());
    let code = fs::read(tombolo_testkit::guest("web")).unwrap();
    let file = data(&sandbox).join("releases/blobs").join(tombolo_model::Digest::of(&code).hex());
    let mut damaged = fs::read(&file).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&file, damaged).unwrap();

    let node = Serving::start(&sandbox);
    let said = node.up.said("default/app is not served");
    assert!(said.contains("is damaged: its bytes have the digest"), "{said}");
    assert_eq!(node.get("app.localhost", "/").status, 404);
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
    // As the page on nodes says it is put right.
    drop(node);
    fs::remove_file(&file).unwrap();
    fs::remove_dir_all(data(&sandbox).join("releases/trees")).unwrap();
    let node = Serving::start(&sandbox);
    sandbox.tombolo_reading(&token, &["login", &format!("http://{}", node.control)]);
    sandbox.web_app("");
    done(&sandbox, &["deploy"]);
    assert_eq!(node.get("app.localhost", "/").text(), "hello");
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
}
