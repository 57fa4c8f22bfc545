//! Leaving the directory that was mounted, and looking for what was not given.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::attack::Expect::Refused;
use crate::attack::attack;
use crate::ground::{Ground, Hostile, sandbox};

#[test]
fn a_guest_gets_no_further_than_what_it_was_given() {
    let sandbox = sandbox();
    sandbox.guest("hostile", "hostile.wasm");
    let secret = sandbox.file("secret.txt", "secret");
    sandbox.file("files/inside.txt", "inside");
    sandbox.file("elsewhere/secret.txt", "secret");
    let files = sandbox.path().join("files");
    symlink("../secret.txt", files.join("out")).unwrap();
    symlink(&secret, files.join("absolute")).unwrap();
    symlink("..", files.join("up")).unwrap();
    let lines = "files = [{ source = \"files\", destination = \"/files\" }]";
    let mounted = Hostile { lines, ..Hostile::new("mounted", "hostile.wasm") };
    let bare = Hostile::new("bare", "hostile.wasm");
    let ground = Ground::new(&sandbox, &[mounted, bare]);
    let is_attacked = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| race(&files, &is_attacked));
        // Let go whatever happens: the scope waits for the one who races.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ground.stands([
                attack("/mounted/files", Refused(35)).told(&secret.to_string_lossy()),
                attack("/mounted/rename-race", Refused(2)),
                attack("/bare/surroundings", Refused(10)),
            ]);
        }));
        is_attacked.store(false, Ordering::Relaxed);
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert_eq!(fs::read_to_string(files.join("inside.txt")).unwrap(), "inside");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
}

/// Makes `race` a folder inside and a symlink that leads out, in turn.
fn race(files: &std::path::Path, goes_on: &AtomicBool) {
    let (race, folder) = (files.join("race"), files.join("folder"));
    while goes_on.load(Ordering::Relaxed) {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("secret.txt"), "inside").unwrap();
        let _ = fs::rename(&folder, &race);
        thread::yield_now();
        let _ = fs::rename(&race, &folder);
        let _ = symlink("../elsewhere", &race);
        thread::yield_now();
        let _ = fs::remove_file(&race);
    }
}
